"""Finds the guarded files of a profile by their names and file facts alone; nothing is opened that is not a folder.

Links are never followed, but each one met on the way is listed: one that appears where a file was is a change too.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ..ratchet.blobs import digest
from .scope import Scope

MAX_FILES = 5_000
_MAX_ENTRIES = 20_000
_MAX_DEPTH = 12
_HOME = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = _HOME | os.O_NOFOLLOW
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


class Kind(StrEnum):
    """What stands under a guarded name."""

    FILE = "file"
    ABSENT = "absent"
    LINK = "link"
    HARD_LINK = "hard_link"  # a second name of a file that may lie anywhere
    OVERSIZE = "oversize"
    OTHER = "other"  # a device, a socket, a folder under a file's name
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Found:
    """One name and what the file system says about it.

    ``stat`` differs whenever the content may; it is empty when nothing is there. ``changed_ns`` is when the entry was
    last changed, in nanoseconds of the system's clock; unlike the modification time nobody sets it by hand. ``mark``
    tells two versions apart where the content is not read; None for a file.
    """

    relpath: str
    kind: Kind
    stat: str = ""
    changed_ns: int = 0
    size: int = 0
    mark: str | None = None


@dataclass
class Listing:
    """The guarded names of a profile; ``limited`` when there are more than are watched."""

    scope: Scope
    found: dict[str, Found] = field(default_factory=dict)
    entries: int = 0
    limited: bool = False

    def add(self, one: Found) -> None:
        if len(self.found) < MAX_FILES:
            self.found[one.relpath] = one
        else:
            self.limited = True


def list_guarded(home: Path, scope: Scope) -> Listing:
    """Everything that stands under a guarded name in the profile at ``home``. Raises OSError when home is gone."""
    listing = Listing(scope)
    with _opened(str(home), _HOME) as folder:
        _look_in("", folder, listing)
    return listing


def find(home: Path, relpath: str, scope: Scope) -> Found | None:
    """What stands at one guarded path; None when that cannot be told. Raises OSError when home is gone."""
    with _opened(str(home), _HOME) as folder:
        try:
            return _find(relpath, relpath.split("/"), folder, scope)
        except OSError as error:
            return Found(relpath, Kind.ABSENT) if error.errno in _NOTHING_THERE else None


def _find(relpath: str, parts: list[str], folder: int, scope: Scope) -> Found:
    if len(parts) == 1:
        facts = os.stat(parts[0], dir_fd=folder, follow_symlinks=False)
        return _judged(relpath, facts, folder, scope)
    with _opened(parts[0], _FOLDER, folder) as inner:
        return _find(relpath, parts[1:], inner, scope)


def _look_in(path: str, folder: int, listing: Listing) -> None:
    names, inside = listing.scope.names_in(path), f"{path}/" if path else ""
    for name in sorted(os.listdir(folder)) if names is None else names:
        if listing.entries >= _MAX_ENTRIES or inside.count("/") >= _MAX_DEPTH:
            listing.limited = True
            return
        listing.entries += 1
        try:
            _consider(inside + name, name, folder, listing)
        except OSError as error:
            if error.errno not in _NOTHING_THERE:
                listing.add(Found(inside + name, Kind.UNREADABLE, mark=digest(f"{error.errno}".encode())))


def _consider(path: str, name: str, folder: int, listing: Listing) -> None:
    facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(facts.st_mode):
        if listing.scope.enters(path):
            with _opened(name, _FOLDER, folder) as inner:
                _look_in(path, inner, listing)
    elif listing.scope.holds(path) or (stat.S_ISLNK(facts.st_mode) and listing.scope.enters(path)):
        listing.add(_judged(path, facts, folder, listing.scope))


def _judged(path: str, facts: os.stat_result, folder: int, scope: Scope) -> Found:
    kind, mark = _kind(facts, scope.limits.max_file_bytes), None
    told = f"{facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_size} {facts.st_dev} {facts.st_ino} {facts.st_mode}"
    if kind is Kind.LINK:
        mark = digest(os.fsencode(os.readlink(path.rpartition("/")[2], dir_fd=folder)))
    elif kind is Kind.OTHER:
        mark = digest(f"{stat.S_IFMT(facts.st_mode)}".encode())  # a folder's times change with what lies in it
    elif kind is not Kind.FILE:
        mark = digest(told.encode())
    return Found(path, kind, told, max(facts.st_ctime_ns, 0), facts.st_size, mark)


def _kind(facts: os.stat_result, max_bytes: int) -> Kind:
    if stat.S_ISLNK(facts.st_mode):
        return Kind.LINK
    if not stat.S_ISREG(facts.st_mode):
        return Kind.OTHER
    if facts.st_nlink > 1:
        return Kind.HARD_LINK
    return Kind.OVERSIZE if facts.st_size > max_bytes else Kind.FILE


@contextmanager
def _opened(name: str, flags: int, above: int | None = None) -> Iterator[int]:
    folder = os.open(name, flags, dir_fd=above)
    try:
        yield folder
    finally:
        os.close(folder)
