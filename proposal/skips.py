"""The reasons for which the proposer does nothing, each of which is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import clock
from .._db import driver
from ..errors import Conflict
from ..evaluation.running import budgets
from ..ratchet import controls
from ..ratchet.context import Context

if TYPE_CHECKING:
    from sqlalchemy import Connection

_IN_FLIGHT = "SELECT id, state FROM experiments WHERE profile = ? AND state IN ('approved', 'live')"
_WAITING = """
SELECT experiments.id FROM experiments JOIN proposal_drafts ON proposal_drafts.experiment_id = experiments.id
WHERE experiments.profile = ? AND experiments.target_relpath = ? AND experiments.state = 'proposed'
"""
_SPENT = """
SELECT count(*), coalesce(sum(input_tokens + output_tokens), 0), coalesce(sum(cost_micro_usd), 0),
       coalesce(sum(cost_micro_usd IS NULL), 0)
FROM proposal_drafts WHERE created_at >= ?
"""
_LAST = """
SELECT id, outcome, reason, experiment_id, input_sha256 FROM proposal_requests
WHERE profile = ? AND relpath = ? AND dry_run = 0 AND outcome IN ('proposed', 'refused') ORDER BY id DESC LIMIT 1
"""


class Skipped(Conflict):
    """There is nothing to propose now; the message says why."""

    code = "proposal_skipped"


def check_free(context: Context, profile: str, relpath: str) -> None:
    """Raises Skipped when a proposal would have to wait; UnknownProfile."""
    context.home(profile)
    with context.store.read() as tx:
        paused = controls.control(tx, profile)
        flying = driver(tx).execute(_IN_FLIGHT, (profile,)).fetchone()
        waiting = driver(tx).execute(_WAITING, (profile, relpath)).fetchone()
    if paused.paused:
        raise Skipped(f"the profile is paused (by {paused.paused_by}): hermes ratchet resume {profile}")
    if flying:
        raise Skipped(f"experiment {flying[0]} of this profile is {flying[1]}: one change at a time")
    if waiting:
        raise Skipped(f"experiment {waiting[0]}, proposed for this file before, is not decided yet")


def check_budget(context: Context, tx: Connection) -> None:
    """Raises Skipped when what the proposer may cost in a day (UTC) is used up."""
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    spent = budgets.Spent(*driver(tx).execute(_SPENT, (clock.stamp(midnight),)).fetchone())
    for reason in budgets.over("proposer.budget", context.settings.proposer.budget, spent):
        raise Skipped(reason)


def check_new(tx: Connection, profile: str, relpath: str, input_sha256: str) -> None:
    """Raises Skipped when the last request worked with the very same input."""
    last = driver(tx).execute(_LAST, (profile, relpath)).fetchone()
    if last is None or last[4] != input_sha256:
        return
    came = f"experiment {last[3]}" if last[3] else f"refused drafts ({last[2]})"
    raise Skipped(f"nothing is new since request {last[0]}, which led to {came}")
