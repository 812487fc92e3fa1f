"""The server's token: made once, kept in a file that only its own operating-system user can read."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from ..errors import BadInput, Forbidden
from ..reviewing.private_file import write_new
from ..settings import PLUGIN

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,128}")


def default_path() -> Path:
    """``server-token`` in this user's configuration folder (``XDG_CONFIG_HOME``, else ``~/.config``)."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return folder / PLUGIN / "server-token"


def ensured(path: Path) -> str:
    """The token in the file, which is made with mode 0600 when absent.

    Raises Forbidden when others may have read it, BadInput when it holds something else, Conflict, DiskFailed.
    """
    if not os.path.lexists(path):
        write_new(path, f"{secrets.token_urlsafe(32)}\n".encode())
    found = _TOKEN.fullmatch(_read(path).decode("ascii", "replace").strip())
    if found is None:
        raise BadInput(f"{path} holds no token of this server. Delete it; the next start makes another.")
    return found[0]


def _read(path: Path) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Forbidden(f"{path} cannot be read by this user ({error.strerror}). Name another: --token-file") from None
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            raise Forbidden(f"{path} is not a plain file of this user's. Name another: --token-file")
        if facts.st_mode & 0o077:
            raise Forbidden(f"Others may have read {path}. Delete it; the next start makes another.")
        return os.read(fd, 1024)
    finally:
        os.close(fd)
