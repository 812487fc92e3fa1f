"""Notices a daemon that died without a word: a dead one cannot say so itself, so everybody else asks here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from .. import clock
from ..ratchet import events, lease
from ..ratchet.context import Context
from ..ratchet.lease import Lease

if TYPE_CHECKING:
    from sqlalchemy import Connection

KIND = "daemon.dead"


def note_dead_daemon(context: Context, *, silent_s: float | None = None, me: str | None = None) -> bool:
    """Write an event, once, when the last daemon went silent for ``silent_s`` without saying goodbye.

    ``silent_s`` defaults to ``daemon.heard_within_s``; ``me`` is the caller's own name as a daemon, which only slept.
    Returns whether this call noticed it. Raises StoreUnavailable.
    """
    limit = context.settings.daemon.heard_within_s if silent_s is None else silent_s
    with context.store.read() as tx:
        if _unnoticed(tx, limit, me) is None:
            return False
    with context.store.write() as tx:
        dead = _unnoticed(tx, limit, me)
        if dead is not None:
            events.emit(tx, KIND, pid=dead.pid, hostname=dead.hostname, heartbeat_at=dead.heartbeat_at)
        return dead is not None


def _unnoticed(tx: Connection, silent_s: float, me: str | None) -> Lease | None:
    held = lease.current(tx)
    if held is None or held.released_at is not None or held.owner == me:
        return None
    if clock.parse(held.heartbeat_at) > clock.now() - timedelta(seconds=silent_s):
        return None
    noticed = events.latest(tx, KIND, limit=1)
    return None if noticed and noticed[0].payload.get("heartbeat_at") == held.heartbeat_at else held
