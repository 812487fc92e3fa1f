"""Per-profile switches and health: paused or not, and how often the daemon failed on a profile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from .. import clock, schema
from .._db import driver, fetch
from ..errors import ProfilePaused
from . import events
from .actor import Actor
from .context import Context

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LONGEST_PAUSE_S = 3600.0


@dataclass(frozen=True)
class Control:
    """The switches of one profile. ``retry_at`` is set while the daemon backs off from it."""

    profile: str
    paused: int = 0
    paused_by: str | None = None
    paused_at: str | None = None
    failures: int = 0
    last_error: str | None = None
    retry_at: str | None = None


def control(tx: Connection, profile: str) -> Control:
    """The switches of a profile; the defaults when nothing was ever set."""
    found = fetch(tx, Control, schema.profile_controls, "WHERE profile = ?", profile)
    return found[0] if found else Control(profile)


def get(context: Context, profile: str) -> Control:
    """The switches of a profile. Raises UnknownProfile."""
    context.home(profile)
    with context.store.read() as tx:
        return control(tx, profile)


def pause(context: Context, profile: str, actor: Actor) -> Control:
    """Stop everything that changes this profile, except taking back a live change that failed."""
    return _set_paused(context, profile, actor, paused=True)


def resume(context: Context, profile: str, actor: Actor) -> Control:
    """Let changes go on."""
    return _set_paused(context, profile, actor, paused=False)


def check_not_paused(tx: Connection, profile: str) -> None:
    """Raises ProfilePaused."""
    found = control(tx, profile)
    if found.paused:
        raise ProfilePaused(
            f"Profile '{profile}' is paused (by {found.paused_by}). Resume it first: hermes ratchet resume {profile}",
            profile=profile,
        )


def note_failure(context: Context, profile: str, error: BaseException) -> Control:
    """Remember that the daemon failed on this profile; each failure in a row doubles the pause before the next try."""
    with context.store.write() as tx:
        failures = control(tx, profile).failures + 1
        pause_s = min(context.settings.daemon.backoff_s * 2.0 ** (failures - 1), _LONGEST_PAUSE_S)
        retry_at = clock.stamp(clock.now() + timedelta(seconds=pause_s))
        _write(tx, profile, failures=failures, last_error=f"{error}"[:500], retry_at=retry_at)
        events.emit(tx, "daemon.failure", profile=profile, error=f"{error}"[:500], failures=failures)
        return control(tx, profile)


def note_success(context: Context, profile: str) -> None:
    """Forget earlier failures of this profile."""
    with context.store.read() as tx:
        if not control(tx, profile).failures:
            return
    with context.store.write() as tx:
        _write(tx, profile, failures=0, last_error=None, retry_at=None)


def _set_paused(context: Context, profile: str, actor: Actor, *, paused: bool) -> Control:
    context.home(profile)
    with context.store.write() as tx:
        if bool(control(tx, profile).paused) != paused:
            by, moment = (actor.name, clock.stamp()) if paused else (None, None)
            _write(tx, profile, paused=int(paused), paused_by=by, paused_at=moment)
            events.emit(tx, "profile.paused" if paused else "profile.resumed", profile=profile, actor=actor.name)
        return control(tx, profile)


def _write(tx: Connection, profile: str, **columns: object) -> None:
    driver(tx).execute("INSERT INTO profile_controls (profile) VALUES (?) ON CONFLICT DO NOTHING", (profile,))
    table = schema.profile_controls
    tx.execute(table.update().where(table.c.profile == profile).values(**columns))
