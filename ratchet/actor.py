"""Who does something: the label they gave, and the principal that was really authenticated."""

from __future__ import annotations

import getpass
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """``name`` is only a label; ``principal`` says how we know, e.g. ``os:alice``, ``daemon``, ``dashboard``."""

    name: str
    principal: str


DAEMON = Actor("daemon", "daemon")


def terminal_actor(name: str | None = None) -> Actor:
    """The operating-system user of this process, under an optional label."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without an entry in the user database
        user = "unknown"
    return Actor(name or user, f"os:{user}")
