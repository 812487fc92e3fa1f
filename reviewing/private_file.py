"""Files that only their owner may see: made exclusively with mode 0600, and not read when they are anything else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import Conflict, DiskFailed
from .refusals import KeyUnusable


def write_new(path: Path, content: bytes) -> None:
    """Write a file that was not there, safe on disk when this returns. Raises Conflict, DiskFailed."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Conflict(f"{path} is there already. Move it away first, or take another name.") from None
    except OSError as error:
        raise DiskFailed(f"{path} cannot be written: {error}.") from error
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, 0o600)  # whatever the umask took away
            file.write(content)
            file.flush()
            os.fsync(fd)
        _sync_folder(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise DiskFailed(f"{path} cannot be written: {error}.") from error


def read(path: Path, longest: int) -> bytes:
    """The content, or one byte more than ``longest`` of a file that is too long.

    Raises KeyUnusable for a link, a device, a file of somebody else's, or one that others can read or write.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise KeyUnusable(f"The key file {path} cannot be opened: {error.strerror}.") from None
    try:
        _check_private(path, os.fstat(fd))
        return os.read(fd, longest + 1)
    finally:
        os.close(fd)


def _check_private(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
        raise KeyUnusable(f"{path} is not a plain file of yours. Put the key file itself there.")
    if facts.st_mode & 0o077:
        raise KeyUnusable(
            f"Others can read or write {path}: its contents cannot be trusted to be secret. If nobody did, run: "
            f"chmod 600 {path}; else rotate the key."
        )


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
