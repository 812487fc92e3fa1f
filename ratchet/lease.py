"""The daemon's lease: one daemon per machine works, a second one waits, and everybody can see whether one is alive."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from .. import clock, schema
from .._db import fetch
from ..errors import NobodyWatching
from . import events
from .context import Context

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NAME = "daemon"


@dataclass(frozen=True)
class Lease:
    """Who holds the daemon's place, and when they were last heard of."""

    owner: str
    pid: int
    hostname: str
    acquired_at: str
    heartbeat_at: str
    released_at: str | None


def new_owner() -> str:
    """A name no other process has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def current(tx: Connection) -> Lease | None:
    """The newest lease, alive or not; None when there never was a daemon."""
    found = fetch(tx, Lease, schema.leases, "WHERE name = ?", _NAME)
    return found[0] if found else None


def acquire(context: Context, owner: str) -> Lease:
    """Take the place, or keep it. Returns the lease as it is then: it is ours when its owner is ``owner``."""
    with context.store.write() as tx:
        held = current(tx)
        if held and held.owner != owner and _is_alive(held, context.settings.daemon.lease_s):
            return held
        moment = clock.stamp()
        started = held.acquired_at if held and held.owner == owner else moment
        taken = Lease(owner, os.getpid(), socket.gethostname(), started, moment, None)
        tx.exec_driver_sql(
            "INSERT INTO leases (name, owner, pid, hostname, acquired_at, heartbeat_at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, pid = excluded.pid,"
            " hostname = excluded.hostname, acquired_at = excluded.acquired_at,"
            " heartbeat_at = excluded.heartbeat_at, released_at = NULL",
            (_NAME, owner, taken.pid, taken.hostname, started, moment),
        )
        if not held or held.owner != owner:
            events.emit(tx, "daemon.started", owner=owner)
        return taken


def release(context: Context, owner: str) -> None:
    """Give the place up, so that the next daemon need not wait."""
    with context.store.write() as tx:
        done = tx.exec_driver_sql(
            "UPDATE leases SET released_at = ? WHERE name = ? AND owner = ?", (clock.stamp(), _NAME, owner)
        )
        if done.rowcount:
            events.emit(tx, "daemon.stopped", owner=owner)


def is_watched(tx: Connection, within_s: float) -> bool:
    """Whether a daemon was heard of within ``within_s`` seconds and has not said goodbye."""
    held = current(tx)
    return held is not None and _is_alive(held, within_s)


def check_watched(tx: Connection, within_s: float) -> None:
    """Raises NobodyWatching."""
    if not is_watched(tx, within_s):
        raise NobodyWatching(
            "No daemon is watching, so nobody would take a bad change back. Start one with 'hermes ratchet daemon' "
            "or 'hermes ratchet install-service', or apply with --unwatched."
        )


def _is_alive(lease: Lease, within_s: float) -> bool:
    """A heartbeat far in the future is as dead as one far in the past: the clock was set back meanwhile."""
    silence = abs(clock.now() - clock.parse(lease.heartbeat_at))
    return lease.released_at is None and silence < timedelta(seconds=within_s)
