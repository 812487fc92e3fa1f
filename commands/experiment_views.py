"""How experiments look on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..ratchet.states import State
from ..stats.gate import GateVerdict
from . import render, report_views
from .plain import one_line
from .render import Column, Stacked

if TYPE_CHECKING:
    from ..ratchet.approval import Approval
    from ..ratchet.audit.chain import Transition
    from ..ratchet.experiments import Experiment
    from ..ratchet.window.live_plan import LivePlan
    from ..settings import Settings

View = Callable[[Console], None]
_LIST = (
    Column("#"),
    Column("state", 8),
    Column("evaluation", 10),
    Column("created", 10),
    Column("file, and why", takes_rest=True),
)
_LONGEST_WHY = 120
_STEPS = (Column("when", most=19), Column("step", 8), Column("by", most=24), Column("why", takes_rest=True))
_SCENARIOS = (
    Column("scenario", takes_rest=True),
    Column("baseline"),
    Column("candidate"),
    Column("change", most=24),
)


def sentence(text: str) -> View:
    return lambda console: render.say(console, text)


def proposed(experiment: Experiment, watched: bool) -> View:
    def view(console: Console) -> None:
        where = f"{experiment.profile}/{experiment.target_relpath}"
        render.say(console, f"Experiment {experiment.id} is proposed for {where}.")
        render.diff(console, experiment.diff)
        waiting = "The daemon evaluates it." if watched else "No daemon is running, so nothing evaluates it by itself."
        render.say(console, f"{waiting} To do it here: hermes ratchet evaluate {experiment.id}", "dim")

    return view


def listing(found: Sequence[Experiment], following: int | None) -> View:
    def view(console: Console) -> None:
        if not found:
            render.say(console, "No experiments. Propose the first change: hermes ratchet new --help")
            return
        console.print(render.table(_LIST, [_row(e) for e in found]))
        if following:
            render.say(console, f"Older ones: hermes ratchet list --before {following}", "dim")

    return view


def _row(experiment: Experiment) -> tuple[object, ...]:
    return (
        experiment.id,
        experiment.state,
        measured(experiment),
        render.ago(experiment.created_at),
        Stacked(
            f"{experiment.profile}/{experiment.target_relpath}", one_line(experiment.rationale, _LONGEST_WHY) or None
        ),
    )


def measured(experiment: Experiment) -> str:
    """The evaluation in a few words: its scores once it has some."""
    before, after = render.percent(experiment.baseline_score), render.percent(experiment.offline_score)
    if experiment.evaluation_status == "finished" and (before or after):
        return f"{before or '?'} \u2192 {after or '?'}"
    return experiment.evaluation_status


def full(experiment: Experiment, report: Mapping[str, Any] | None, approved: Approval | None) -> View:
    def view(console: Console) -> None:
        render.heading(console, f"Experiment {experiment.id}: {experiment.state}")
        render.facts(console, _facts(experiment, approved))
        if experiment.rationale:
            console.print()
            render.say(console, experiment.rationale)
        console.print()
        render.diff(console, experiment.diff)
        if report is not None:
            console.print()
            _report(console, report)
        if step := next_step(experiment):
            console.print()
            render.say(console, step, "dim")

    return view


def _facts(experiment: Experiment, approved: Approval | None) -> list[tuple[str, object]]:
    target = experiment.live_sessions_target
    return [
        ("file", f"{experiment.profile}/{experiment.target_relpath}"),
        ("proposed", f"{render.ago(experiment.created_at)} by {experiment.proposed_by}"),
        ("evaluation", measured(experiment)),
        ("verdict", experiment.verdict),
        ("approved", _approval(experiment, approved) if approved else None),
        ("rejected", f"by {experiment.rejected_by}: {experiment.rejection_reason}" if experiment.rejected_by else None),
        ("applied in", experiment.apply_commit_sha),
        ("live sessions", f"{experiment.live_sessions_observed} of {target}" if target else None),
        ("live verdict", _live_verdict(experiment)),
        ("taken back in", experiment.revert_commit_sha),
        ("conflict", "the file was edited by hand since" if experiment.manual_conflict_detected else None),
    ]


def _live_verdict(experiment: Experiment) -> str | None:
    accepted = experiment.live_verdict == "inconclusive" and experiment.verified_at
    return f"{experiment.live_verdict}, accepted by a person" if accepted else experiment.live_verdict


def _approval(experiment: Experiment, approved: Approval) -> str:
    grounds = f"whatever the gate says: {approved.override_reason}" if approved.override_reason else "on its report"
    return f"{render.ago(experiment.approved_at)} by {approved.actor} ({approved.mode}), {grounds}"


def report_table(report: Mapping[str, Any]) -> View:
    return lambda console: _report(console, report)


def _report(console: Console, report: Mapping[str, Any]) -> None:
    rows = [
        (one["name"], render.percent(one["baseline"]), render.percent(one["candidate"]), one["change"])
        for one in report["scenarios"]
    ]
    total = (
        "all",
        render.percent(report["baseline_score"]),
        render.percent(report["candidate_score"]),
        report["verdict"],
    )
    console.print(render.table(_SCENARIOS, [*rows, total]))
    for told in report_views.sentences(report):
        render.say(console, told)


def next_step(experiment: Experiment) -> str | None:
    """What a person does next, by state."""
    number, state = experiment.id, State(experiment.state)
    if state is State.PROPOSED and experiment.evaluation_status != "finished":
        return f"Next: hermes ratchet evaluate {number}, then approve or reject it."
    if state is State.PROPOSED and experiment.verdict != GateVerdict.PASSED:
        return (
            f"Next: hermes ratchet reject {number} --reason TEXT; or, whatever the gate says: "
            f"hermes ratchet approve {number} --override TEXT"
        )
    if state is State.PROPOSED:
        return (
            f"Next: hermes ratchet live {number} (what its live window will catch and miss), then "
            f"hermes ratchet approve {number}, or hermes ratchet reject {number} --reason TEXT"
        )
    if state is State.APPROVED:
        return f"Next: the daemon applies it; by hand: hermes ratchet apply {number}"
    if state is State.LIVE and experiment.live_verdict == "inconclusive":
        return f'Next: hermes ratchet live {number}, then hermes ratchet decide {number} keep|revert --reason "..."'
    if state is State.LIVE:
        return f"Next: hermes ratchet live {number} shows how its window stands."
    return None


def diff(experiment: Experiment) -> View:
    return lambda console: render.diff(console, experiment.diff)


def history(experiment: Experiment, steps: Sequence[Transition]) -> View:
    def view(console: Console) -> None:
        render.heading(console, f"Experiment {experiment.id}: {experiment.profile}/{experiment.target_relpath}")
        rows = [(s.created_at[:19].replace("T", " "), s.to_state, _who(s), s.reason) for s in steps]
        console.print(render.table(_STEPS, rows))

    return view


def _who(step: Transition) -> str:
    """The label, and the principal that was authenticated where they differ."""
    return step.actor if step.principal in (step.actor, f"os:{step.actor}") else f"{step.actor} ({step.principal})"


def approved_on(experiment: Experiment, plan: LivePlan) -> tuple[str, ...]:
    """What an approval rests on, and what its live window will look at."""
    measured_as = experiment.verdict if experiment.evaluation_status == "finished" and experiment.verdict else None
    evaluation = f"Its evaluation: {measured_as or experiment.evaluation_status} ({measured(experiment)})."
    if not plan.tests:
        return evaluation, f"WARNING: its live window tests nothing ({plan.note}), so it can only end as inconclusive."
    return (
        evaluation,
        f"Its live window: {plan.note}; {plan.n} to {plan.n_max} sessions, {plan.max_days:g} days at most.",
    )


def already_reverted(experiment: Experiment) -> tuple[str, ...]:
    """Instead of an answer that looks as if something had been done."""
    when = (experiment.reverted_at or "")[:19].replace("T", " ")
    return (f"It was already taken back on {when} UTC; nothing was done.",)


def moved(experiment: Experiment, watched: bool, settings: Settings, served: Sequence[str] = ()) -> View:
    def view(console: Console) -> None:
        marked = " (unsigned)" if experiment.state == State.APPROVED and settings.approval == "unsigned" else ""
        render.say(console, f"Experiment {experiment.id} is {experiment.state}{marked}.")
        commit = experiment.revert_commit_sha if experiment.state == State.REVERTED else experiment.apply_commit_sha
        if commit and experiment.state in (State.LIVE, State.REVERTED):
            render.say(console, f"Commit {commit}")
        for sentence in served:
            render.say(console, sentence)
        if hint := _after(experiment, watched, settings):
            render.say(console, hint, "dim")

    return view


def _after(experiment: Experiment, watched: bool, settings: Settings) -> str | None:
    if experiment.state != State.APPROVED:
        return next_step(experiment)
    if not watched:
        return "No daemon is running, so it is not applied yet. Start one: hermes ratchet daemon"
    if not settings.auto_apply:
        return f"auto_apply is off; apply it by hand: hermes ratchet apply {experiment.id}"
    return "The daemon applies it within a moment."
