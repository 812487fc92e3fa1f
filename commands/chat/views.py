"""What can be looked at in a chat: where everything stands, the newest experiments, one of them, what it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...installation import overview
from ...installation.overview import ProfileOverview
from ...notifying import messages
from ...ratchet import controls, experiments
from ...ratchet.experiments import Experiment
from ..plain import one_line
from ..session import opened
from . import narrow_diff
from .text import Reply

if TYPE_CHECKING:
    from ...ratchet.context import Context

_LISTED = 10
_LONGEST_WHY = 160


def status() -> Reply:
    with opened() as context:
        found = overview.look(context)
        profiles = [line for one in found.profiles for line in _profile(context, one)]
    daemon = "alive" if found.daemon.alive else "SILENT: nothing is applied, watched or taken back"
    trouble = [found.trust.trouble.message] if found.trust.trouble else []
    return Reply("\n".join([f"approval: {found.approval}, daemon: {daemon}", *trouble, *profiles]))


def _profile(context: Context, one: ProfileOverview) -> list[str]:
    flight = one.in_flight
    change = f", experiment {flight.id} on {flight.target_relpath}" if flight else ""
    label = "" if one.measured else ", unmeasured"
    said = [f"{one.profile}: {one.standing}{change}, {one.experiment_counts['proposed']} proposed{label}"]
    if one.control.paused:
        reason = controls.why_paused(context, one.profile)
        by = one_line(one.control.paused_by or "?", 40)
        said.append(f"  paused by {by}{': ' + one_line(reason, 100) if reason else ''}")
    return said


def newest() -> Reply:
    with opened() as context:
        found = experiments.list_experiments(context, limit=_LISTED)
    return Reply("\n".join(_in_the_list(one) for one in found) or "No experiments.")


def _in_the_list(one: Experiment) -> str:
    measured = one.verdict or one.evaluation_status
    why = one_line(one.rationale, 60)
    return f"{one.id} {one.state} {one.profile}/{one.target_relpath} ({measured}) {why}".rstrip()


def one(number: int) -> Reply:
    """Raises UnknownExperiment."""
    with opened() as context:
        found = experiments.shown(context, number)
        return Reply("\n".join([*_facts(found), "", *narrow_diff.lines(found.diff)]), page(context, number))


def diff(number: int) -> Reply:
    """Raises UnknownExperiment."""
    with opened() as context:
        found = experiments.shown(context, number)
        more = f"More in the dashboard: {page(context, number)}"
    title = f"Experiment {found.id}: {found.profile}/{found.target_relpath}"
    return Reply("\n".join([title, "", *narrow_diff.lines(found.diff)]), more)


def page(context: Context, number: int | None = None) -> str:
    """Where the dashboard shows an experiment, or everything."""
    return messages.page(context.settings.notify.dashboard_url, number)


def _facts(found: Experiment) -> list[str]:
    scores = ""
    if found.baseline_score is not None and found.offline_score is not None:
        scores = f", {found.baseline_score:.0%} to {found.offline_score:.0%}"
    said = [
        f"Experiment {found.id}: {found.state}, {found.profile}/{found.target_relpath}",
        f"evaluation: {found.verdict or found.evaluation_status}{scores}",
    ]
    if found.live_sessions_target:
        verdict = f", {found.live_verdict}" if found.live_verdict else ""
        said.append(f"live: {found.live_sessions_observed} of {found.live_sessions_target} sessions{verdict}")
    if found.manual_conflict_detected:
        said.append("its file was edited by hand since")
    if found.rejected_by:
        said.append(one_line(f"rejected by {found.rejected_by}: {found.rejection_reason}", _LONGEST_WHY))
    if found.rationale:
        said.append(one_line(found.rationale, _LONGEST_WHY))
    return said
