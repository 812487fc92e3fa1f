"""Since when the host has had which version: a session of another version is no fair comparison."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ... import clock, host
from .. import events
from ..context import Context

if TYPE_CHECKING:
    from sqlalchemy import Connection

KIND = "host.version"
_MOST = 1000


@dataclass(frozen=True)
class HostVersions:
    """The host's versions with the moment each was first seen, oldest first."""

    seen: tuple[tuple[datetime, str], ...]

    @property
    def current(self) -> str:
        return self.seen[-1][1] if self.seen else "unknown"

    @property
    def since(self) -> datetime | None:
        """When the current version took the place of another one; None when no other was ever seen."""
        return self.seen[-1][0] if len(self.seen) > 1 else None

    def at(self, moment: datetime) -> str:
        """The version in use at ``moment``; before the first one that was seen, that one: nobody knows better."""
        known = [version for since, version in self.seen if since <= moment]
        if known:
            return known[-1]
        return self.seen[0][1] if self.seen else self.current


def note(context: Context) -> None:
    """Remember the version that is installed now, when it is another than the last one."""
    installed = host.version()
    with context.store.read() as tx:
        if _newest(tx) == installed:
            return
    with context.store.write() as tx:
        if _newest(tx) != installed:
            events.emit(tx, KIND, version=installed)


def load(tx: Connection) -> HostVersions:
    """What was seen so far."""
    seen = events.latest(tx, KIND, None, _MOST)[::-1]
    return HostVersions(tuple((clock.parse(event.created_at), str(event.payload["version"])) for event in seen))


def _newest(tx: Connection) -> str | None:
    found = events.latest(tx, KIND, None, 1)
    return str(found[0].payload["version"]) if found else None
