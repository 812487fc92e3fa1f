"""Held-out scenarios are shown for ten minutes after a reviewer's signature, which stays on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import Forbidden, SettingsInvalid
from ...reviewing import challenges
from ...reviewing.challenges import Signed
from ...reviewing.payload import Claim, Purpose
from .. import events
from ..actor import Actor
from ..context import Context
from . import consent

if TYPE_CHECKING:
    from sqlalchemy import Connection


def unlock(context: Context, profile: str, actor: Actor, signed: Signed | None) -> str:
    """Show the held-out scenarios of ``profile`` to whoever asks. Returns until when.

    Raises UnknownProfile and what :func:`consent.require` does.
    """
    context.home(profile)
    with consent.attempt(context, actor, Purpose.REVEAL_HOLDOUT, signed) as tx:
        claim = Claim(purpose=Purpose.REVEAL_HOLDOUT, profile=profile)
        by = consent.require(context, tx, claim, actor, signed).actor
        until = challenges.unlocked_until(tx, profile, pin=context.pin)
        events.emit(tx, "holdout.revealed", profile=profile, actor=by.name, principal=by.principal, until=until)
        return str(until)


def shown_until(context: Context, profile: str) -> str | None:
    """Until when the held-out scenarios of ``profile`` are shown; None when they are not."""
    with context.store.read() as tx:
        return unlocked_until(context, tx, profile)


def unlocked_until(context: Context, tx: Connection, profile: str) -> str | None:
    """Until when the held-out scenarios of ``profile`` are shown; None when they are not, for whatever reason."""
    try:
        return challenges.unlocked_until(tx, profile, pin=context.pin)
    except (Forbidden, SettingsInvalid):
        return None
