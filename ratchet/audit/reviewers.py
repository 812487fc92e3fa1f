"""Are the reviewers those who are pinned, and is their log there at all? Whoever wipes it leaves traces elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..._db import driver
from ...errors import SettingsInvalid
from ...reviewing import reviewers

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..context import Context

_LOGGED = "SELECT count(*) FROM reviewer_changes"
_RESETS = "SELECT id, principal, created_at FROM reviewer_changes WHERE kind = 'reset' ORDER BY id"
_SIGNED_STEPS = (
    "SELECT id FROM experiment_state_transitions WHERE to_state = 'approved' AND reason LIKE 'approved (signed)%'"
)
_TRACES = (
    ("signed approvals", "SELECT count(*) FROM approvals WHERE mode = 'signed'"),
    ("signatures", "SELECT count(*) FROM signatures"),
    ("questions to reviewers", "SELECT count(*) FROM challenges"),
)


def wiped(tx: Connection) -> Iterator[tuple[int, str]]:
    """What cannot be where nobody ever was a reviewer; each with the id of a transition, or 0."""
    if driver(tx).execute(_LOGGED).fetchone()[0]:
        return
    for (step,) in driver(tx).execute(_SIGNED_STEPS).fetchall():
        yield step, "was signed by a reviewer, but the log of reviewers is empty"
    for what, query in _TRACES:
        if count := driver(tx).execute(query).fetchone()[0]:
            yield 0, f"there are {count} {what}, but the log of reviewers is empty"


def gone_though_pinned(context: Context) -> Iterator[str]:
    """That reviewers are pinned and there never were any."""
    with context.store.read() as tx:
        logged = driver(tx).execute(_LOGGED).fetchone()[0]
    if not logged and _pin(context)[0] is not None:
        yield "reviewers are pinned, but the log of reviewers is empty"


def not_as_pinned(context: Context) -> Iterator[str]:
    """Why today's reviewers are not the pinned ones: no proof of harm, for a reviewer may just have been added."""
    pinned, trouble = _pin(context)
    if trouble:
        yield trouble
    with context.store.read() as tx:
        today = reviewers.load(tx)
    if pinned is not None and today.members and today.fingerprint != pinned:
        yield f"the reviewers are not those that are pinned: their fingerprint is {today.fingerprint}, not {pinned}"


def resets(tx: Connection) -> Iterator[str]:
    """Each time that the reviewers were set up anew, which nobody signs for."""
    for number, principal, moment in driver(tx).execute(_RESETS).fetchall():
        yield f"the reviewers were set up anew by {principal} on {moment[:19]} (change {number} of them)"


def _pin(context: Context) -> tuple[str | None, str]:
    try:
        return context.pin, ""
    except SettingsInvalid as error:
        return None, error.message
