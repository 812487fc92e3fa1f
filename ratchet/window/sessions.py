"""The real sessions of a live window: which version each one met, and which of them count, once each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert, select

from ... import _metrics, clock, host, schema
from ..._db import driver
from ..._metrics import Outcome, Result, Session, SuccessCheck
from ...evaluation.running.exposure import Arm, Evidence, arm_met
from .. import experiments
from ..context import Context
from ..experiments import Experiment
from ..states import State
from . import host_versions
from .host_versions import HostVersions
from .live_plan import LivePlan, Measure
from .memberships import NOT_ELIGIBLE, UNKNOWN, known_sessions, members

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SKILLS = "skills/"

Versions = tuple[bytes | None, bytes]
"""The base (None: no file) and the candidate of an experiment."""

UNREADABLE = "its contents cannot be read"
BROKEN_CONTENTS = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError)
"""What contents that nobody foresaw raise: they are no reason to stop looking at all other sessions."""


class Seen(NamedTuple):
    """A session, the version it provably met and how it ended; ``unreadable`` is why neither is known, else empty."""

    session: Session
    arm: Arm | None
    outcome: Outcome
    unreadable: str = ""


def is_open(experiment: Experiment) -> bool:
    """Whether the window still waits for sessions: the change is live and nothing was decided."""
    return experiment.state == State.LIVE and experiment.live_verdict is None


def read(context: Context, experiment: Experiment, since: datetime | None, idle_minutes: float) -> list[Session]:
    """The profile's sessions that started at ``since`` or later, oldest first. Raises SessionsUnavailable."""
    return _metrics.read_sessions(_state_db(context, experiment), since, idle=timedelta(minutes=idle_minutes))


def _state_db(context: Context, experiment: Experiment) -> Path:
    return context.home(experiment.profile) / "state.db"


def scope(relpath: str) -> str:
    """The skill whose readers a change of this file is about; empty when it is about all sessions."""
    return relpath if relpath.startswith(_SKILLS) else ""


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


def look_at(
    context: Context, experiment: Experiment, versions: Versions, session: Session, signal: SuccessCheck | None
) -> Seen:
    """What a session says about the experiment; of one whose contents break the reading, that. Raises RatchetError."""
    try:
        return Seen(session, met(context, experiment, versions, session), _metrics.outcome(session, signal))
    except BROKEN_CONTENTS as error:
        why = f"{UNREADABLE} ({type(error).__name__})"
        return Seen(session, None, Outcome(Result.UNKNOWN, why), why)


# --- who counts


def is_comparable(session: Session, model: str | None) -> bool:
    """Whether the baseline's model alone took part in a session; where either is not known, nothing speaks against."""
    used = session.models or ((session.model,) if session.model else ())
    return model is None or set(used) <= {model}


def take_in(tx: Connection, experiment_id: int, plan: LivePlan, seen: Sequence[Seen]) -> None:
    """Make these sessions members, each once: another process may have done so, or ended the window, meanwhile."""
    experiment = experiments.load(tx, experiment_id)
    if not is_open(experiment):
        return
    known, versions = known_sessions(tx, experiment_id), host_versions.load(tx)
    for one in seen:
        if one.session.session_id not in known:
            _keep(tx, experiment, plan, versions, one)
    note_count(tx, experiment)


def note_count(tx: Connection, experiment: Experiment) -> None:
    """Let the experiment say how many sessions of its window count."""
    found = sum(member.counted for member in members(tx, experiment))
    driver(tx).execute("UPDATE experiments SET live_sessions_observed = ? WHERE id = ?", (found, experiment.id))


def _keep(tx: Connection, experiment: Experiment, plan: LivePlan, versions: HostVersions, seen: Seen) -> None:
    reason = _not_counted(experiment, plan, versions, seen)
    row = {
        "experiment_id": experiment.id,
        "observation_id": _observation(tx, experiment.profile, seen.session, seen.outcome),
        "arm": (seen.arm or Arm.CANDIDATE).value,
        "counted": int(not reason),
        "reason": reason or seen.outcome.reason,
        "position": None if reason else _count(tx, experiment.id) + 1,
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.window_sessions).values(row))


def _not_counted(experiment: Experiment, plan: LivePlan, versions: HostVersions, seen: Seen) -> str:
    """Why a session does not count, empty when it does. What a change is not about is not left out of its window.

    An unknown outcome comes last: a person's word on it can still make it count.
    """
    session, arm, outcome, unreadable = seen
    if session.excluded:
        return f"{NOT_ELIGIBLE}{session.excluded}"
    if unreadable:
        return unreadable
    if arm is Arm.BASELINE:
        return f"{NOT_ELIGIBLE}met the version before the change"
    if arm is None and scope(experiment.target_relpath):
        return f"{NOT_ELIGIBLE}never met the file"
    if session.mixed_prompts:
        return "met more than one prompt"
    if arm is None:
        return "cannot be shown to have met the change"
    if not is_comparable(session, plan.model):
        return "another model than the baseline's"
    if versions.at(session.started_at) != plan.host_version:
        return "another host version than the baseline's"
    if Measure.COST in plan.measures and session.cost_micro_usd is None:
        return "its cost is not known"
    unknown = outcome.result is Result.UNKNOWN and needs_outcome(plan)
    return f"{UNKNOWN}{outcome.reason}" if unknown else ""


def needs_outcome(plan: LivePlan) -> bool:
    """Whether a session without an outcome is of no use; where errors and cost alone are tested, it is."""
    return Measure.SUCCESS in plan.measures or not plan.tests


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
    return int(driver(tx).execute(query, (experiment_id,)).fetchone()[0])
