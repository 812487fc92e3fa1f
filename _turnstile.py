"""One writer at a time, in turn, across threads and processes; and a note beside the database of how far it got."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

_STAY_S = 0.004
_WATCH_S = 0.002
"""Waking a thread that waits in the system's queue takes about as long as a small transaction; looking does not."""
_ANCHOR = b"%20d %20d %-64s\n"  # writes, id and hash of the newest transition; fixed width, overwritten in place
_ANCHOR_BYTES = len(_ANCHOR % (0, 0, b""))
_ANCHORED = re.compile(rb" *(\d+) +(\d+) ([0-9a-f]{64}| {64})\n")


@dataclass(frozen=True)
class AuditHead:
    """The newest link of the audit chain; id 0 and an empty hash before the first one."""

    id: int
    hash: str


@dataclass(frozen=True)
class Anchor:
    """What the database was last seen to hold, remembered outside of it: the number of writes and the audit head."""

    writes: int = 0
    head: AuditHead = AuditHead(0, "")


class Turnstile:
    """Lets one writer through at a time, nearly in the order they came, and remembers outside what was committed.

    SQLite's own waiting starves some of eight writers for over a second, and one file lock tends to go back to who
    held it last. With two, whoever holds the queue is next at the lock. Only who comes back at once may pass the queue
    for a moment: a change of process costs as much as a small transaction. The system frees both when a process dies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stays_until = 0.0
        self._open()
        _turnstiles.add(self)

    def enter(self, patience_s: float) -> bool:
        """Wait for our turn; False when it did not come in time, e.g. because the one inside was stopped."""
        entered = False
        try:
            while self._still_in() or self._queue_up(patience_s):
                entered = os.fstat(self._lock.fileno()).st_nlink > 0
                if entered:
                    break
                self._reopen()  # the file was deleted, as one does to forget the anchor: go on with the new one
        finally:
            if not entered:
                self._reopen()  # a waiter that gets the lock later must not keep it
        return entered

    def leave(self) -> None:
        """Let the next one in."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def anchor(self) -> Anchor:
        """What was remembered; nothing for a new database, or after somebody deleted the file."""
        try:
            fd = _open_plain(f"{self._path}.lock", os.O_RDONLY)
        except FileNotFoundError:
            return Anchor()
        with FileIO(fd) as file:
            return _parse_anchor(file.read(_ANCHOR_BYTES))

    def drop_anchor(self, writes: int, head: AuditHead | None) -> None:
        """Remember a commit; the caller is inside. An anchor that cannot be written stays at an earlier commit."""
        with suppress(OSError):
            reached = head or _parse_anchor(os.pread(self._lock.fileno(), _ANCHOR_BYTES, 0)).head
            os.pwrite(self._lock.fileno(), _ANCHOR % (writes, reached.id, reached.hash.encode("ascii")), 0)

    def close(self) -> None:
        """Give up both locks, and whatever is waiting for them."""
        for file in (self._queue, self._lock):
            file.close()
        for waiter in self._waiters.values():
            waiter.end()

    def _open(self) -> None:
        self._queue = FileIO(f"{self._path}.queue", "r+", opener=open_lock)
        self._lock = FileIO(f"{self._path}.lock", "r+", opener=open_lock)
        self._waiters: dict[FileIO, _Waiter] = {}

    def _reopen(self) -> None:
        self.close()
        self._open()

    def _still_in(self) -> bool:
        return time.monotonic() < self._stays_until and _is_free(self._lock)

    def _queue_up(self, patience_s: float) -> bool:
        gives_up = time.monotonic() + patience_s
        taken = self._take(self._queue, gives_up) and (self._watch() or self._take(self._lock, gives_up))
        if taken:
            fcntl.flock(self._queue, fcntl.LOCK_UN)
            self._stays_until = time.monotonic() + _STAY_S
        return taken

    def _watch(self) -> bool:
        """Whether the lock came free within a moment; only the first of the queue looks, so one processor at most."""
        until = time.monotonic() + _WATCH_S
        while not _is_free(self._lock):
            if time.monotonic() > until:
                return False
            os.sched_yield()
        return True

    def _take(self, file: FileIO, gives_up: float) -> bool:
        if _is_free(file):
            return True
        if file not in self._waiters:
            self._waiters[file] = waiter = _Waiter(file)
            weakref.finalize(self, waiter.end)
        return self._waiters[file].wait(max(0.0, gives_up - time.monotonic()))


class _Waiter:
    """A thread that waits in the system's own queue, which knows no time limit, so that its owner can have one.

    Asking again and again instead would keep the processors busy and the lock idle between two askings.
    """

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._asked, self._taken = threading.Lock(), threading.Lock()
        self._asked.acquire()
        self._taken.acquire()
        threading.Thread(target=self._serve, name="ratchet-turnstile", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Whether it was taken in that time. If not, :meth:`end` it: it goes on waiting."""
        self._asked.release()
        return self._taken.acquire(timeout=seconds)

    def end(self) -> None:
        """Close the file, which frees the lock even if it is taken later, and end the thread."""
        self._file.close()
        with suppress(RuntimeError):  # it was asked already
            self._asked.release()

    def _serve(self) -> None:
        with suppress(ValueError, OSError):  # the file was closed
            while self._asked.acquire():
                fcntl.flock(self._file, fcntl.LOCK_EX)
                self._taken.release()


_turnstiles: weakref.WeakSet[Turnstile] = weakref.WeakSet()


def _let_go() -> None:
    """In a forked child: a lock its parent holds must not live on in the child."""
    for turnstile in list(_turnstiles):
        turnstile.close()


os.register_at_fork(after_in_child=_let_go)


def open_lock(path: str | Path, flags: int) -> int:
    """Open a lock file, made when absent: for its owner alone, or for the group that may write in its folder.

    So an operator who opens our data folder to a second user (docs/serve.md) need not see to each new file. Raises
    OSError, also for a pipe or a device in its place: reading that would wait for ever.
    """
    fd = _open_plain(path, flags | os.O_CREAT)
    facts = os.fstat(fd)
    if facts.st_uid == os.geteuid() and not facts.st_mode & 0o020 and os.stat(Path(path).parent).st_mode & 0o020:
        os.fchmod(fd, 0o660)
    return fd


def _open_plain(path: str | Path, flags: int) -> int:
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    return fd


def _is_free(file: FileIO) -> bool:
    """Whether the lock could be taken without waiting; then it is."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _parse_anchor(content: bytes) -> Anchor:
    found = _ANCHORED.match(content)
    return Anchor(int(found[1]), AuditHead(int(found[2]), found[3].decode("ascii").strip())) if found else Anchor()
