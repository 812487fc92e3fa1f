"""A database that cannot be trusted or used is refused with a sentence that says what to do; it is never reset."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from karpathy_self_improve._db import default_path, driver, open_store
from karpathy_self_improve.errors import (
    BadInput,
    StoreCorrupt,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
    StoreUnavailable,
)
from karpathy_self_improve.ratchet import blobs, events
from karpathy_self_improve.schema import HEAD

NOBODY = 65534
PAGE = 4096


@pytest.fixture
def filled(path, propose):
    """A closed database with some pages of contents; nothing is left in its log."""
    store = open_store(path)
    for _ in range(3):
        propose(store)
    with store.write() as tx:
        for number in range(40):
            blobs.keep(tx, os.urandom(2000) + bytes([number]))
    store.close()
    assert not Path(f"{path}-wal").exists()
    return path


@pytest.fixture
def public_folder():
    """A folder that every user of the machine may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="ratchet-test-"))
    folder.chmod(0o755)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=True)
    shutil.rmtree(folder)


def as_nobody(work):
    """The system checks no modes for root: give the rights up first."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return work()


def refused(kind, path):
    """Opens ``path`` and gives the sentence; twice, for a refusal must not change what it refuses."""
    before = path.read_bytes() if path.is_file() else None
    messages = []
    for _ in range(2):
        with pytest.raises(kind) as caught:
            open_store(path)
        messages.append(caught.value.message)
        assert (path.read_bytes() if path.is_file() else None) == before
    assert str(path) in messages[1]
    return messages[1]


def test_a_schema_newer_than_the_program(filled, raw):
    raw(f"UPDATE alembic_version SET version_num = '{int(HEAD) + 1:04}'")
    assert "Update the plugin" in refused(StoreTooNew, filled)
    assert raw("SELECT count(*) FROM experiments") == [(3,)]


def test_a_damaged_header(filled):
    content = bytearray(filled.read_bytes())
    content[:16] = b"not SQLite at all"[:16]
    filled.write_bytes(content)
    assert "Restore a backup" in refused(StoreCorrupt, filled)
    (kept,) = filled.parent.glob("*.corrupt-*/ratchet.db")
    assert kept.read_bytes() == bytes(content)


def test_a_damaged_page_in_the_middle(filled, raw):
    ((root,),) = raw("SELECT rootpage FROM sqlite_master WHERE name = 'blobs'")
    with filled.open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(b"\xff" * PAGE)
    assert "Restore a backup" in refused(StoreCorrupt, filled)
    assert list(filled.parent.glob("*.corrupt-*/ratchet.db"))


def test_damage_that_is_met_only_while_reading(path, propose):
    """The check at the start is for small files; the rest is found when it is read, and said just as clearly."""
    store = open_store(path)
    propose(store)
    with store.write() as tx:
        for number in range(10):
            blobs.keep(tx, bytes([number]) * 1_000_000)
    store.close()
    content = bytearray(path.read_bytes())
    with sqlite3.connect(path) as connection:
        ((root,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchall()
    connection.close()
    content[(root - 1) * PAGE : root * PAGE] = b"\xff" * PAGE
    path.write_bytes(content)
    store = open_store(path)
    with pytest.raises(StoreCorrupt, match="Restore a backup"), store.read() as tx:
        events.since(tx)
    with pytest.raises(StoreCorrupt, match="Restore a backup"), store.write() as tx:
        events.emit(tx, "a.kind")
    store.close()


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_a_file_cut_short(filled, share):
    pages = int(filled.stat().st_size / PAGE * share)
    os.truncate(filled, pages * PAGE)
    assert "Restore a backup" in refused(StoreCorrupt, filled)


def test_a_file_that_is_no_database(path):
    path.write_text("Dear diary, " * 500)
    assert "Restore a backup, or move the file away" in refused(StoreCorrupt, path)


@pytest.mark.parametrize("of", ["something else", "another program with alembic"])
def test_a_database_of_something_else(path, raw, of):
    raw("CREATE TABLE tunes (name TEXT)", "INSERT INTO tunes VALUES ('Für Elise')")
    if of != "something else":
        raw("CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('0001')")
    assert "Point RATCHET_DB at another file" in refused(StoreUnavailable, path)
    assert raw("PRAGMA journal_mode") == [("delete",)]
    assert raw("SELECT name FROM tunes") == [("Für Elise",)]


@pytest.mark.parametrize("named", ["postgresql://host/base", "sqlite:///x.db", "file:x.db?mode=ro", ":memory:"])
def test_an_address_in_place_of_a_path(monkeypatch, named):
    monkeypatch.setenv("RATCHET_DB", named)
    with pytest.raises(BadInput, match="must be the path"):
        default_path()


def test_a_folder_in_place_of_a_file(path):
    path.mkdir()
    with pytest.raises(BadInput, match="is a folder"):
        open_store(path)
    assert sorted(path.parent.iterdir()) == [path]


def test_a_file_in_place_of_the_folder(path):
    path.write_text("")
    with pytest.raises(StoreReadOnly, match="folder writable"):
        open_store(path / "ratchet.db")


def test_a_file_that_this_user_cannot_write(public_folder, forked, propose):
    path = public_folder / "ratchet.db"
    store = open_store(path)
    propose(store)
    store.close()
    public_folder.chmod(0o777)
    path.chmod(0o444)
    for lock in ("lock", "queue"):
        Path(f"{path}.{lock}").chmod(0o666)
    message = forked(lambda: as_nobody(lambda: refused(StoreReadOnly, path)))()
    assert "writable for this user" in message


def test_a_folder_that_this_user_cannot_write(public_folder, forked, propose):
    path = public_folder / "inner" / "ratchet.db"
    store = open_store(path)
    propose(store)
    store.close()
    path.parent.chmod(0o555)
    for part in path.parent.iterdir():
        part.chmod(0o666)
    message = forked(lambda: as_nobody(lambda: refused(StoreReadOnly, path)))()
    assert "writable for this user" in message


def test_a_folder_in_which_this_user_cannot_make_the_file(public_folder, forked):
    public_folder.chmod(0o555)
    path = public_folder / "ratchet.db"
    assert "writable for this user" in forked(lambda: as_nobody(lambda: refused(StoreReadOnly, path)))()


def test_a_file_that_becomes_read_only_while_it_is_open(store):
    with store.write() as tx:
        driver(tx).execute("PRAGMA query_only=ON")
        with pytest.raises(sqlite3.OperationalError):
            events.emit(tx, "a.kind")
    with pytest.raises(StoreReadOnly, match="cannot be written"), store.write() as tx:
        events.emit(tx, "a.kind")


def write_too_much(store):
    with store.write() as tx:
        ((pages,),) = driver(tx).execute("PRAGMA page_count").fetchall()
        driver(tx).execute(f"PRAGMA max_page_count = {pages + 4}")
        events.emit(tx, "a.kind")
        for _ in range(100):
            blobs.keep(tx, os.urandom(4000))


def test_a_full_disk_changes_nothing_and_goes_by(store, propose, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))  # the limit of pages stands in for it
    propose(store)
    anchor = store.anchor()
    with pytest.raises(StoreFull, match="Free some space"):
        write_too_much(store)
    assert store.anchor() == anchor
    with store.read() as tx:
        assert events.since(tx) == []
    with store.write() as tx:
        driver(tx).execute("PRAGMA max_page_count = 100000")
    assert propose(store) == 2


def test_a_copy_is_kept_once_and_a_full_disk_does_not_hide_the_refusal(filled, monkeypatch):
    filled.write_bytes(b"\0" * PAGE * 3)
    for _ in range(3):
        with pytest.raises(StoreCorrupt, match="A copy is kept"):
            open_store(filled)
    assert len(list(filled.parent.glob("*.corrupt-*"))) == 1
    shutil.rmtree(next(filled.parent.glob("*.corrupt-*")))
    monkeypatch.setenv("PATH", "/nowhere")
    for _ in range(2):
        with pytest.raises(StoreCorrupt, match="No copy of it could be kept"):
            open_store(filled)


def test_numbers_that_are_used_up_are_not_called_a_full_disk(store):
    with store.write() as tx:
        tx.exec_driver_sql(
            "INSERT INTO events (id, created_at, kind, payload) VALUES (9223372036854775807, ?, 'x', '{}')",
            ("2026-11-20T10:00:00.000000+00:00",),
        )
    with pytest.raises(StoreFull, match="numbers of a table") as refused, store.write() as tx:
        events.emit(tx, "y")
    assert "disk has room" in refused.value.message


@pytest.mark.parametrize("ending", [".lock", ".queue"])
def test_a_pipe_in_place_of_a_lock_file_is_refused_at_once(path, ending):
    os.mkfifo(f"{path}{ending}")
    with pytest.raises(StoreUnavailable, match="not a plain file"):
        open_store(path)
