"""What stands where: each profile with its change in flight, its figures and its troubles; the daemon; the queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from .. import clock, host, schema
from .._db import as_record
from ..evaluation.scenario import scenarios
from ..ratchet import approval, controls, lease
from ..ratchet.approval import Approval
from ..ratchet.context import Context
from ..ratchet.controls import Control
from ..ratchet.experiments import Experiment
from ..ratchet.signing import consent
from ..ratchet.signing.consent import Trust
from ..ratchet.states import IN_FLIGHT, State

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Standing(StrEnum):
    """What a profile is doing, in a word or two; the first that fits."""

    PAUSED = "paused"
    BACKING_OFF = "backing off"
    LIVE = "live"
    APPROVED = "approved"
    PROPOSED = "proposed"
    IDLE = "idle"


@dataclass(frozen=True)
class DaemonState:
    """Whether anybody watches. ``working`` is whether the lease is held; ``alive`` whether apply would go ahead."""

    alive: bool
    working: bool
    heartbeat_at: str | None
    pid: int | None


@dataclass(frozen=True)
class ProfileOverview:
    """One profile. Counts are of the whole history; scores and times are None before there was any."""

    profile: str
    home: Path
    control: Control
    in_flight: Experiment | None
    experiment_counts: dict[str, int]
    scenario_counts: dict[str, int]
    baseline_score: float | None
    measured: bool
    last_proposal_at: str | None
    last_collection_at: str | None
    last_verification_at: str | None

    @property
    def standing(self) -> Standing:
        if self.control.paused:
            return Standing.PAUSED
        if self.backing_off:
            return Standing.BACKING_OFF
        if self.in_flight:
            return Standing(self.in_flight.state)
        return Standing.PROPOSED if self.experiment_counts[State.PROPOSED] else Standing.IDLE

    @property
    def backing_off(self) -> bool:
        """Whether the daemon waits before it tries this profile again."""
        return bool(self.control.retry_at and clock.parse(self.control.retry_at) > clock.now())


@dataclass(frozen=True)
class Overview:
    """The whole machine. ``approval`` is the mode that counts, which reviewers outrank the settings in."""

    approval: str
    trust: Trust
    auto_apply: bool
    daemon: DaemonState
    jobs_queued: int
    jobs_running: int
    profiles: tuple[ProfileOverview, ...] = field(default=())


def look(context: Context, profile: str | None = None) -> Overview:
    """Where everything stands, or one profile. Raises UnknownProfile."""
    profiles = host.profiles() if profile is None else [host.profile(profile)]
    with context.store.read() as tx:
        running, trust = _job_counts(tx), consent.look(context, tx)
        return Overview(
            approval=trust.mode,
            trust=trust,
            auto_apply=context.settings.auto_apply,
            daemon=_daemon(tx, context),
            jobs_queued=running.get("queued", 0),
            jobs_running=running.get("running", 0),
            profiles=tuple(_profile(tx, one) for one in profiles),
        )


def trust(context: Context) -> Trust:
    """Who can agree to a change here, and what is wrong with that."""
    with context.store.read() as tx:
        return consent.look(context, tx)


def daemon_state(context: Context) -> DaemonState:
    """Whether a daemon is heard of."""
    with context.store.read() as tx:
        return _daemon(tx, context)


def approval_of(context: Context, experiment_id: int) -> Approval | None:
    """On what grounds an experiment was approved; None when it never was."""
    with context.store.read() as tx:
        return approval.latest(tx, experiment_id)


def _daemon(tx: Connection, context: Context) -> DaemonState:
    held, settings = lease.current(tx), context.settings.daemon
    alive, working = lease.is_watched(tx, settings.heard_within_s), lease.is_watched(tx, settings.lease_s)
    return DaemonState(alive, working, held.heartbeat_at if held else None, held.pid if held and working else None)


def _job_counts(tx: Connection) -> dict[str, int]:
    table = schema.jobs
    rows = tx.execute(select(table.c.state, func.count()).group_by(table.c.state))
    return {str(state): int(count) for state, count in rows}


def _profile(tx: Connection, profile: host.Profile) -> ProfileOverview:
    baseline = _newest_score(tx, profile.name)
    return ProfileOverview(
        profile=profile.name,
        home=profile.home,
        control=controls.control(tx, profile.name),
        in_flight=_in_flight(tx, profile.name),
        experiment_counts=_experiment_counts(tx, profile.name),
        scenario_counts=_scenario_counts(tx, profile.name),
        baseline_score=baseline,
        measured=baseline is not None,
        last_proposal_at=_newest(tx, "experiments", "created_at", profile.name),
        last_collection_at=_newest(tx, "metrics_snapshots", "captured_at", profile.name),
        last_verification_at=_newest(tx, "experiments", "verified_at", profile.name),
    )


def _in_flight(tx: Connection, profile: str) -> Experiment | None:
    table = schema.experiments
    states = [state.value for state in IN_FLIGHT]
    row = tx.execute(select(table).where(table.c.profile == profile, table.c.state.in_(states))).one_or_none()
    return None if row is None else as_record(Experiment, row)


def _experiment_counts(tx: Connection, profile: str) -> dict[str, int]:
    table = schema.experiments
    query = select(table.c.state, func.count()).where(table.c.profile == profile).group_by(table.c.state)
    found = {str(state): int(count) for state, count in tx.execute(query)}
    return {state.value: found.get(state.value, 0) for state in State}


def _scenario_counts(tx: Connection, profile: str) -> dict[str, int]:
    table = schema.scenarios
    query = (
        select(table.c.holdout, func.count())
        .where(table.c.profile == profile, table.c.deleted_at.is_(None))
        .group_by(table.c.holdout)
    )
    found = {int(holdout): int(count) for holdout, count in tx.execute(query)}
    return {"train": found.get(0, 0), "holdout": found.get(1, 0)}


def _newest_score(tx: Connection, profile: str) -> float | None:
    """The score of the newest baseline on today's train scenarios; one on others says nothing any more."""
    table = schema.baselines
    today = scenarios.set_hash(scenarios.train_set(tx, profile))
    still = (table.c.split == "train") & (table.c.scenario_set_hash == today)
    query = select(table.c.score).where(table.c.profile == profile, still, table.c.score.is_not(None))
    found = tx.execute(query.order_by(table.c.id.desc()).limit(1)).scalar_one_or_none()
    return None if found is None else float(found)


def _newest(tx: Connection, table_name: str, column: str, profile: str) -> str | None:
    table = schema.metadata.tables[table_name]
    found = tx.execute(select(func.max(table.c[column])).where(table.c.profile == profile)).scalar_one_or_none()
    return None if found is None else str(found)
