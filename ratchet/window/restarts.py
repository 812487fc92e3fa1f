"""Who still serves the version from before a change, and what must restart so that new sessions meet the new one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...evaluation.running.exposure import Arm, index_changes
from .. import experiments
from ..context import Context
from ..experiments import Experiment
from ..states import State

if TYPE_CHECKING:
    from .memberships import Membership


def advice(context: Context, experiment: Experiment, members: Sequence[Membership] = ()) -> tuple[str, ...]:
    """What running processes must do for this change (or for its being taken back) to be served, in sentences."""
    if experiment.state not in (State.LIVE, State.VERIFIED, State.REVERTED):
        return ()
    said = [_needed(context, experiment)]
    if experiment.state == State.LIVE and (late := _still_served(members)):
        said.append(late)
    return tuple(said)


def _needed(context: Context, experiment: Experiment) -> str:
    relpath, profile = experiment.target_relpath, experiment.profile
    if index_changes(relpath, *experiments.contents(context, experiment)):
        return (
            f"Restart the long-running processes of '{profile}' (gateway, dashboard, open chats): they keep the list "
            "of skills they once read and serve the old description to new sessions."
        )
    if relpath.startswith("skills/"):
        return f"Nothing has to restart: {relpath} is read anew whenever the agent opens the skill."
    return (
        f"Nothing has to restart: every new session of '{profile}' reads {relpath}; those already open keep what they "
        "began with."
    )


def _still_served(members: Sequence[Membership]) -> str | None:
    late = Counter(member.source or "unknown" for member in members if member.arm == Arm.BASELINE)
    if not late:
        return None
    by = ", ".join(f"{count} by {source}" for source, count in sorted(late.items()))
    return (
        f"{sum(late.values())} sessions that began after the change were still served the old version ({by}): the "
        "processes behind them were started before it."
    )
