"""Commits that are not there any more are noticed, whoever cut them off, and nothing is made anew in their place."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from karpathy_self_improve import _turnstile
from karpathy_self_improve._db import audit_head, driver, open_store
from karpathy_self_improve._turnstile import Anchor, AuditHead
from karpathy_self_improve.errors import StoreBehind, StoreCorrupt
from karpathy_self_improve.migrations import to_head
from karpathy_self_improve.ratchet import events

PAGE, WAL_HEADER, FRAME_HEADER = 4096, 32, 24


@pytest.fixture
def cut(path, forked, propose, tmp_path):
    """``cut(write)``: what a killed process left when ``write`` was the last it did; a folder to open and damage."""

    def make(write, checkpoint=False):
        def child():
            store = open_store(path)
            for _ in range(3):
                propose(store)
            if checkpoint:
                with store.read() as tx:
                    driver(tx).execute("ROLLBACK")
                    driver(tx).execute("PRAGMA query_only=OFF")
                    driver(tx).execute("PRAGMA wal_checkpoint(TRUNCATE)")
            write(store)
            os.kill(os.getpid(), signal.SIGKILL)

        assert forked(child)() is signal.SIGKILL
        return path

    return make


def frames(path: Path) -> int:
    return (Path(f"{path}-wal").stat().st_size - WAL_HEADER) // (PAGE + FRAME_HEADER)


def copy_of(path: Path, to: Path) -> Path:
    to.mkdir()
    for part in path.parent.glob(f"{path.name}*"):
        if part.is_file():
            shutil.copy(part, to)
    return to / path.name


def emit(store):
    with store.write() as tx:
        events.emit(tx, "a.kind")


def write_and_fail(store):
    with store.write() as tx:
        events.emit(tx, "a.kind")
        tx.info["audit_head"] = AuditHead(99, "f" * 64)
        raise ZeroDivisionError


def contents(path: Path) -> tuple[bytes, ...]:
    parts = (path, Path(f"{path}-wal"))
    return tuple(part.read_bytes() for part in parts if part.exists())


@pytest.mark.parametrize("checkpoint", [False, True], ids=["log only", "after a checkpoint"])
@pytest.mark.parametrize("last", ["audited", "not audited"])
def test_a_log_cut_anywhere_is_refused(cut, propose, tmp_path, last, checkpoint):
    """Also when the last transaction is none of the chain's: every write is counted."""
    path = cut(propose if last == "audited" else emit, checkpoint)
    whole = frames(path)
    assert whole > 1
    sizes = {WAL_HEADER + frame * (PAGE + FRAME_HEADER) for frame in range(0, whole, max(1, whole // 6))}
    sizes |= {0, WAL_HEADER // 2, Path(f"{path}-wal").stat().st_size - 1, WAL_HEADER + PAGE}
    for number, size in enumerate(sorted(sizes)):
        damaged = copy_of(path, tmp_path / str(number))
        os.truncate(f"{damaged}-wal", size)
        before = contents(damaged)
        with pytest.raises((StoreBehind, StoreCorrupt), match=r"ratchet\.db"):
            open_store(damaged)
        kept = next(iter(damaged.parent.glob("*.behind-*/ratchet.db")), None)
        assert kept is None or contents(kept) == before
        with pytest.raises((StoreBehind, StoreCorrupt)):  # and it stays refused
            open_store(damaged)


def test_a_whole_log_is_taken_up(cut, propose):
    path = cut(propose)
    store = open_store(path)
    with store.read() as tx:
        assert audit_head(tx).id == 4
    store.close()


def test_a_database_all_of_which_was_in_the_cut_off_log_is_not_made_anew(path, forked, propose):
    """The process that made the tables was killed before they reached the main file."""

    def make_and_die():
        create = to_head._create
        to_head._create = lambda raw: (create(raw), os.kill(os.getpid(), signal.SIGKILL))
        open_store(path)

    def write_and_die():
        store = open_store(path)
        propose(store)
        os.kill(os.getpid(), signal.SIGKILL)

    assert [forked(work)() for work in (make_and_die, write_and_die)] == [signal.SIGKILL] * 2
    os.truncate(f"{path}-wal", 0)
    before = path.read_bytes()
    with pytest.raises(StoreBehind, match="held 1 writes before"):
        open_store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("missing", ["-wal", "-wal and -shm"])
def test_a_missing_log_is_refused(cut, propose, missing):
    path = cut(propose)
    for part in missing.split(" and "):
        Path(f"{path}{part}").unlink()
    with pytest.raises(StoreBehind, match=r"lost|gone or empty"):
        open_store(path)


def test_an_older_copy_in_its_place_is_refused(store, path, propose, tmp_path):
    propose(store)
    store.close()
    shutil.copy(path, tmp_path / "older")
    again = open_store(path)
    propose(again)
    again.close()
    shutil.copy(tmp_path / "older", path)
    with pytest.raises(StoreBehind, match="number 2 is not there") as refused:
        open_store(path)
    assert f"delete {path}.lock" in refused.value.message


def test_an_older_copy_that_went_its_own_way_is_refused(store, path, propose, tmp_path):
    """As many writes and links as before, but other ones."""
    propose(store)
    store.close()
    shutil.copy(path, tmp_path / "older.db")
    for place in (path, tmp_path / "older.db"):
        again = open_store(place)
        propose(again, profile=place.name)
        again.close()
    shutil.copy(tmp_path / "older.db", path)
    with pytest.raises(StoreBehind):
        open_store(path)


def test_a_backup_put_back_on_purpose_is_accepted(store, path, propose, tmp_path):
    propose(store)
    store.close()
    shutil.copy(path, tmp_path / "older")
    again = open_store(path)
    propose(again)
    again.close()
    shutil.copy(tmp_path / "older", path)
    Path(f"{path}.lock").unlink()
    restored = open_store(path)
    assert propose(restored) == 2
    assert restored.anchor().head.id == 2
    restored.close()


def test_the_anchor_may_be_deleted_while_a_store_is_open(store, path, propose):
    propose(store)
    Path(f"{path}.lock").unlink()
    propose(store)
    again = open_store(path)
    assert again.anchor() == store.anchor() != Anchor()
    again.close()


@pytest.mark.parametrize("left", [b"", None], ids=["empty", "deleted"])
def test_nothing_is_made_anew_over_a_lost_database(store, path, propose, left):
    propose(store)
    store.close()
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    with pytest.raises(StoreBehind, match="held 1 writes before"):
        open_store(path)
    assert (path.read_bytes() if path.exists() else None) == left


def test_a_log_without_its_database_is_kept(cut, propose):
    path = cut(propose)
    log = Path(f"{path}-wal").read_bytes()
    path.unlink()
    with pytest.raises(StoreCorrupt, match="its log"):
        open_store(path)
    assert Path(f"{path}-wal").read_bytes() == log
    assert not path.exists()


def test_a_kill_between_commit_and_anchor_loses_nothing(store, path, propose, forked):
    def child():
        own = open_store(path)
        own._turnstile.drop_anchor = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        propose(own)

    propose(store)
    assert forked(child)() is signal.SIGKILL
    assert store.anchor().head.id == 1
    again = open_store(path)
    with again.read() as tx:
        assert audit_head(tx).id == 2
    propose(again)
    assert again.anchor().head.id == 3
    again.close()


def test_an_anchor_that_cannot_be_written_does_not_undo_a_commit(store, path, propose, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    propose(store)
    with monkeypatch.context() as patched:
        patched.setattr(_turnstile.os, "pwrite", full)
        assert propose(store) == 2
    assert store.anchor().head.id == 1
    open_store(path).close()


def test_the_anchor_follows_what_is_committed_and_only_that(store, propose):
    propose(store)
    first = store.anchor()
    with pytest.raises(ZeroDivisionError):
        write_and_fail(store)
    assert store.anchor() == first
    emit(store)
    assert store.anchor() == Anchor(first.writes + 1, first.head)
    propose(store)
    with store.read() as tx:
        assert store.anchor() == Anchor(first.writes + 2, audit_head(tx))


def test_the_anchor_is_right_while_many_processes_write(path, propose, forked):
    def work():
        for _ in range(8):
            own = open_store(path)  # which compares the anchor every time
            propose(own)
            emit(own)
            own.close()

    for wait in [forked(work) for _ in range(6)]:
        wait()
    store = open_store(path)
    with store.read() as tx:
        assert store.anchor() == Anchor(96, audit_head(tx))
        assert audit_head(tx).id == 48
    store.close()


@pytest.mark.parametrize("left", [b"", b"\0" * 50, b"4 x ", b"1 2 \xff", b"some words here"])
def test_a_torn_anchor_of_a_power_cut_is_no_reason_to_refuse(store, path, propose, left):
    propose(store)
    store.close()
    Path(f"{path}.lock").write_bytes(left)
    again = open_store(path)
    propose(again)
    assert again.anchor().head.id == 2
    again.close()


def test_the_anchor_stands_beside_the_database_wherever_that_is(tmp_path, home, monkeypatch, propose):
    monkeypatch.setenv("RATCHET_DB", str(tmp_path / "else where?%20" / "my#1.db"))
    store = open_store()
    propose(store)
    store.close()
    assert sorted(p.name for p in (tmp_path / "else where?%20").iterdir()) == [
        "my#1.db",
        "my#1.db.lock",
        "my#1.db.queue",
    ]
    (tmp_path / "else where?%20" / "my#1.db").unlink()
    with pytest.raises(StoreBehind):
        open_store()
