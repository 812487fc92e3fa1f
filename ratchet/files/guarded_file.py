"""One file of a profile, read and replaced byte for byte, never through a link and never over a person's edit.

A replacement swaps two names atomically and then looks at what came out: when that is not what was expected, somebody
saved in between, and their bytes are put back.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...errors import DiskFailed, FileDrifted, PathRefused
from ..blobs import digest
from ..faults import Point, reached
from . import disk
from .folders import walk

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_FILE = {errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.ENAMETOOLONG, errno.ENOTSUP, errno.EOPNOTSUPP}
_DEFAULT_MODE = 0o644


@dataclass(frozen=True)
class FileVersion:
    """What stands under a name: its bytes, mode bits and owner; all None when nothing does."""

    content: bytes | None = None
    mode: int | None = None
    owner: tuple[int, int] | None = None

    @property
    def sha256(self) -> str | None:
        return digest(self.content)


ABSENT = FileVersion()
NOT_PLAIN = FileVersion(b"\0not a plain file")
"""Stands for a link, a device, a folder, an oversize file: something that is never ours."""


class GuardedFile:
    """A file below a profile's home, held by its folder's descriptor; use :func:`open_guarded`."""

    def __init__(self, home: Path, relpath: PurePosixPath, folder: int, max_bytes: int) -> None:
        self._home = home
        self._relpath = relpath
        self._folder = folder
        self._max_bytes = max_bytes
        self._name = relpath.name

    def read(self) -> FileVersion:
        """What stands under the name now. Raises PathRefused for links, devices, oversize files; DiskFailed."""
        return _read(self._name, self._folder, self._relpath, self._max_bytes)

    def is_version(self, sha256: str | None) -> bool:
        """Whether exactly this version (None: absence) stands under the name. Raises DiskFailed."""
        return self._seen(self._name).sha256 == sha256

    def replace(self, expected: str | None, content: bytes | None, mode: int | None, token: str) -> None:
        """Put ``content`` (None: absence) in place of the version whose SHA-256 is ``expected`` (None: absence).

        The replaced file stays under a temporary name until :meth:`forget`. Raises FileDrifted when the file is not,
        or at the last moment was not, the expected version; PathRefused; DiskFailed. Whatever it raises, the caller
        must call :meth:`put_back`, which knows how far it got.
        """
        temporary = temporary_name(token)
        before = self.read()
        if before.sha256 != expected:
            raise self._drifted()
        try:
            if content is not None:
                self._write_temporary(temporary, content, before.mode if mode is None else mode, before.owner)
            self._check_folder()
            self._exchange(temporary, expected, content)
        except (FileExistsError, FileNotFoundError):  # somebody else made or removed it just now
            raise self._drifted() from None
        except OSError as error:
            raise self._failed(error) from error
        reached(Point.SWAPPED)
        if self._seen(temporary).sha256 != expected:
            raise self._drifted()
        self._check_folder()
        reached(Point.CHECKED)

    def put_back(self, token: str, expected: str | None, ours: bytes | None) -> None:
        """Undo :meth:`replace` of ``expected`` by ``ours``, however far it got; repeated, it does nothing more.

        A version under the name that is not ours is a person's newer save and stays. Raises DiskFailed.
        """
        temporary = temporary_name(token)
        try:
            self._settle_links(temporary)
            aside = self._seen(temporary).content
            was_swapped = aside != ours and (aside is not None or expected is None)
            if was_swapped and self._seen(self._name).content == ours:
                self._swap_back(temporary, ours)
            disk.sync(self._folder)
        except OSError as error:
            raise self._failed(error) from error
        reached(Point.PUT_BACK)

    def stray(self, token: str, expected: str | None, ours: bytes | None) -> FileVersion | None:
        """What somebody else wrote into the file an operation holds under its temporary name; None: nothing.

        Raises DiskFailed.
        """
        aside = self._seen(temporary_name(token))
        is_known = aside.sha256 in (None, expected) or _is_start_of(aside.content, ours)
        return None if is_known else aside

    def forget(self, token: str) -> None:
        """Drop what the operation holds under its temporary name. Raises DiskFailed."""
        try:
            disk.unlink(temporary_name(token), self._folder)
            disk.sync(self._folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._failed(error) from error

    def _seen(self, name: str) -> FileVersion:
        try:
            return _read(name, self._folder, self._relpath, self._max_bytes)
        except PathRefused:
            return NOT_PLAIN

    def _drifted(self) -> FileDrifted:
        return FileDrifted(
            f"{self._relpath} is not the version this step starts from: somebody edited it. Their edit was kept; "
            "look at it and propose again."
        )

    def _failed(self, error: OSError) -> DiskFailed:
        return DiskFailed(
            f"{self._relpath} could not be written ({error.strerror}). What was begun is undone, at the latest by the "
            "next step on this profile. Free or repair the disk, then try again."
        )

    def _check_folder(self) -> None:
        """The folder we hold must still be the one under the profile: it may have been moved or linked meanwhile."""
        with walk(self._home, self._relpath) as folder:
            if folder is None or not os.path.samestat(os.fstat(folder), os.fstat(self._folder)):
                raise PathRefused(f"The folder of {self._relpath} was replaced while it was being written. Try again.")

    def _write_temporary(self, temporary: str, content: bytes, mode: int | None, owner: tuple[int, int] | None) -> None:
        fd = disk.create(temporary, self._folder)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[disk.write(fd, rest) :]
                reached(Point.TEMP_PARTLY_WRITTEN)
            disk.set_owner_and_mode(fd, _DEFAULT_MODE if mode is None else mode, owner)
            disk.sync(fd)
        finally:
            os.close(fd)
        reached(Point.TEMP_WRITTEN)

    def _exchange(self, temporary: str, expected: str | None, content: bytes | None) -> None:
        if content is None:
            disk.rename_new(self._name, temporary, self._folder)
        elif expected is None:
            disk.rename_new(temporary, self._name, self._folder)
        else:
            self._swap_files(temporary)
        disk.sync(self._folder)

    def _swap_files(self, temporary: str) -> None:
        """Swap the two names; where the file system cannot, keep the replaced file by a hard link.

        Without an atomic exchange a save by rename that falls between the link and our rename would be lost; the
        system offers nothing against that.
        """
        if disk.exchange(temporary, self._name, self._folder):
            return
        kept = _link_name(temporary)
        disk.link(self._name, kept, self._folder)
        reached(Point.LINKED)
        disk.rename_over(temporary, self._name, self._folder)
        reached(Point.RENAMED)
        disk.rename_over(kept, temporary, self._folder)

    def _settle_links(self, temporary: str) -> None:
        """After a kill between two steps of a swap that needed hard links: one name for each file again."""
        kept = _link_name(temporary)
        linked, aside, current = (self._identity(name) for name in (kept, temporary, self._name))
        if linked and aside:
            disk.unlink(kept, self._folder)
        elif linked:
            disk.rename_over(kept, temporary, self._folder)
        elif aside and aside == current:
            disk.unlink(temporary, self._folder)

    def _swap_back(self, temporary: str, ours: bytes | None) -> None:
        for _ in range(2):  # a second time when somebody saved in the very moment in which we took ours away
            if self._identity(temporary) is None:
                disk.rename_new(self._name, temporary, self._folder)
            elif self._identity(self._name) is None:
                disk.rename_new(temporary, self._name, self._folder)
            else:
                self._swap_files(temporary)
            if self._seen(temporary).content == ours:
                return

    def _identity(self, name: str) -> tuple[int, int] | None:
        try:
            facts = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return facts.st_dev, facts.st_ino


def temporary_name(token: str) -> str:
    """Under which name an operation keeps the other version of the file while it is under way."""
    return f".ratchet-{token}"


def _link_name(temporary: str) -> str:
    return f"{temporary}.old"


def _is_start_of(content: bytes | None, whole: bytes | None) -> bool:
    """Whether ``content`` is a partly written ``whole``."""
    return content is not None and whole is not None and whole.startswith(content)


@contextmanager
def open_guarded(home: Path, relpath: PurePosixPath, max_bytes: int) -> Iterator[GuardedFile]:
    """The file at a checked ``relpath`` below ``home``; folders that are missing on the way are made.

    Every folder on the way is opened without following links. Raises PathRefused, DiskFailed.
    """
    with walk(home, relpath, create=True) as folder:
        if folder is None:
            raise DiskFailed(f"The folder of {relpath} was removed while it was being opened. Try again.")
        yield GuardedFile(home, relpath, folder, max_bytes)


def read_file(home: Path, relpath: PurePosixPath, max_bytes: int) -> FileVersion:
    """What stands at a checked ``relpath``. Raises PathRefused, DiskFailed."""
    with walk(home, relpath) as folder:
        return ABSENT if folder is None else _read(relpath.name, folder, relpath, max_bytes)


def _read(name: str, folder: int, relpath: PurePosixPath, max_bytes: int) -> FileVersion:
    try:
        fd = os.open(name, _FILE, dir_fd=folder)
    except FileNotFoundError:
        return ABSENT
    except OSError as error:
        if error.errno in _NO_FILE:
            raise PathRefused(f"{relpath} is a link or no regular file: {error.strerror}.") from error
        raise DiskFailed(f"{relpath} cannot be opened: {error.strerror}. Repair that, then try again.") from error
    try:
        facts = os.fstat(fd)
        _check_plain(facts, relpath)
        with open(fd, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise DiskFailed(f"{relpath} cannot be read: {error.strerror}. Repair the disk, then try again.") from error
    finally:
        os.close(fd)
    if len(content) > max_bytes:
        raise PathRefused(f"{relpath} is larger than {max_bytes} bytes.")
    return FileVersion(content, stat.S_IMODE(facts.st_mode), (facts.st_uid, facts.st_gid))


def _check_plain(facts: os.stat_result, relpath: PurePosixPath) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise PathRefused(f"{relpath} is not a regular file.")
    if facts.st_nlink > 1:
        raise PathRefused(f"{relpath} has {facts.st_nlink} hard links; a change would reach the others too.")
