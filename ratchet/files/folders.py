"""The way to the folder of a profile's file: opened part by part, so that no link on it is ever followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from ...errors import DiskFailed, PathRefused
from ..faults import Point, reached
from . import disk

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def walk(home: Path, relpath: PurePosixPath, *, create: bool = False) -> Iterator[int | None]:
    """The descriptor of the folder that holds ``relpath``; None when it does not exist and is not to be made.

    Raises PathRefused, DiskFailed.
    """
    try:
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise PathRefused(f"The profile's home {home} cannot be opened: {error.strerror}.") from error
    try:
        for part in relpath.parts[:-1]:
            if create:
                _make_folder(part, folder, relpath)
            inner = _enter(part, folder, relpath)
            if inner is None:
                yield None
                return
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def remove_empty_folders(home: Path, relpath: PurePosixPath) -> None:
    """Remove the folders on the way to ``relpath`` that hold nothing, except the outermost one."""
    with suppress(OSError, PathRefused):  # not empty, or no longer what it was: then it is not ours to remove
        for parent in list(relpath.parents)[:-2]:
            with walk(home, parent) as above:
                if above is not None:
                    disk.remove_folder(parent.name, above)


def _enter(part: str, folder: int, relpath: PurePosixPath) -> int | None:
    try:
        return os.open(part, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PathRefused(f"'{part}' on the way to {relpath} is a link or no folder: {error.strerror}.") from error


def _make_folder(part: str, folder: int, relpath: PurePosixPath) -> None:
    try:
        disk.make_folder(part, folder)
        disk.sync(folder)
    except FileExistsError:
        return
    except OSError as error:
        raise DiskFailed(f"The folder '{part}' of {relpath} could not be created: {error.strerror}.") from error
    reached(Point.FOLDER_MADE)
