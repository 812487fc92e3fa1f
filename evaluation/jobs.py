"""Queued work: evaluations that run in the daemon or inline, survive a kill, can be cancelled and show progress."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import psutil
from sqlalchemy import insert, or_, select, update

from .. import clock, schema
from .._db import as_record
from ..errors import BadInput, Conflict, UnknownJob
from ..ratchet import events, experiments
from ..ratchet.actor import Actor
from ..ratchet.context import Context

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TABLE = schema.jobs
_RETRY_AFTER = timedelta(seconds=20)
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Job:
    """One piece of work. ``done`` of ``total`` agent runs are finished; ``total`` is None before it is known."""

    id: int
    kind: str
    profile: str
    experiment_id: int
    state: str
    done: int
    total: int | None
    attempts: int
    cancel_requested: int
    error: str | None
    owner: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None

    @property
    def is_open(self) -> bool:
        return self.state in ("queued", "running")


def load(tx: Connection, job_id: int) -> Job:
    """One job. Raises UnknownJob."""
    row = tx.execute(select(_TABLE).where(_TABLE.c.id == job_id)).one_or_none()
    if row is None:
        raise UnknownJob(f"There is no job {job_id}.", job_id=job_id)
    return as_record(Job, row)


def get_job(context: Context, job_id: int) -> Job:
    """One job. Raises UnknownJob."""
    with context.store.read() as tx:
        return load(tx, job_id)


def list_jobs(context: Context, state: str | None = None, limit: int = 100) -> list[Job]:
    """Newest first. Raises BadInput for an unknown state."""
    if state is not None and state not in schema.control.JOB_STATES:
        raise BadInput(f"A job is one of {', '.join(schema.control.JOB_STATES)}.")
    query = select(_TABLE).order_by(_TABLE.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_TABLE.c.state == state)
    with context.store.read() as tx:
        return [as_record(Job, row) for row in tx.execute(query)]


def queue_evaluation(context: Context, experiment_id: int, actor: Actor) -> Job:
    """Ask for an evaluation; one that is queued or running already is returned instead. Raises UnknownExperiment."""
    with context.store.write() as tx:
        experiment = experiments.load(tx, experiment_id)
        if experiment.state != "proposed":
            raise Conflict(
                f"Experiment {experiment_id} is {experiment.state}; only a proposal is evaluated.",
                experiment_id=experiment_id,
            )
        table = _TABLE
        query = select(table).where(table.c.experiment_id == experiment_id, table.c.state.in_(("queued", "running")))
        if row := tx.execute(query).first():
            return as_record(Job, row)
        values = {"kind": "evaluate", "profile": experiment.profile, "experiment_id": experiment_id}
        added = tx.execute(insert(table).values(**values, state="queued", created_at=clock.stamp()))
        job = load(tx, int(added.lastrowid))
        _set_status(tx, experiment_id, "queued")
        events.emit(tx, "job.queued", profile=job.profile, experiment_id=experiment_id, job_id=job.id, actor=actor.name)
        return job


def cancel(context: Context, job_id: int, actor: Actor) -> Job:
    """Cancel a queued job at once, a running one at its next step; a finished one stays as it is. Raises UnknownJob."""
    with context.store.write() as tx:
        job = load(tx, job_id)
        if job.state == "queued":
            finish(tx, job, "cancelled", f"cancelled by {actor.name}")
            _set_status(tx, job.experiment_id, "unmeasured")
        elif job.state == "running":
            _change(tx, job_id, cancel_requested=1)
        return load(tx, job_id)


def claim(context: Context, job_id: int) -> Job:
    """Take a queued job for this process. Raises UnknownJob, Conflict when somebody else has it or it has ended."""
    with context.store.write() as tx:
        job = load(tx, job_id)
        if job.state == "running" and not _is_dead(job.owner):
            raise Conflict(f"Job {job_id} is running already ({job.done} of {job.total or '?'}).", job_id=job_id)
        if not job.is_open:
            raise Conflict(f"Job {job_id} is {job.state}.", job_id=job_id)
        started = job.started_at or clock.stamp()
        _change(tx, job_id, state="running", owner=_me(), started_at=started, not_before=None)
        _set_status(tx, job.experiment_id, "running")
        return load(tx, job_id)


def next_due(context: Context) -> Job | None:
    """The oldest job that can be started now: a queued one, or one whose process is dead."""
    table = _TABLE
    due = or_(table.c.not_before.is_(None), table.c.not_before <= clock.stamp())
    query = select(table).where(table.c.state.in_(("queued", "running")), due).order_by(table.c.id)
    with context.store.read() as tx:
        found = [as_record(Job, row) for row in tx.execute(query)]
    return next((job for job in found if job.state == "queued" or _is_dead(job.owner)), None)


def show_progress(tx: Connection, job_id: int, done: int, total: int) -> None:
    """Write down how far a job is."""
    _change(tx, job_id, done=done, total=total)


def put_back(tx: Connection, job: Job) -> None:
    """Queue a job again that was interrupted; what it finished is kept."""
    _change(tx, job.id, state="queued", owner=None)
    _set_status(tx, job.experiment_id, "queued")


def retry_later(tx: Connection, job: Job, error: str) -> bool:
    """Count a failed attempt; queue the job again, later each time. False when it was the last one."""
    attempts = job.attempts + 1
    if attempts >= MAX_ATTEMPTS:
        _change(tx, job.id, attempts=attempts)
        return False
    not_before = clock.stamp(clock.now() + _RETRY_AFTER * attempts)
    _change(tx, job.id, state="queued", owner=None, attempts=attempts, error=error, not_before=not_before, done=0)
    _set_status(tx, job.experiment_id, "queued")
    return True


def finish(tx: Connection, job: Job, state: str, error: str | None = None) -> None:
    """End a job, whatever came of it."""
    _change(tx, job.id, state=state, error=error, finished_at=clock.stamp())
    events.emit(tx, f"job.{state}", profile=job.profile, experiment_id=job.experiment_id, job_id=job.id)


def _set_status(tx: Connection, experiment_id: int, status: str) -> None:
    tx.exec_driver_sql("UPDATE experiments SET evaluation_status = ? WHERE id = ?", (status, experiment_id))


def _change(tx: Connection, job_id: int, **columns: object) -> None:
    tx.execute(update(_TABLE).where(_TABLE.c.id == job_id).values(**columns))


def _me() -> str:
    """This process, so that others can see whether it still runs: host, pid and start time."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def _is_dead(owner: str | None) -> bool:
    """Whether the process that claimed a job has ended; one on another machine is taken to be alive."""
    if owner is None:
        return True
    hostname, pid, started = owner.rsplit(":", 2)
    if hostname != socket.gethostname():
        return False
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started)) > 1.0
    except psutil.NoSuchProcess:
        return True
