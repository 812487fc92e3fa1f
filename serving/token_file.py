"""The server's token: made once, kept in a file that only its own operating-system user can read."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from ..errors import BadInput, Forbidden
from ..reviewing.private_file import write_new

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,128}")


def ensured(path: Path) -> str:
    """The token in the file, which is made with mode 0600 when absent.

    Raises Forbidden when others may have read it, BadInput when it holds something else, Conflict, DiskFailed.
    """
    if not os.path.lexists(path):
        write_new(path, f"{secrets.token_urlsafe(32)}\n".encode())
    content, mode = _read(path)
    found = _TOKEN.fullmatch(content.decode("ascii", "replace").strip())
    if found is None:
        raise BadInput(f"{path} holds no token of this server. Name another file: --token-file")
    if mode & 0o077:
        raise Forbidden(f"Others may have read {path}. Delete it; the next start makes another.")
    return found[0]


def _read(path: Path) -> tuple[bytes, int]:
    """The start of the file, and its mode. What it holds comes first: nobody must be told to delete another's file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Forbidden(f"{path} cannot be read by this user ({error.strerror}). Name another: --token-file") from None
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            raise Forbidden(f"{path} is not a plain file of this user's. Name another: --token-file")
        return os.read(fd, 1024), facts.st_mode
    finally:
        os.close(fd)
