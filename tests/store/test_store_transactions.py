"""A transaction is whole or did not happen; readers see one moment; writers take turns, and none waits for ever."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time

import pytest

from karpathy_self_improve import _db
from karpathy_self_improve._db import driver, open_store
from karpathy_self_improve.errors import StoreBehind, StoreReadOnly, StoreUnavailable
from karpathy_self_improve.ratchet import events


class Mine(Exception):
    """An exception of a caller that carries another database's error, as SQLAlchemy's do."""

    orig = sqlite3.DatabaseError("not the store's")
    orig.sqlite_errorname = "SQLITE_FULL"


def count(store):
    with store.read() as tx:
        return driver(tx).execute("SELECT count(*) FROM events").fetchone()[0]


def write_and_raise(store, error):
    with store.write() as tx:
        events.emit(tx, "a.kind")
        raise error


def test_what_a_block_wrote_is_there_afterwards(store):
    with store.write() as tx:
        events.emit(tx, "a.kind")
    assert count(store) == 1


@pytest.mark.parametrize("error", [Mine("x"), KeyboardInterrupt(), StoreUnavailable("x"), ZeroDivisionError()])
def test_an_exception_undoes_all_of_it_and_passes_untouched(store, error):
    with pytest.raises(type(error)) as caught:
        write_and_raise(store, error)
    assert caught.value is error
    assert caught.value.__cause__ is None
    assert count(store) == 0
    with store.write() as tx:
        events.emit(tx, "goes.on")
    assert count(store) == 1


def test_an_exception_of_a_reader_passes_untouched(store):
    error = Mine("x")
    with pytest.raises(Mine) as caught, store.read():
        raise error
    assert caught.value is error


def test_a_broken_constraint_is_a_bug_and_stays_what_it_is(store):
    with pytest.raises(sqlite3.IntegrityError), store.write() as tx:
        driver(tx).execute("INSERT INTO events (kind) VALUES (NULL)")


def test_a_read_transaction_sees_one_moment(store):
    with store.read() as tx:
        assert driver(tx).execute("SELECT count(*) FROM events").fetchone() == (0,)
        with store.write() as other:
            events.emit(other, "a.kind")
        assert driver(tx).execute("SELECT count(*) FROM events").fetchone() == (0,)
    assert count(store) == 1


def test_a_read_transaction_cannot_write(store):
    with pytest.raises(StoreReadOnly), store.read() as tx:
        events.emit(tx, "a.kind")
    assert count(store) == 0


def test_a_write_that_changes_nothing_is_no_write(store):
    before = store.anchor()
    with store.write() as tx:
        driver(tx).execute("SELECT 1")
    assert store.anchor() == before


def test_a_store_is_refused_in_a_forked_child_and_goes_on_in_the_parent(store, path, forked):
    def child():
        with pytest.raises(StoreUnavailable, match="fork"), store.write():
            pass
        with pytest.raises(StoreUnavailable, match="fork"), store.read():
            pass
        store.close()
        own = open_store(path)
        with own.write() as tx:
            events.emit(tx, "of.the.child")
        own.close()

    with store.write() as tx:
        events.emit(tx, "of.the.parent")
    forked(child)()
    with store.write() as tx:
        events.emit(tx, "of.the.parent")
    assert count(store) == 3


def test_a_lock_does_not_live_on_in_a_forked_child(path, forked):
    """The one inside the turnstile forks and is killed: its child must not keep the others out."""
    woken, waker = os.pipe()

    def child():
        store = open_store(path)
        with store.write():
            if not os.fork():
                os.read(woken, 1)  # lives longer than its parent
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)

    open_store(path).close()
    assert forked(child)() is signal.SIGKILL
    store = open_store(path)
    started = time.monotonic()
    with store.write() as tx:
        events.emit(tx, "a.kind")
    assert time.monotonic() - started < _db._PATIENCE_S
    os.write(waker, b"x")
    store.close()


def test_threads_share_a_store(store):
    def work():
        for _ in range(20):
            with store.write() as tx:
                before = driver(tx).execute("SELECT count(*) FROM events").fetchone()[0]
                events.emit(tx, "a.kind", before=before)
            count(store)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as tx:
        assert [event.payload["before"] for event in events.since(tx)] == list(range(160))


def test_processes_share_a_file(store, path, forked):
    def work():
        own = open_store(path)
        for _ in range(25):
            with own.write() as tx:
                before = driver(tx).execute("SELECT count(*) FROM events").fetchone()[0]
                events.emit(tx, "a.kind", before=before)
        own.close()

    for wait in [forked(work) for _ in range(6)]:
        wait()
    with store.read() as tx:
        assert [event.payload["before"] for event in events.since(tx)] == list(range(150))


def test_processes_create_one_file_together(path, forked):
    def work():
        own = open_store(path)
        with own.write() as tx:
            events.emit(tx, "a.kind")
        own.close()

    for wait in [forked(work) for _ in range(8)]:
        wait()
    store = open_store(path)
    assert count(store) == 8
    store.close()


def test_a_stopped_writer_is_complained_about_not_waited_for(store, path, forked, monkeypatch):
    monkeypatch.setattr(_db, "_PATIENCE_S", 0.2)
    ready, tell = os.pipe()

    def child():
        own = open_store(path)
        with own.write():
            os.write(tell, b"x")
            signal.pause()

    wait = forked(child)
    os.read(ready, 1)
    os.kill(wait.pid, signal.SIGSTOP)
    try:
        assert count(store) == 0  # readers do not care
        with pytest.raises(StoreUnavailable, match="has held"), store.write():
            pass
    finally:
        os.kill(wait.pid, signal.SIGKILL)
        wait()
    with store.write() as tx:
        events.emit(tx, "a.kind")
    assert count(store) == 1


def test_an_interrupted_wait_does_not_take_the_lock_later(store, path, forked):
    ready, tell = os.pipe()
    release, let_go = os.pipe()

    def child():
        own = open_store(path)
        with own.write():
            os.write(tell, b"x")
            os.read(release, 1)

    def interrupt(*_):
        raise KeyboardInterrupt

    wait = forked(child)
    os.read(ready, 1)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt), store.write():
            pass
    finally:
        signal.signal(signal.SIGALRM, before)
        os.write(let_go, b"x")
        wait()
    other = open_store(path)
    for one in (other, store):
        with one.write() as tx:
            events.emit(tx, "a.kind")
    assert count(store) == 2
    other.close()


def test_a_write_within_a_write_is_refused_not_waited_for_without_end(store, monkeypatch):
    monkeypatch.setattr(_db, "_PATIENCE_S", 0.1)
    with store.write() as tx:
        with pytest.raises(StoreUnavailable), store.write():
            pass
        events.emit(tx, "a.kind")
    assert count(store) == 1


def test_a_stranger_holding_the_database_is_waited_for(store, path):
    stranger = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    stranger.execute("BEGIN IMMEDIATE")
    threading.Timer(0.2, stranger.rollback).start()
    with store.write() as tx:
        events.emit(tx, "a.kind")
    assert count(store) == 1
    stranger.close()


def test_a_file_replaced_under_an_open_store_is_noticed(store, path, tmp_path):
    with store.write() as tx:
        events.emit(tx, "a.kind")
    other = open_store(tmp_path / "other.db")
    other.close()
    (tmp_path / "other.db").replace(path)
    for transaction in (store.read, store.write):
        with pytest.raises(StoreBehind, match="replaced while"), transaction():
            pass


def test_only_the_user_can_read_what_is_stored(store, path):
    with store.write() as tx:
        events.emit(tx, "a.kind")
    modes = {part.name: oct(part.stat().st_mode & 0o777) for part in path.parent.iterdir()}
    assert modes == dict.fromkeys(
        ("ratchet.db", "ratchet.db-wal", "ratchet.db-shm", "ratchet.db.lock", "ratchet.db.queue"), "0o600"
    )


def test_a_link_and_the_file_it_names_are_one_database(store, path, tmp_path):
    (tmp_path / "link.db").symlink_to(path)
    linked = open_store(tmp_path / "link.db")
    assert linked.path == store.path
    linked.close()
    assert sorted(tmp_path.glob("link.db*")) == [tmp_path / "link.db"]
