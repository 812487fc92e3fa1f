"""May this change stay? A plan fixed at approval, real sessions counted once each, and one of three verdicts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ... import clock
from ..._db import driver
from ...errors import NoEvidence
from ...stats.calibration import Verdict
from .. import experiments, states
from ..actor import DAEMON, Actor
from ..context import Context
from ..experiments import Experiment
from ..states import State
from . import contamination, findings, memberships, planning, sessions, settlements, weighing
from .live_plan import LivePlan, keep_plan, kept_sha256, load_plan
from .memberships import Membership
from .planning import check_prepared, make_plan
from .settlements import Settlement
from .signal import success_signal
from .status import WindowStatus

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = [
    "LivePlan",
    "Membership",
    "WindowStatus",
    "check_prepared",
    "keep_plan",
    "kept_sha256",
    "load_plan",
    "make_plan",
    "observe",
    "settle_verdict",
    "status",
    "verify",
]


def observe(context: Context, experiment_id: int) -> WindowStatus:
    """Take in the sessions that ended since the change went live, each once, and say where the window stands.

    A window that is not open takes nothing in. Raises UnknownExperiment, NoEvidence, SessionsUnavailable.
    """
    with context.store.read() as tx:
        experiment = contamination.dated(tx, experiments.load(tx, experiment_id))
        plan = load_plan(tx, experiment_id)
        known = memberships.known_sessions(tx, experiment_id)
    if not sessions.is_open(experiment):
        return status(context, experiment_id)
    versions = experiments.contents(context, experiment)
    signal = success_signal(plan.success_checks)  # the plan's, whatever was configured since
    seen = [
        sessions.look_at(context, experiment, versions, session, signal)
        for session in sessions.read(context, experiment, _applied_at(experiment), plan.idle_minutes)
        if session.is_over and session.session_id not in known
    ]
    if seen:
        with context.store.write() as tx:
            sessions.take_in(tx, experiment_id, plan, seen)
    found = status(context, experiment_id)
    if found.counted != found.experiment.live_sessions_observed and sessions.is_open(found.experiment):
        with context.store.write() as tx:  # a person's word made a session count
            sessions.note_count(tx, experiment)
        return status(context, experiment_id)
    return found


def _applied_at(experiment: Experiment) -> datetime:
    return clock.parse(experiment.applied_at or experiment.updated_at)


def status(context: Context, experiment_id: int) -> WindowStatus:
    """Where a window stands, from what was taken in so far; of a proposal, the window it would get.

    Computes nothing that takes long. Raises UnknownExperiment, NoEvidence when there is no plan yet.
    """
    seen = experiments.get(context, experiment_id)
    draft = planning.draft(context, seen) if seen.state == State.PROPOSED else None
    with context.store.read() as tx:
        experiment = contamination.dated(tx, experiments.load(tx, experiment_id))
        plan = draft or load_plan(tx, experiment_id)
        settled = settlements.load(tx, experiment_id) if experiment.live_verdict else None
        until = settled.newest_word if settled else memberships.newest_word(tx)
        members = tuple(memberships.members(tx, experiment, until))
        contaminated = contamination.found(tx, experiment) if sessions.is_open(experiment) else None
    looks = tuple(weighing.looks(plan, [m.figures for m in members if m.counted]))
    decision = weighing.decide(plan, looks)
    undecided = WindowStatus(
        experiment, plan, decision, looks, members, Verdict.UNDECIDED, "", contaminated, newest_word=until
    )
    verdict, reason = _standing(undecided, settled)
    return WindowStatus(experiment, plan, decision, looks, members, verdict, reason, contaminated, until)


def _standing(found: WindowStatus, settled: Settlement | None) -> tuple[Verdict, str]:
    if found.experiment.live_verdict:  # decided once, whatever came after
        return Verdict(found.experiment.live_verdict), settled.reason if settled else ""
    if found.experiment.state != State.LIVE:
        return Verdict.UNDECIDED, f"the window is not open: the experiment is {found.experiment.state}"
    return _verdict(found)


def _verdict(found: WindowStatus) -> tuple[Verdict, str]:
    decision, plan = found.decision, found.plan
    said = decision.verdict if decision else Verdict.UNDECIDED
    if found.contaminated:
        alarm = f"; {findings.fall(found.plan, found.looks, found.figures)}" if said is Verdict.REVERTED else ""
        return Verdict.INCONCLUSIVE, f"contaminated: {found.contaminated} while the window was open{alarm}"
    if said is Verdict.REVERTED:
        fall = findings.fall(plan, found.looks, found.figures)
        return (Verdict.INCONCLUSIVE, f"{fall}; {findings.doubt(plan)}") if plan.asks else (Verdict.REVERTED, fall)
    if said is Verdict.VERIFIED:
        if found.too_many_left_out:
            eligible = len(found.left_out) + found.counted
            return Verdict.INCONCLUSIVE, f"{len(found.left_out)} of {eligible} eligible sessions had to be left out"
        return Verdict.VERIFIED, findings.hold(plan, found.looks, found.figures)
    if decision is not None and said is Verdict.INCONCLUSIVE:
        unsure = f" ({' and '.join(decision.unsure)})" if len(plan.tests) > 1 else ""
        return said, f"{decision.sessions} sessions could neither alarm nor rule a loss out{unsure}"
    if clock.now() > _applied_at(found.experiment) + timedelta(days=plan.max_days):
        return Verdict.INCONCLUSIVE, f"undecided after {plan.max_days:g} days"
    if decision is not None:
        goal = plan.n if decision.sessions < plan.n else plan.n_max
        return Verdict.UNDECIDED, f"{decision.sessions} of {goal} sessions counted"
    seen = sum(m.met for m in found.members)
    verdict = Verdict.INCONCLUSIVE if seen >= plan.n_max else Verdict.UNDECIDED
    return verdict, plan.note if seen >= plan.n_max else f"{seen} of {plan.n_max} sessions seen; {plan.note}"


def settle_verdict(context: Context, found: WindowStatus, actor: Actor = DAEMON) -> None:
    """Write down the window's verdict, once. Taking back is the caller's next step; verifying happens here."""
    if found.verdict is Verdict.UNDECIDED:
        return
    with context.store.write() as tx:
        experiment = experiments.load(tx, found.experiment.id)
        if not sessions.is_open(experiment):
            return
        driver(tx).execute(
            "UPDATE experiments SET live_verdict = ?, live_score = ? WHERE id = ?",
            (found.verdict.value, found.score, experiment.id),
        )
        settled = Settlement(found.verdict, found.reason, len(found.figures), found.newest_word)
        settlements.keep(tx, experiment, settled)
        if found.verdict is Verdict.VERIFIED:
            _verify(tx, experiment.id, actor, f"{found.reason} ({found.plan.badge})")


def verify(context: Context, experiment_id: int, actor: Actor) -> Experiment:
    """Mark a live change as verified when its window allows it. Raises NoEvidence, IllegalTransition."""
    found = observe(context, experiment_id)
    if found.experiment.state == State.LIVE and found.verdict is not Verdict.VERIFIED:
        asked = found.verdict is Verdict.INCONCLUSIVE
        way_out = f" To decide it yourself: hermes ratchet decide {experiment_id} --help" if asked else ""
        raise NoEvidence(f"The live window does not allow it: {found.reason}.{way_out}", experiment_id=experiment_id)
    settle_verdict(context, found, actor)
    with context.store.write() as tx:
        experiment = experiments.load(tx, experiment_id)
        if experiment.state == State.LIVE and experiment.live_verdict != Verdict.VERIFIED:
            raise NoEvidence(
                f"The window of experiment {experiment_id} ended as {experiment.live_verdict} meanwhile. See: hermes "
                f"ratchet live {experiment_id}",
                experiment_id=experiment_id,
            )
        if experiment.state != State.VERIFIED:
            _verify(tx, experiment_id, actor, found.reason)
        return experiments.load(tx, experiment_id)


def _verify(tx: Connection, experiment_id: int, actor: Actor, reason: str) -> None:
    states.move(tx, experiment_id, State.VERIFIED, actor, reason, {"verified_at": clock.stamp()})
