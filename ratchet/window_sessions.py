"""The real sessions of a live window: which version each one met, and which of them count, once each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from .. import _metrics, clock, host, schema
from .._metrics import Outcome, Result, Session
from ..evaluation.exposure import Arm, Evidence, arm_met
from . import experiments
from .context import Context
from .experiments import Experiment
from .states import State

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NOT_ELIGIBLE, _UNKNOWN = "not eligible: ", "outcome unknown: "
_SKILLS = "skills/"

Versions = tuple[bytes | None, bytes]
"""The base (None: no file) and the candidate of an experiment."""


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

    @property
    def eligible(self) -> bool:
        """Whether the window was about this session at all; one that was and is not counted had to be left out."""
        return not self.reason.startswith(_NOT_ELIGIBLE)

    @property
    def met(self) -> bool:
        """Whether it provably met the change, its outcome known or not."""
        return self.counted or self.reason.startswith(_UNKNOWN)


def is_open(experiment: Experiment) -> bool:
    """Whether the window still waits for sessions: the change is live and nothing was decided."""
    return experiment.state == State.LIVE and experiment.live_verdict is None


def read(context: Context, experiment: Experiment, since: datetime | None, idle_minutes: float) -> list[Session]:
    """The profile's sessions that started at ``since`` or later, oldest first. Raises SessionsUnavailable."""
    return _metrics.read_sessions(_state_db(context, experiment), since, idle=timedelta(minutes=idle_minutes))


def _state_db(context: Context, experiment: Experiment) -> Path:
    return context.home(experiment.profile) / "state.db"


def met(context: Context, experiment: Experiment, versions: Versions, session: Session) -> Arm | None:
    """The version this session provably met; its messages are read only where a skill's body could be among them."""
    relpath, prompt = experiment.target_relpath, session.system_prompt
    if relpath == "SOUL.md":
        emptied = not all((version or b"").strip() for version in versions)
        evidence = Evidence(prompt, default_identity=host.default_identity() if emptied else "")
    elif relpath.startswith(_SKILLS):
        texts = _metrics.read_texts(_state_db(context, experiment), session)
        evidence = Evidence(prompt, texts.tool_results, texts.user_messages)
    else:
        evidence = Evidence(prompt)
    return arm_met(relpath, *versions, evidence)


def take_in(tx: Connection, experiment_id: int, seen: Sequence[tuple[Session, Arm | None, Outcome]]) -> None:
    """Make these sessions members, each once: another process may have done so, or ended the window, meanwhile."""
    experiment = experiments.load(tx, experiment_id)
    if not is_open(experiment):
        return
    known = {member.session_id for member in members(tx, experiment_id)}
    for session, arm, outcome in seen:
        if session.session_id not in known:
            _keep(tx, experiment, session, arm, outcome)
    counted = _count(tx, experiment_id)
    tx.exec_driver_sql("UPDATE experiments SET live_sessions_observed = ? WHERE id = ?", (counted, experiment_id))


def _keep(tx: Connection, experiment: Experiment, session: Session, arm: Arm | None, outcome: Outcome) -> None:
    reason = _not_counted(experiment, session, arm, outcome)
    row = {
        "experiment_id": experiment.id,
        "observation_id": _observation(tx, experiment.profile, session, outcome),
        "arm": (arm or Arm.CANDIDATE).value,
        "counted": int(not reason),
        "reason": reason or outcome.reason,
        "position": None if reason else _count(tx, experiment.id) + 1,
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.window_sessions).values(row))


def _not_counted(experiment: Experiment, session: Session, arm: Arm | None, outcome: Outcome) -> str:
    """Why a session does not count, empty when it does. What a change is not about is not left out of its window."""
    if session.excluded:
        return f"{_NOT_ELIGIBLE}{session.excluded}"
    if arm is Arm.BASELINE:
        return f"{_NOT_ELIGIBLE}met the version before the change"
    if arm is None and experiment.target_relpath.startswith(_SKILLS):
        return f"{_NOT_ELIGIBLE}never met the file"
    if session.mixed_prompts:
        return "met more than one prompt"
    if arm is None:
        return "cannot be shown to have met the change"
    return f"{_UNKNOWN}{outcome.reason}" if outcome.result is Result.UNKNOWN else ""


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


def members(tx: Connection, experiment_id: int) -> list[Membership]:
    """The sessions of a window, in the order in which they were taken in."""
    rows = tx.exec_driver_sql(
        "SELECT o.session_id, w.arm, w.counted, w.reason, o.outcome, o.errors, o.tokens FROM window_sessions w"
        " JOIN session_observations o ON o.id = w.observation_id WHERE w.experiment_id = ? ORDER BY w.id",
        (experiment_id,),
    )
    return [Membership(r[0], r[1], bool(r[2]), r[3], r[4], r[5], r[6]) for r in rows]
