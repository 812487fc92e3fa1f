"""May this change stay? A plan fixed at approval, real sessions counted once each, and one of three verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .. import _metrics, clock
from ..errors import NoEvidence
from ..stats.calibration import Decision, Verdict, judge
from . import events, experiments, states, window_sessions
from .actor import DAEMON, Actor
from .context import Context
from .experiments import Experiment
from .live_plan import LivePlan, load_plan, make_plan, store_plan
from .signal import success_signal
from .states import State
from .window_sessions import Membership

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = [
    "LivePlan",
    "Membership",
    "WindowStatus",
    "load_plan",
    "make_plan",
    "observe",
    "settle_verdict",
    "status",
    "store_plan",
    "verify",
]


@dataclass(frozen=True)
class WindowStatus:
    """Everything there is to say about a window so far."""

    experiment: Experiment
    plan: LivePlan
    decision: Decision | None
    members: tuple[Membership, ...]
    verdict: Verdict
    reason: str

    @property
    def counted(self) -> int:
        return sum(m.counted for m in self.members)

    @property
    def errors(self) -> int:
        return sum(m.errors or 0 for m in self.members if m.met)


def observe(context: Context, experiment_id: int) -> WindowStatus:
    """Take in the sessions that ended since the change went live, each once, and say where the window stands.

    A window that is not open takes nothing in. Raises UnknownExperiment, NoEvidence, SessionsUnavailable.
    """
    with context.store.read() as tx:
        experiment = experiments.load(tx, experiment_id)
        plan = load_plan(tx, experiment_id)
        known = {member.session_id for member in window_sessions.members(tx, experiment_id)}
    if not window_sessions.is_open(experiment):
        return status(context, experiment_id)
    versions = experiments.contents(context, experiment)
    signal = success_signal(plan.success_checks)  # the plan's, whatever was configured since
    seen = [
        (session, window_sessions.met(context, experiment, versions, session), _metrics.outcome(session, signal))
        for session in window_sessions.read(context, experiment, _applied_at(experiment), plan.idle_minutes)
        if session.is_over and session.session_id not in known
    ]
    if seen:
        with context.store.write() as tx:
            window_sessions.take_in(tx, experiment_id, seen)
    return status(context, experiment_id)


def _applied_at(experiment: Experiment) -> datetime:
    return clock.parse(experiment.applied_at or experiment.updated_at)


def status(context: Context, experiment_id: int) -> WindowStatus:
    """Where a window stands, from what was taken in so far. Raises UnknownExperiment, NoEvidence."""
    with context.store.read() as tx:
        experiment = experiments.load(tx, experiment_id)
        plan = load_plan(tx, experiment_id)
        members = tuple(window_sessions.members(tx, experiment_id))
    decision = _decide(plan, members)
    if experiment.state != State.LIVE and not experiment.live_verdict:
        verdict, reason = Verdict.UNDECIDED, f"the window is not open: the experiment is {experiment.state}"
    else:
        verdict, reason = _verdict(experiment, plan, decision, members)
    if experiment.live_verdict:  # decided once, whatever came after
        verdict = Verdict(experiment.live_verdict)
    return WindowStatus(experiment, plan, decision, members, verdict, reason)


def settle_verdict(context: Context, found: WindowStatus, actor: Actor = DAEMON) -> None:
    """Write down the window's verdict, once. Taking back is the caller's next step; verifying happens here."""
    if found.verdict is Verdict.UNDECIDED:
        return
    score = found.decision.successes / found.decision.sessions if found.decision and found.decision.sessions else None
    with context.store.write() as tx:
        experiment = experiments.load(tx, found.experiment.id)
        if not window_sessions.is_open(experiment):
            return
        tx.exec_driver_sql(
            "UPDATE experiments SET live_verdict = ?, live_score = ? WHERE id = ?",
            (found.verdict.value, score, experiment.id),
        )
        events.emit(
            tx,
            f"window.{found.verdict}",
            profile=experiment.profile,
            experiment_id=experiment.id,
            reason=found.reason,
        )
        if found.verdict is Verdict.VERIFIED:
            _verify(tx, experiment.id, actor, found.reason)


def verify(context: Context, experiment_id: int, actor: Actor) -> Experiment:
    """Mark a live change as verified when its window allows it. Raises NoEvidence, IllegalTransition."""
    found = observe(context, experiment_id)
    if found.experiment.state == State.LIVE and found.verdict is not Verdict.VERIFIED:
        raise NoEvidence(f"The live window does not allow it: {found.reason}.", experiment_id=experiment_id)
    settle_verdict(context, found, actor)
    with context.store.write() as tx:
        if experiments.load(tx, experiment_id).state != State.VERIFIED:
            _verify(tx, experiment_id, actor, found.reason)
        return experiments.load(tx, experiment_id)


def _verify(tx: Connection, experiment_id: int, actor: Actor, reason: str) -> None:
    states.move(tx, experiment_id, State.VERIFIED, actor, reason, {"verified_at": clock.stamp()})


def _decide(plan: LivePlan, members: tuple[Membership, ...]) -> Decision | None:
    if plan.window is None or plan.boundary is None:
        return None
    outcomes = [member.outcome == "success" for member in members if member.counted]
    return judge(plan.window, plan.boundary, plan.baseline_successes, outcomes)


def _verdict(
    experiment: Experiment, plan: LivePlan, decision: Decision | None, members: tuple[Membership, ...]
) -> tuple[Verdict, str]:
    if decision is not None and decision.verdict is Verdict.REVERTED:
        return Verdict.REVERTED, (
            f"success fell from {plan.baseline_successes} of {len(plan.baseline_sessions)} to {decision.successes} of "
            f"{decision.sessions} sessions (mid-p {decision.mid_p[-1]:.4f} <= {plan.boundary:.4f})"
        )
    if decision is not None and decision.verdict is Verdict.VERIFIED:
        eligible = [m for m in members if m.eligible]
        left_out = sum(not m.counted for m in eligible)
        if left_out > plan.max_left_out * len(eligible):
            return Verdict.INCONCLUSIVE, f"{left_out} of {len(eligible)} eligible sessions had to be left out"
        return Verdict.VERIFIED, (
            f"{decision.successes} of {decision.sessions} sessions succeeded; a loss above the margin is ruled out "
            f"with probability {decision.noninferiority:.3f}"
        )
    if decision is not None and decision.verdict is Verdict.INCONCLUSIVE:
        return Verdict.INCONCLUSIVE, f"{decision.sessions} sessions could neither alarm nor rule a loss out"
    if clock.now() > _applied_at(experiment) + timedelta(days=plan.max_days):
        return Verdict.INCONCLUSIVE, f"undecided after {plan.max_days:g} days"
    if decision is not None:
        return Verdict.UNDECIDED, f"{decision.sessions} of {plan.n} sessions counted"
    seen = sum(m.met for m in members)
    if seen >= plan.n_max:
        return Verdict.INCONCLUSIVE, plan.note
    return Verdict.UNDECIDED, f"{seen} of {plan.n_max} sessions seen; {plan.note}"
