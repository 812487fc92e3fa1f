"""A disk, a git or a database that fails at any call leaves the file as before, or recovery brings that about."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from contextlib import contextmanager
from itertools import product
from pathlib import PurePosixPath

import pytest

from karpathy_self_improve.errors import DiskFailed, RatchetError, Unavailable
from karpathy_self_improve.ratchet.blobs import digest
from karpathy_self_improve.ratchet.files import disk
from karpathy_self_improve.ratchet.files.guarded_file import open_guarded

OLD = b"# Soul\r\n\r\nBe brief. Be kind.\r\nA byte that is no UTF-8: \xff"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
SKILL = "skills/x/SKILL.md"
CASES = {"edit": ("SOUL.md", OLD, NEW), "creation": (SKILL, None, NEW)}
CALLS = [
    "create",
    "write",
    "set_owner_and_mode",
    "sync",
    "exchange",
    "rename_new",
    "rename_over",
    "link",
    "unlink",
    "make_folder",
    "remove_folder",
]
ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT]
OLD_STATE = {"apply": "approved", "revert": "live"}
NEW_STATE = {"apply": "live", "revert": "reverted"}
MOST_CALLS = 40


class Disk:
    """The disk seam, failing from the ``first`` to the ``last`` call counted from 1."""

    def __init__(self, monkeypatch):
        self.calls = self.first = self.last = 0
        self.code = errno.EIO
        self.has_failed = True
        for name in CALLS:
            monkeypatch.setattr(disk, name, self.counted(getattr(disk, name)))

    def counted(self, real):
        def call(*arguments):
            self.calls += 1
            if self.first <= self.calls <= self.last:
                self.has_failed = True
                raise OSError(self.code, os.strerror(self.code))
            return real(*arguments)

        return call

    def fail(self, first, last, code):
        self.calls, self.first, self.last, self.code, self.has_failed = 0, first, last, code, False

    def stop(self):
        self.last = 0


def attempt(step):
    """The error that a step ends with; None when it succeeds."""
    try:
        step()
    except RatchetError as error:
        return error
    return None


def before(stage, number, case, kind):
    relpath, old, new = CASES[case]
    assert stage.check_consistent(number, old, new, relpath) == OLD_STATE[kind]


def after(stage, number, case, kind):
    relpath, old, new = CASES[case]
    assert stage.check_consistent(number, old, new, relpath) == NEW_STATE[kind]


VERSIONS = {"replaced": (OLD, NEW), "made": (None, NEW), "removed": (OLD, None), "emptied": (OLD, b"")}


def content_of(path):
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "no-exchange"])
@pytest.mark.parametrize(("old", "new"), VERSIONS.values(), ids=VERSIONS)
def test_a_file_is_whole_after_an_error_in_any_call(tmp_path, monkeypatch, old, new, exchange, code):
    """Of the replacement, and of taking it back: repeated once the disk works again, that brings back the old file."""
    if not exchange:
        monkeypatch.setattr(disk, "_rename_call", lambda: None)
    failing = Disk(monkeypatch)
    path, relpath = tmp_path / "x.md", PurePosixPath("x.md")
    if old is not None:
        path.write_bytes(old)
    first = 0
    while failing.has_failed:
        first += 1
        for last in (first, first + 1, 10_000):
            failing.fail(first, last, code)
            with open_guarded(tmp_path, relpath, 1000) as file:
                error = attempt(lambda: file.replace(digest(old), new, 0o600, "0"))
                assert error is None or os.strerror(code) in error.message
                attempt(lambda: file.put_back("0", digest(old), new))
                assert content_of(path) in (old, new)
                failing.stop()
                file.put_back("0", digest(old), new)
                file.forget("0")
            assert content_of(path) == old
            assert [one.name for one in tmp_path.iterdir()] == ([] if old is None else ["x.md"])
    assert first > 4


ROTATED = [
    (case, kind, exchange, ERRORS[number % 4])
    for number, (case, kind, exchange) in enumerate(product(CASES, ["apply", "revert"], [True, False]))
]


@pytest.mark.parametrize(("case", "kind", "exchange", "code"), ROTATED, ids=str)
def test_one_failing_call_is_undone_at_once(prepared, monkeypatch, case, kind, exchange, code):
    stage, number = prepared(False, kind, *CASES[case])
    if not exchange:
        monkeypatch.setattr(disk, "_rename_call", lambda: None)
    failing = Disk(monkeypatch)
    refused = 0
    while True:
        failing.fail(refused + 1, refused + 1, code)
        error = attempt(lambda: stage.run(kind, number))
        if error is None:
            break
        refused += 1
        assert isinstance(error, DiskFailed)
        assert os.strerror(code) in error.message
        assert stage.content(CASES[case][0]) == CASES[case][1 if kind == "apply" else 2]
        assert stage.open_operations() == []
        before(stage, number, case, kind)
    assert refused >= 2
    # The last call drops the replaced file: that this fails does not take back what happened, and is announced.
    (event,) = stage.events("file.leftover")
    stage.file(event.payload["left_at"]).unlink(missing_ok=True)
    after(stage, number, case, kind)


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "no-exchange"])
@pytest.mark.parametrize("kind", ["apply", "revert"])
@pytest.mark.parametrize("case", CASES)
def test_a_disk_that_stays_broken_is_undone_by_recovery(prepared, monkeypatch, case, kind, exchange):
    stage, number = prepared(False, kind, *CASES[case])
    if not exchange:
        monkeypatch.setattr(disk, "_rename_call", lambda: None)
    failing = Disk(monkeypatch)
    settled_later = 0
    for nth in range(1, MOST_CALLS):
        failing.fail(nth, 10_000, errno.EROFS)
        error = attempt(lambda: stage.run(kind, number))
        if error is None:
            break
        assert isinstance(error, DiskFailed)
        failing.stop()
        settled_later += len(stage.recover())
        before(stage, number, case, kind)
    assert settled_later >= 2
    assert stage.experiment(number).state == NEW_STATE[kind]


@pytest.mark.parametrize("kind", ["apply", "revert"])
@pytest.mark.parametrize("case", CASES)
def test_writes_of_one_byte_each_make_the_whole_file(prepared, monkeypatch, case, kind):
    stage, number = prepared(False, kind, *CASES[case])
    real = disk.write
    monkeypatch.setattr(disk, "write", lambda fd, content: real(fd, content[:1]))
    stage.run(kind, number)
    after(stage, number, case, kind)


@pytest.mark.parametrize("case", CASES)
def test_a_disk_that_fills_up_in_the_middle_of_a_write(prepared, monkeypatch, case):
    stage, number = prepared(False, "apply", *CASES[case])
    real, written = disk.write, []

    def full_after_ten(fd, content):
        if len(written) == 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(1)
        return real(fd, content[:1])

    monkeypatch.setattr(disk, "write", full_after_ten)
    with pytest.raises(DiskFailed, match="No space left"):
        stage.apply(number)
    before(stage, number, case, "apply")


FAILING_GIT = """#!/bin/sh
read count < {folder}/count; read first < {folder}/first; read last < {folder}/last
count=$((count + 1))
echo $count > {folder}/count
test $count -ge $first && test $count -le $last || exec {real} "$@"
test -e {folder}/late && {real} "$@" >/dev/null
echo "fatal: git broke" >&2
exit 128
"""


class Git:
    """A git on the PATH that fails from one call to another, before or (``late``) after doing its work."""

    def __init__(self, folder, monkeypatch):
        real = subprocess.run(["sh", "-c", "command -v git"], capture_output=True, text=True, check=True)
        folder.mkdir()
        (folder / "git").write_text(FAILING_GIT.format(real=real.stdout.strip(), folder=folder))
        (folder / "git").chmod(0o755)
        self.folder, self.monkeypatch, self.path = folder, monkeypatch, os.environ["PATH"]

    @contextmanager
    def failing(self, first, last, late=False):
        for name, value in {"count": 0, "first": first, "last": last}.items():
            (self.folder / name).write_text(f"{value}\n")
        if late:
            (self.folder / "late").touch()
        self.monkeypatch.setenv("PATH", f"{self.folder}{os.pathsep}{self.path}")
        yield
        self.monkeypatch.setenv("PATH", self.path)


WAYS = [(True, "apply", False), (True, "apply", True), (True, "revert", False), (False, "apply", True)]


@pytest.mark.parametrize(("own", "kind", "late"), WAYS, ids=str)
def test_each_git_command_may_fail(prepared, tmp_path, monkeypatch, own, kind, late):
    stage, number = prepared(own, kind)
    git = Git(tmp_path / "git", monkeypatch)
    for nth in range(1, 80):
        with git.failing(nth, nth, late):
            error = attempt(lambda: stage.run(kind, number))
        if error is None:
            break
        assert "git" in error.message
        before(stage, number, "edit", kind)
    assert nth > 8
    after(stage, number, "edit", kind)


def test_a_git_that_stays_broken_is_settled_by_recovery(prepared, tmp_path, monkeypatch):
    stage, number = prepared(True, "apply")
    git = Git(tmp_path / "git", monkeypatch)
    for nth in range(1, 80):
        with git.failing(nth, 10_000, late=True):
            attempt(lambda: stage.apply(number))
        stage.recover()
        if stage.experiment(number).state == "live":
            break
        before(stage, number, "edit", "apply")
    after(stage, number, "edit", "apply")


@contextmanager
def no_file_may_grow():
    """What a full disk is to SQLite: its log cannot take one more page."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Database:
    """The store, whose ``nth`` write transaction, or every one from it on, finds the disk full."""

    def __init__(self, stage, monkeypatch):
        self.writes, self.first, self.last = 0, 0, 0
        real = type(stage.context.store).write

        @contextmanager
        def write(store):
            self.writes += 1
            if not self.first <= self.writes <= self.last:
                with real(store) as tx:
                    yield tx
                return
            with no_file_may_grow(), real(store) as tx:
                yield tx

        monkeypatch.setattr(type(stage.context.store), "write", write)

    def fill(self, first, last):
        self.writes, self.first, self.last = 0, first, last


@pytest.mark.parametrize("stays", [False, True], ids=["once", "stays"])
@pytest.mark.parametrize(("own", "kind"), [(False, "apply"), (True, "revert")], ids=str)
def test_a_full_database_at_each_step(prepared, monkeypatch, own, kind, stays):
    stage, number = prepared(own, kind)
    full = Database(stage, monkeypatch)
    refused = 0
    for nth in range(1, 20):
        full.fill(nth, 10_000 if stays else nth)
        error = attempt(lambda: stage.run(kind, number))
        if error is None:
            break
        refused += 1
        assert isinstance(error, Unavailable)
        assert "ratchet.db" in error.message
        full.fill(0, 0)
        stage.recover()
        if stage.experiment(number).state == NEW_STATE[kind]:
            break
        before(stage, number, "edit", kind)
    full.fill(0, 0)
    stage.recover()
    assert refused >= 3
    after(stage, number, "edit", kind)
