"""May this change stay? A plan fixed at approval, real sessions counted once each, and one of three verdicts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from .. import _metrics, clock, host, schema
from .._metrics import Outcome, Result, Session
from ..errors import NoEvidence
from ..evaluation.exposure import Arm, Evidence, arm_met
from ..stats.calibration import Decision, Verdict, WindowPlan, calibrate, judge
from . import blobs, events, experiments, states
from .actor import DAEMON, Actor
from .context import Context
from .experiments import Experiment
from .signal import success_signal
from .states import State

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NOT_ELIGIBLE = "not eligible: "


@dataclass(frozen=True)
class LivePlan:
    """What a window will do, fixed and hashed before its first session.

    ``window`` is None when the profile gives no success signal or has too few baseline sessions; then nothing can be
    tested and the window ends as inconclusive. ``baseline_sessions`` are the sessions the live ones are compared with.
    """

    n: int
    n_max: int
    window: WindowPlan | None
    boundary: float | None
    baseline_successes: int
    baseline_sessions: tuple[str, ...]
    max_days: float
    idle_minutes: float
    max_left_out: float
    success_checks: str
    note: str

    def document(self) -> str:
        """The plan as canonical JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.document().encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Membership:
    """One session of a window: in which arm, counted or why not, and how it went."""

    session_id: str
    arm: str
    counted: bool
    reason: str
    outcome: str
    errors: int | None
    tokens: int | None


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
        return sum(m.counted for m in self.members if m.arm == Arm.CANDIDATE)

    @property
    def errors(self) -> int:
        return sum(m.errors or 0 for m in self.members if m.arm == Arm.CANDIDATE and m.counted)


def make_plan(context: Context, experiment: Experiment) -> LivePlan:
    """The plan for an experiment, from the settings and the profile's newest sessions on the base version."""
    window, settings = context.settings.window, context.settings
    signal = success_signal(settings)
    baseline = _baseline(context, experiment) if signal else []
    note, plan, boundary = "success rate, by sequential mid-p Fisher; errors are counted, not tested", None, None
    if signal is None:
        note = "no success signal configured: nothing is tested"
    elif len(baseline) < window.n_min:
        note = f"only {len(baseline)} baseline sessions with a known outcome: nothing is tested"
    else:
        plan = WindowPlan(
            len(baseline), window.n_min, window.n, window.n_max, window.alpha, window.margin, window.confidence
        )
        boundary = calibrate(plan)
    return LivePlan(
        n=window.n,
        n_max=window.n_max,
        window=plan,
        boundary=boundary,
        baseline_successes=sum(result is Result.SUCCESS for _, result in baseline),
        baseline_sessions=tuple(session_id for session_id, _ in baseline),
        max_days=window.max_days,
        idle_minutes=window.idle_minutes,
        max_left_out=window.max_left_out,
        success_checks=json.dumps(settings.success_checks, sort_keys=True),
        note=note,
    )


def store_plan(tx: Connection, experiment: Experiment, plan: LivePlan) -> str:
    """Keep the plan. Returns its SHA-256."""
    row = {
        "experiment_id": experiment.id,
        "sha256": plan.sha256,
        "document": plan.document(),
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.live_plans).values(row))
    return plan.sha256


def load_plan(tx: Connection, experiment_id: int) -> LivePlan:
    """The stored plan of an experiment. Raises NoEvidence when it was never approved."""
    table = schema.live_plans
    found = tx.execute(select(table.c.document).where(table.c.experiment_id == experiment_id)).scalar_one_or_none()
    if found is None:
        raise NoEvidence(f"Experiment {experiment_id} has no live plan: it was not approved yet.")
    fields: dict[str, Any] = json.loads(found)
    window = fields.pop("window")
    sessions = tuple(fields.pop("baseline_sessions"))
    return LivePlan(window=WindowPlan(**window) if window else None, baseline_sessions=sessions, **fields)


