"""Reads what is new in a profile's ``agent.log`` and its rotated predecessors, every record exactly once.

``errors.log`` repeats records of ``agent.log`` and is never opened. How far a file was read is remembered with its
inode and its first bytes: the host rotates by renaming, other programs copy and truncate, and a file system gives the
inode of a deleted file to the next one.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import Unavailable
from .log_records import LogCounts, LogTally

_NAME = re.compile(r"agent\.log(?:\.(\d{1,3}))?")
_CHUNK = 128 * 1024
_LINE_START = 4096
_HEAD = 256
_KEPT_OF_GONE = 16


class LogUnavailable(Unavailable):
    """A profile's ``agent.log`` is there and cannot be read."""

    code = "log_unavailable"


@dataclass(frozen=True)
class Cursor:
    """One file was read up to ``offset`` bytes; ``head`` is a fingerprint of its first bytes."""

    inode: int
    offset: int
    head: str


@dataclass(frozen=True)
class LogScan:
    """What was new. ``counts`` is None when there is no log at all: that nothing was written proves nothing.

    ``cursors`` are for the next scan. ``from_offset`` and ``to_offset`` are where this scan began and ended in today's
    ``agent.log``, None without one; ``bytes_read`` adds up all files.
    """

    counts: LogCounts | None
    cursors: tuple[Cursor, ...]
    from_offset: int | None
    to_offset: int | None
    bytes_read: int


@dataclass(frozen=True)
class _Log:
    """``agent.log`` itself, number 0, or the predecessor of that number."""

    number: int
    path: Path
    inode: int


@dataclass(frozen=True)
class _Reading:
    """One file was read from ``start`` to ``end``."""

    number: int
    start: int
    end: int


def scan(logs: Path, cursors: Sequence[Cursor] = ()) -> LogScan:
    """Count the records in the folder ``logs`` since the scan that gave ``cursors``; without any, all of them.

    A last line without its end is left for the next scan. Memory does not grow with the files. Raises LogUnavailable,
    and then nothing is lost: the next scan with the same ``cursors`` finds it.
    """
    try:
        files, memory, tally = _present(logs), _Memory(cursors), LogTally()
        readings = _read_all(files, memory, tally)
    except OSError as error:
        raise LogUnavailable(
            f"The log in {logs} cannot be read ({error}). Make it readable for this user, then try again."
        ) from error
    today = next((reading for reading in readings if reading.number == 0), None)
    return LogScan(
        counts=tally.counts() if readings else None,
        cursors=tuple(memory.cursors[: len(files) + _KEPT_OF_GONE]),
        from_offset=today.start if today else None,
        to_offset=today.end if today else None,
        bytes_read=sum(reading.end - reading.start for reading in readings),
    )


# --- the files


def _present(logs: Path) -> list[_Log]:
    """What bears the name of the log or of a predecessor, newest first."""
    try:
        names = os.listdir(logs)
    except FileNotFoundError:
        return []
    found = []
    for match in filter(None, map(_NAME.fullmatch, names)):
        path = logs / match[0]
        try:
            found.append(_Log(int(match[1] or 0), path, path.stat().st_ino))
        except FileNotFoundError:  # renamed since the folder was listed: met under its next name, or next time
            continue
    return sorted(found, key=lambda log: log.number)


def _open(path: Path) -> io.FileIO | None:
    """The file, unbuffered; None when it has gone. A pipe or a folder is no log, and is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return io.FileIO(descriptor, "rb")
    os.close(descriptor)
    return None


class _Memory:
    """How far each file was read, the last one read first."""

    def __init__(self, cursors: Sequence[Cursor]) -> None:
        self.cursors = list(cursors)

    def find(self, inode: int, head: bytes, behind: Collection[int]) -> Cursor | None:
        """The cursor of this file, or of the one it is a copy of.

        A copy stands behind its original, which may have been emptied since. With the original behind it (its inode
        among ``behind``), a file that begins alike is a new one.
        """
        alike = [cursor for cursor in self.cursors if cursor.head == _fingerprint(head, cursor.offset)]
        own = [cursor for cursor in alike if cursor.inode == inode]
        return next(iter(own + [cursor for cursor in alike if cursor.inode not in behind]), None)

    def keep(self, cursor: Cursor, instead_of: Cursor | None) -> None:
        same_file = instead_of if instead_of and instead_of.inode == cursor.inode else None
        self.cursors = [cursor, *(other for other in self.cursors if other is not same_file)]


def _fingerprint(head: bytes, offset: int) -> str:
    """Of the first bytes of a file that was read up to ``offset``: what comes later may still be rewritten."""
    return hashlib.sha256(head[:offset]).hexdigest()[:16]


def _read_all(files: Sequence[_Log], memory: _Memory, tally: LogTally) -> list[_Reading]:
    behind = [{older.inode for older in files[place + 1 :]} for place in range(len(files))]
    readings = [_read(log, inodes, memory, tally) for log, inodes in zip(files, behind, strict=True)]
    return [reading for reading in readings if reading]


def _read(log: _Log, behind: Collection[int], memory: _Memory, tally: LogTally) -> _Reading | None:
    """Count what is new in one file, and remember it. None when the file has gone."""
    file = _open(log.path)
    if file is None:
        return None
    with file:
        state, head = os.fstat(file.fileno()), os.pread(file.fileno(), _HEAD, 0)
        known = memory.find(state.st_ino, head, behind)
        start = min(known.offset, state.st_size) if known else 0
        end = _count_lines(file, start, tally, last=log.number > 0)
        grown = os.pread(file.fileno(), _HEAD, 0)
    if grown.startswith(head):  # the fingerprint must cover what was written, and counted, since the first look
        head = grown
    # A copy may still be growing: what was read of its original counts for it as well.
    reached = end if known is None or known.inode == state.st_ino else max(end, known.offset)
    if reached:
        memory.keep(Cursor(state.st_ino, reached, _fingerprint(head, reached)), known)
    return _Reading(log.number, start, end)


def _count_lines(file: io.FileIO, start: int, tally: LogTally, *, last: bool) -> int:
    """Count the whole lines from ``start`` on. Returns where the last of them ends.

    ``last`` says that nobody writes to the file any more: a record in its last line counts even without a line feed.
    """
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    held, position, end = 0, max(start - 1, 0), start
    if start:
        file.seek(position)  # the byte before tells whether a line starts here
    else:
        buffer[:1], held = b"\n", 1
    while got := file.readinto(view[held:]):
        position += got
        filled = held + got
        cut = max(buffer.rfind(b"\n", 0, filled), 0)
        if cut:
            tally.add(buffer, cut + 1)
            end = position - (filled - cut - 1)
        held = filled - cut
        buffer[:held] = buffer[cut:filled]
        if held == _CHUNK:  # of a line that long its beginning says it all
            held = _LINE_START
    return position if last and tally.add(buffer, held) else end
