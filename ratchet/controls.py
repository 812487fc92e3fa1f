"""Per-profile switches and health: paused or not, and how often the daemon failed on a profile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from .. import clock, schema
from .._db import driver, fetch
from ..errors import ProfilePaused
from ..reviewing.challenges import Signed
from ..reviewing.payload import Claim, Purpose
from . import events
from .actor import Actor
from .context import Context
from .kept_words import kept
from .signing import consent

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LONGEST_PAUSE_S = 3600.0
_LONGEST_REASON = 500


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

    @property
    def is_resting(self) -> bool:
        """Whether the daemon leaves this profile alone for now; a time that no failure leads to means nothing."""
        try:
            left = clock.parse(self.retry_at) - clock.now() if self.retry_at else timedelta(0)
        except (ValueError, OverflowError):
            return False
        return timedelta(0) < left <= timedelta(seconds=_LONGEST_PAUSE_S)


def control(tx: Connection, profile: str) -> Control:
    """The switches of a profile; the defaults when nothing was ever set."""
    found = fetch(tx, Control, schema.profile_controls, "WHERE profile = ?", profile)
    return found[0] if found else Control(profile)


def get(context: Context, profile: str) -> Control:
    """The switches of a profile. Raises UnknownProfile."""
    context.home(profile)
    with context.store.read() as tx:
        return control(tx, profile)


def pause(context: Context, profile: str, actor: Actor, reason: str = "") -> Control:
    """Stop everything that changes this profile, except taking back a live change that failed."""
    context.home(profile)
    with context.store.write() as tx:
        if not control(tx, profile).paused:
            _write(tx, profile, paused=1, paused_by=actor.name, paused_at=clock.stamp())
            events.emit(
                tx,
                "profile.paused",
                profile=profile,
                actor=actor.name,
                principal=actor.principal,
                reason=kept(reason)[:_LONGEST_REASON],
            )
        return control(tx, profile)


def why_paused(context: Context, profile: str) -> str:
    """The reason that was given when this profile was last paused; empty when there was none."""
    with context.store.read() as tx:
        found = events.latest(tx, "profile.paused", profile, limit=1)
    return str(found[0].payload.get("reason") or "") if found else ""


def resume(context: Context, profile: str, actor: Actor, signed: Signed | None = None) -> Control:
    """Let changes go on, which a reviewer signs. Raises UnknownProfile and what :func:`consent.require` does."""
    context.home(profile)
    with consent.attempt(context, actor, Purpose.RESUME, signed) as tx:
        paused = control(tx, profile).paused
        if paused or signed is not None:
            agreed = consent.require(context, tx, claim_to_resume(profile), actor, signed)
        if paused:
            _write(tx, profile, paused=0, paused_by=None, paused_at=None)
            by = agreed.actor
            events.emit(tx, "profile.resumed", profile=profile, actor=by.name, principal=by.principal)
        return control(tx, profile)


def claim_to_resume(profile: str) -> Claim:
    """What a reviewer signs to let changes of a paused profile go on."""
    return Claim(purpose=Purpose.RESUME, profile=profile)


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
    what = kept(f"{error}")[:500]
    with context.store.write() as tx:
        failures = control(tx, profile).failures + 1
        pause_s = min(context.settings.daemon.backoff_s * 2.0 ** (failures - 1), _LONGEST_PAUSE_S)
        retry_at = clock.stamp(clock.now() + timedelta(seconds=pause_s))
        _write(tx, profile, failures=failures, last_error=what, retry_at=retry_at)
        events.emit(tx, "daemon.failure", profile=profile, error=what, failures=failures)
        return control(tx, profile)


def note_success(context: Context, profile: str) -> None:
    """Forget earlier failures of this profile."""
    with context.store.read() as tx:
        if not control(tx, profile).failures:
            return
    with context.store.write() as tx:
        _write(tx, profile, failures=0, last_error=None, retry_at=None)


def _write(tx: Connection, profile: str, **columns: object) -> None:
    driver(tx).execute("INSERT INTO profile_controls (profile) VALUES (?) ON CONFLICT DO NOTHING", (profile,))
    table = schema.profile_controls
    tx.execute(table.update().where(table.c.profile == profile).values(**columns))