def observe(context: Context, experiment_id: int) -> WindowStatus:
    """Take in the sessions that ended since the change went live, each once, and say where the window stands."""
    experiment = experiments.get(context, experiment_id)
    with context.store.read() as tx:
        plan = load_plan(tx, experiment_id)
        known = _known_sessions(tx, experiment_id)
        base, candidate = blobs.load(tx, experiment.base_sha256), blobs.load(tx, experiment.candidate_sha256)
    since = clock.parse(experiment.applied_at or experiment.created_at)
    fresh = [
        s for s in _sessions(context, experiment, since, plan.idle_minutes) if s.is_over and s.session_id not in known
    ]
    signal = success_signal(context.settings)
    seen = [
        (
            session,
            arm_met(experiment.target_relpath, base, candidate, _evidence(context, experiment, session)),
            _metrics.outcome(session, signal),
        )
        for session in fresh
    ]
    with context.store.write() as tx:
        for session, arm, outcome in seen:
            _take_in(tx, experiment, session, arm, outcome)
        counted = _count(tx, experiment_id)
        tx.exec_driver_sql("UPDATE experiments SET live_sessions_observed = ? WHERE id = ?", (counted, experiment_id))
    return status(context, experiment_id)


def status(context: Context, experiment_id: int) -> WindowStatus:
    """Where a window stands, from what was taken in so far. Raises UnknownExperiment, NoEvidence."""
    with context.store.read() as tx:
        experiment = experiments.load(tx, experiment_id)
        plan = load_plan(tx, experiment_id)
        members = tuple(_members(tx, experiment_id))
    decision = _decide(plan, members)
    verdict, reason = _verdict(experiment, plan, decision, members)
    if experiment.live_verdict:  # decided once, whatever came after
        verdict = Verdict(experiment.live_verdict)
    return WindowStatus(experiment, plan, decision, members, verdict, reason)


def settle_verdict(context: Context, found: WindowStatus) -> None:
    """Write down the window's verdict, once. Taking back is the caller's next step; verifying happens here."""
    experiment = found.experiment
    if found.verdict is Verdict.UNDECIDED or experiment.state != State.LIVE or experiment.live_verdict:
        return
    score = found.decision.successes / found.decision.sessions if found.decision and found.decision.sessions else None
    with context.store.write() as tx:
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
            _verify(tx, experiment.id, DAEMON, found.reason)


def verify(context: Context, experiment_id: int, actor: Actor) -> Experiment:
    """Mark a live change as verified when its window allows it. Raises NoEvidence, IllegalTransition."""
    found = observe(context, experiment_id)
    if found.experiment.state == State.VERIFIED:
        return found.experiment
    if found.experiment.state == State.LIVE and found.verdict is not Verdict.VERIFIED:
        raise NoEvidence(f"The live window does not allow it: {found.reason}.", experiment_id=experiment_id)
    settle_verdict(context, found)
    with context.store.write() as tx:
        if experiments.load(tx, experiment_id).state != State.VERIFIED:
            _verify(tx, experiment_id, actor, found.reason)
        return experiments.load(tx, experiment_id)


def _verify(tx: Connection, experiment_id: int, actor: Actor, reason: str) -> None:
    states.move(tx, experiment_id, State.VERIFIED, actor, reason, {"verified_at": clock.stamp()})


def _sessions(context: Context, experiment: Experiment, since: datetime | None, idle_minutes: float) -> list[Session]:
    idle = timedelta(minutes=idle_minutes)
    return _metrics.read_sessions(_state_db(context, experiment), since, idle=idle)


def _state_db(context: Context, experiment: Experiment) -> Path:
    return context.home(experiment.profile) / "state.db"


def _evidence(context: Context, experiment: Experiment, session: Session) -> Evidence:
    """What the session was given; its messages are read only where a skill's body could be among them."""
    if experiment.target_relpath == "SOUL.md":
        identity = host.default_identity() if experiment.base_sha256 is None else ""
        return Evidence(session.system_prompt, default_identity=identity)
    if not experiment.target_relpath.startswith("skills/"):
        return Evidence(session.system_prompt)
    texts = _metrics.read_texts(_state_db(context, experiment), session)
    return Evidence(session.system_prompt, texts.tool_results, texts.user_messages)


def _baseline(context: Context, experiment: Experiment) -> list[tuple[str, Result]]:
    """The newest sessions that provably met the base version and whose outcome is known, oldest first."""
    base, candidate = experiments.contents(context, experiment)
    signal = success_signal(context.settings)
    found: list[tuple[str, Result]] = []
    for session in reversed(_sessions(context, experiment, None, context.settings.window.idle_minutes)):
        if len(found) == context.settings.window.n0:
            break
        if not session.is_over or session.excluded:
            continue
        outcome = _metrics.outcome(session, signal)
        if outcome.result is Result.UNKNOWN or session.mixed_prompts:
            continue
        evidence = _evidence(context, experiment, session)
        if arm_met(experiment.target_relpath, base, candidate, evidence) is Arm.BASELINE:
            found.append((session.session_id, outcome.result))
    return found[::-1]


