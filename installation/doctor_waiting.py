"""The doctor's look at what waits for a person, and at work that nobody does: windows, edits, pauses, stuck jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from ..evaluation import jobs
from ..evaluation.jobs import Job
from ..ratchet.context import Context
from ..ratchet.experiments import Experiment
from ..ratchet.states import State
from ..watching import waiting
from . import overview
from .findings import Finding, note, problem
from .overview import ProfileOverview

_PATIENCE = timedelta(minutes=10)


def found(context: Context) -> Iterator[Finding]:
    """Every finding of this kind, on all profiles."""
    seen = overview.look(context)
    for profile in seen.profiles:
        yield from _of_profile(profile, applied_soon=seen.daemon.working and seen.auto_apply)
        yield from _edits(context, profile.profile)
    if left := jobs.left_alone(context, _PATIENCE):
        yield _stuck(left, seen.daemon.working)


def _of_profile(profile: ProfileOverview, *, applied_soon: bool) -> Iterator[Finding]:
    if profile.control.paused:
        what = f"Profile '{profile.profile}' is paused by {profile.control.paused_by}: nothing is applied there."
        yield note("paused", what, f"hermes ratchet resume {profile.profile}")
    if profile.in_flight is not None:
        yield from _in_flight(profile.in_flight, applied_soon)


def _in_flight(change: Experiment, applied_soon: bool) -> Iterator[Finding]:
    name, number = f"Experiment {change.id} ({change.profile}/{change.target_relpath})", change.id
    if change.manual_conflict_detected:
        what = f"{name} was edited by hand since, so it is not taken back by itself."
        yield note("conflict", what, f"hermes ratchet live {number}, then hermes ratchet revert {number}")
    elif change.live_verdict == "inconclusive":
        what = f"{name} is live and its window could not tell: a person decides."
        yield note("window", what, f'hermes ratchet decide {number} keep --reason "..." (or revert)')
    elif change.state == State.APPROVED and not applied_soon:
        what = f"{name} is approved and nobody applies it."
        yield note("approved", what, f"hermes ratchet daemon, or hermes ratchet apply {number}")


def _edits(context: Context, profile: str) -> Iterator[Finding]:
    for change in waiting.unacknowledged(context, profile):
        what = f"{change.profile}/{change.relpath} {change.what} without an experiment, and nobody has agreed to it."
        yield note("external_change", what, f"hermes ratchet acknowledge {change.profile} {change.relpath}")


def _stuck(left: Sequence[Job], daemon_works: bool) -> Finding:
    """One finding for all of them: they have one cause."""
    oldest = left[0]
    others = f", and {len(left) - 1} more" if len(left) > 1 else ""
    done = f"{oldest.state}, {oldest.done} of {oldest.total or '?'} done"
    subject = "a proposal" if oldest.experiment_id is None else f"experiment {oldest.experiment_id}"
    still = "stand still: nobody works on them" if len(left) > 1 else "stands still: nobody works on it"
    what = f"Job {oldest.id} ({subject}: {done}){others} {still}."
    if daemon_works:
        return problem("job", what, f"hermes ratchet jobs --cancel {oldest.id}, and look at the daemon's output")
    return problem("job", what, "hermes ratchet daemon (in a terminal of its own), or hermes ratchet install-service")
