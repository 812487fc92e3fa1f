"""The few system calls that change a profile's folder, in one place so that tests can make each of them fail.

Own code because Python does not offer the kernel's atomic exchange of two names (``renameat2`` on Linux,
``renameatx_np`` on macOS), and no kept library does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache

from ..faults import Point, reached

_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_LINUX = ("renameat2", 1, 2)
_MACOS = ("renameatx_np", 4, 2)


@cache
def _rename_call() -> tuple[Callable[..., int], int, int] | None:
    """The kernel's rename with flags: the function, its "no replace" flag and its "exchange" flag."""
    name, no_replace, exchange = _MACOS if sys.platform == "darwin" else _LINUX
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return function, no_replace, exchange


def _rename_with(flag: int, source: str, target: str, folder: int) -> bool:
    """True when done, False when this system or file system cannot do it. Raises OSError otherwise."""
    call = _rename_call()
    if call is None:
        return False
    if call[0](folder, os.fsencode(source), folder, os.fsencode(target), flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), target)


def exchange(one: str, other: str, folder: int) -> bool:
    """Swap two names in one folder atomically; False when the file system cannot."""
    call = _rename_call()
    return call is not None and _rename_with(call[2], one, other, folder)


def rename_new(source: str, target: str, folder: int) -> None:
    """Rename to a name that must be free. Raises FileExistsError when it is not."""
    call = _rename_call()
    if call is not None and _rename_with(call[1], source, target, folder):
        return
    link(source, target, folder)
    reached(Point.LINKED)
    unlink(source, folder)


def rename_over(source: str, target: str, folder: int) -> None:
    """Rename, replacing ``target``."""
    os.rename(source, target, src_dir_fd=folder, dst_dir_fd=folder)


def link(source: str, target: str, folder: int) -> None:
    """A second name for the same file."""
    os.link(source, target, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)


def unlink(name: str, folder: int) -> None:
    """Remove a name."""
    os.unlink(name, dir_fd=folder)


def create(name: str, folder: int) -> int:
    """A new file opened for writing, private until its mode is set. Raises FileExistsError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o600, dir_fd=folder)


def write(fd: int, content: bytes | memoryview) -> int:
    """One write; may be short."""
    return os.write(fd, content)


def sync(fd: int) -> None:
    """Force a file or folder to the disk."""
    os.fsync(fd)


def set_owner_and_mode(fd: int, mode: int, owner: tuple[int, int] | None) -> None:
    """Give the new file the old one's mode bits and owner."""
    if owner is not None and owner != (os.fstat(fd).st_uid, os.fstat(fd).st_gid):
        os.fchown(fd, *owner)
    os.fchmod(fd, mode)


def make_folder(name: str, folder: int) -> None:
    """A new sub-folder."""
    os.mkdir(name, 0o755, dir_fd=folder)


def remove_folder(name: str, folder: int) -> None:
    """Remove an empty sub-folder."""
    os.rmdir(name, dir_fd=folder)