def _known_sessions(tx: Connection, experiment_id: int) -> set[str]:
    return {member.session_id for member in _members(tx, experiment_id)}


def _take_in(tx: Connection, experiment: Experiment, session: Session, arm: Arm | None, outcome: Outcome) -> None:
    reason = f"{_NOT_ELIGIBLE}{session.excluded}" if session.excluded else ""
    if not reason and session.mixed_prompts:
        reason = "met more than one prompt"
    if not reason and arm is not Arm.CANDIDATE:
        reason = "did not provably meet the change"
    if not reason and outcome.result is Result.UNKNOWN:
        reason = f"outcome unknown: {outcome.reason}"
    observation = _observation(tx, experiment.profile, session, outcome)
    row = {
        "experiment_id": experiment.id,
        "observation_id": observation,
        "arm": Arm.CANDIDATE.value,
        "counted": int(not reason),
        "reason": reason or outcome.reason,
        "position": None if reason else _count(tx, experiment.id) + 1,
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.window_sessions).values(row))


def _observation(tx: Connection, profile: str, session: Session, outcome: Outcome) -> int:
    """The row of this session, made when it is first seen."""
    table = schema.session_observations
    query = select(table.c.id).where(table.c.profile == profile, table.c.session_id == session.session_id)
    known = tx.execute(query).scalar_one_or_none()
    if known is not None:
        return int(known)
    row = {
        "profile": profile,
        "session_id": session.session_id,
        "source": session.source,
        "model": session.model,
        "outcome": outcome.result.value,
        "outcome_reason": outcome.reason,
        "errors": session.errors,
        "tokens": session.tokens,
        "cost_micro_usd": session.cost_micro_usd,
        "turns": session.turns,
        "started_at": clock.stamp(session.started_at),
        "ended_at": clock.stamp(session.ended_at) if session.ended_at else None,
        "observed_at": clock.stamp(),
    }
    return int(tx.execute(insert(table).values(row)).lastrowid)


def _count(tx: Connection, experiment_id: int) -> int:
    query = "SELECT count(*) FROM window_sessions WHERE experiment_id = ? AND counted = 1"
    return int(tx.exec_driver_sql(query, (experiment_id,)).scalar_one())


def _members(tx: Connection, experiment_id: int) -> list[Membership]:
    rows = tx.exec_driver_sql(
        "SELECT o.session_id, w.arm, w.counted, w.reason, o.outcome, o.errors, o.tokens FROM window_sessions w"
        " JOIN session_observations o ON o.id = w.observation_id WHERE w.experiment_id = ? ORDER BY w.id",
        (experiment_id,),
    )
    return [Membership(r[0], r[1], bool(r[2]), r[3], r[4], r[5], r[6]) for r in rows]


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
        eligible = [m for m in members if not m.reason.startswith(_NOT_ELIGIBLE)]
        left_out = sum(not m.counted for m in eligible)
        if left_out > plan.max_left_out * len(eligible):
            return Verdict.INCONCLUSIVE, f"{left_out} of {len(eligible)} eligible sessions had to be left out"
        return Verdict.VERIFIED, (
            f"{decision.successes} of {decision.sessions} sessions succeeded; a loss above the margin is ruled out "
            f"with probability {decision.noninferiority:.3f}"
        )
    if decision is not None and decision.verdict is Verdict.INCONCLUSIVE:
        return Verdict.INCONCLUSIVE, f"{decision.sessions} sessions could neither alarm nor rule a loss out"
    if experiment.applied_at and clock.now() > clock.parse(experiment.applied_at) + timedelta(days=plan.max_days):
        return Verdict.INCONCLUSIVE, f"undecided after {plan.max_days:g} days"
    counted = sum(m.counted for m in members)
    if decision is None and counted >= plan.n_max:
        return Verdict.INCONCLUSIVE, plan.note
    return Verdict.UNDECIDED, f"{counted} of {plan.n} sessions counted"
