"""Queued work: evaluations that run in the daemon or inline, survive a kill, can be cancelled and show progress.

Jobs of a paused profile run like any other: a pause stops what changes a profile, and an evaluation changes none.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import insert, or_, select, update

from .. import clock, schema
from .._db import as_record
from .._turnstile import open_lock
from ..errors import BadInput, Conflict, DiskFailed, RatchetError, UnknownJob
from ..ratchet import approval, events, experiments
from ..ratchet.actor import Actor
from ..ratchet.context import Context
from ..ratchet.kept_words import kept

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TABLE = schema.jobs
_SCHEDULES = schema.job_schedules
_ROWS = select(_TABLE, _SCHEDULES.c.seed, _SCHEDULES.c.retries, _SCHEDULES.c.expected_at).outerjoin(_SCHEDULES)
_RETRY_AFTER = timedelta(seconds=20)
_MAX_ERROR = 500
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Job:
    """One piece of work. ``done`` of ``total`` steps are finished; ``total`` is None before it is known.

    A step of an evaluation is an agent run, one of a request for a proposal a draft; the latter has no experiment.
    ``seed`` decides the order of an evaluation's runs, ``retries`` counts those tried again, ``expected_at`` is when
    the last should have ended; each None before anybody knows.
    """

    id: int
    kind: str
    profile: str
    experiment_id: int | None
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
    seed: int | None
    retries: int | None
    expected_at: str | None

    @property
    def is_open(self) -> bool:
        return self.state in ("queued", "running")


def load(tx: Connection, job_id: int) -> Job:
    """One job. Raises UnknownJob."""
    row = tx.execute(_ROWS.where(_TABLE.c.id == job_id)).one_or_none()
    if row is None:
        raise UnknownJob(f"There is no job {job_id}.", job_id=job_id)
    return as_record(Job, row)


def get_job(context: Context, job_id: int) -> Job:
    """One job. Raises UnknownJob."""
    with context.store.read() as tx:
        return load(tx, job_id)


def list_jobs(context: Context, state: str | None = None, limit: int = 100, before: int | None = None) -> list[Job]:
    """Newest first; ``before`` is the id from which the next page goes on.

    Raises BadInput for an unknown state or a limit outside 1..1000.
    """
    if not 1 <= limit <= 1000:
        raise BadInput("limit must be between 1 and 1000.")
    if state is not None and state not in schema.control.JOB_STATES:
        raise BadInput(f"A job is one of {', '.join(schema.control.JOB_STATES)}.")
    query = _ROWS.order_by(_TABLE.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_TABLE.c.state == state)
    if before is not None:
        query = query.where(_TABLE.c.id < before)
    with context.store.read() as tx:
        return [as_record(Job, row) for row in tx.execute(query)]


def queue_evaluation(context: Context, experiment_id: int, actor: Actor) -> Job:
    """Ask for an evaluation; one that is queued or running already is returned instead.

    Raises UnknownExperiment, Conflict for an experiment that is no proposal any more.
    """
    with context.store.write() as tx:
        experiment = experiments.load(tx, experiment_id)
        if experiment.state != "proposed":
            raise Conflict(
                f"Experiment {experiment_id} is {experiment.state}; only a proposal is evaluated.",
                experiment_id=experiment_id,
            )
        wanted = (_TABLE.c.state.in_(("queued", "running"))) & (_TABLE.c.cancel_requested == 0)
        if row := tx.execute(_ROWS.where(_TABLE.c.experiment_id == experiment_id, wanted)).first():
            return as_record(Job, row)
        values = {"kind": "evaluate", "profile": experiment.profile, "experiment_id": experiment_id}
        added = tx.execute(insert(_TABLE).values(**values, state="queued", created_at=clock.stamp()))
        job = load(tx, int(added.lastrowid))
        _set_status(tx, experiment_id, "queued")
        events.emit(tx, "job.queued", profile=job.profile, experiment_id=experiment_id, job_id=job.id, actor=actor.name)
        return job


def cancel(context: Context, job_id: int, actor: Actor) -> Job:
    """Cancel a job that nobody runs at once, a running one at its next step; an ended one stays as it is.

    Raises UnknownJob.
    """
    why = f"cancelled by {actor.name}"
    with context.store.write() as tx:
        job = load(tx, job_id)
        if job.state == "running" and _is_held(context, job_id):
            _change(tx, job_id, cancel_requested=1, error=why)
        elif job.is_open:
            end_cancelled(tx, job, why)
        return load(tx, job_id)


@contextmanager
def claimed(context: Context, job_id: int) -> Iterator[Job]:
    """Hold a job while the block lasts: a queued one, or one whose process was killed.

    What holds it is a file lock, which ends with the process however that dies, and of which one process has one at
    most. Raises UnknownJob, Conflict when somebody else has the job or it has ended, DiskFailed.
    """
    with _lock(context, job_id) as ours:
        with context.store.write() as tx:
            job = _started(tx, load(tx, job_id), ours)
        try:
            yield job
        finally:
            with suppress(RatchetError, OSError):
                if not get_job(context, job_id).is_open:  # nobody asks for this lock any more
                    _lock_file(context, job_id).unlink(missing_ok=True)


def _started(tx: Connection, job: Job, ours: bool) -> Job:
    if not job.is_open:
        raise Conflict(f"Job {job.id} is {job.state}.", job_id=job.id)
    if not ours:
        raise Conflict(f"Job {job.id} is running already ({job.done} of {job.total or '?'}).", job_id=job.id)
    started = job.started_at or clock.stamp()
    _change(tx, job.id, state="running", owner=f"pid {os.getpid()}", started_at=started, not_before=None)
    _set_status(tx, job.experiment_id, "running")
    return load(tx, job.id)


def next_due(context: Context, without: Collection[int] = ()) -> Job | None:
    """The oldest job that can be started now: a queued one, or one whose process is dead."""
    due = or_(_TABLE.c.not_before.is_(None), _TABLE.c.not_before <= clock.stamp())
    query = _ROWS.where(_TABLE.c.state.in_(("queued", "running")), due).order_by(_TABLE.c.id)
    with context.store.read() as tx:
        found = [job for row in tx.execute(query) if (job := as_record(Job, row)).id not in without]
    return next((job for job in found if job.state == "queued" or not _is_held(context, job.id)), None)


def left_alone(context: Context, patience: timedelta) -> list[Job]:
    """Open jobs at which nobody works: their process died, or nobody at all took one up for so long."""
    query = _ROWS.where(_TABLE.c.state.in_(("queued", "running"))).order_by(_TABLE.c.id)
    since = clock.stamp(clock.now() - patience)
    with context.store.read() as tx:
        found = [(as_record(Job, row), max(row.created_at, row.not_before or "")) for row in tx.execute(query)]
    held = {job.id for job, _ in found if job.state == "running" and _is_held(context, job.id)}
    dead = [job for job, _ in found if job.state == "running" and job.id not in held]
    waiting = [job for job, due in found if job.state == "queued" and due < since and not held]
    return sorted([*dead, *waiting], key=lambda job: job.id)


def show_progress(tx: Connection, job_id: int, done: int, total: int) -> None:
    """Write down how far a job is."""
    _change(tx, job_id, done=done, total=total)


def put_back(tx: Connection, job: Job) -> None:
    """Queue a job again that was interrupted; what it finished is kept."""
    _change(tx, job.id, state="queued", owner=None)
    _set_status(tx, job.experiment_id, "queued")


def postpone(tx: Connection, job: Job, why: str, until: datetime) -> None:
    """Queue a job again that must wait for a time; what it finished is kept."""
    _change(tx, job.id, state="queued", owner=None, error=kept(why)[:_MAX_ERROR], not_before=clock.stamp(until))
    _set_status(tx, job.experiment_id, "queued")


def retry_later(tx: Connection, job: Job, error: str) -> bool:
    """Count a failed attempt; queue the job again, later each time. False when it was the last one."""
    attempts = job.attempts + 1
    if attempts >= MAX_ATTEMPTS:
        _change(tx, job.id, attempts=attempts)
        return False
    not_before = clock.stamp(clock.now() + _RETRY_AFTER * attempts)
    _change(
        tx, job.id, state="queued", owner=None, attempts=attempts, error=kept(error)[:_MAX_ERROR], not_before=not_before
    )
    _set_status(tx, job.experiment_id, "queued")
    return True


def end_finished(tx: Connection, job: Job, note: str | None = None) -> None:
    """End a job that did what it was for; the caller says on the experiment what came of it."""
    _end(tx, job, "finished", note)


def end_failed(tx: Connection, job: Job, error: str) -> None:
    """Give up: the job and its experiment say so."""
    _end(tx, job, "failed", kept(error)[:_MAX_ERROR])
    _set_status(tx, job.experiment_id, "failed")


def end_cancelled(tx: Connection, job: Job, why: str) -> None:
    """End a job somebody did not want; what an earlier evaluation found still stands."""
    _end(tx, job, "cancelled", why)
    if job.experiment_id is None:
        return
    measured = approval.latest_report(tx, experiments.load(tx, job.experiment_id))
    _set_status(tx, job.experiment_id, "finished" if measured else "unmeasured")


def _end(tx: Connection, job: Job, state: str, error: str | None) -> None:
    """Runs that are still open here have lost their job."""
    moment = clock.stamp()
    runs = schema.eval_runs
    left = (runs.c.job_id == job.id) & (runs.c.state == "running")
    tx.execute(update(runs).where(left).values(state="failed", finished_at=moment))
    _change(tx, job.id, state=state, owner=None, error=error, finished_at=moment)
    events.emit(tx, f"job.{state}", profile=job.profile, experiment_id=job.experiment_id, job_id=job.id)


def _set_status(tx: Connection, experiment_id: int | None, status: str) -> None:
    tx.exec_driver_sql("UPDATE experiments SET evaluation_status = ? WHERE id = ?", (status, experiment_id))


def _change(tx: Connection, job_id: int, **columns: object) -> None:
    tx.execute(update(_TABLE).where(_TABLE.c.id == job_id).values(**columns))


def _lock_file(context: Context, job_id: int) -> Path:
    return context.data / "locks" / f"job-{job_id}.lock"


@contextmanager
def _lock(context: Context, job_id: int) -> Iterator[bool]:
    """Try to lock a job for as long as the block lasts; False when somebody else has it. Raises DiskFailed."""
    path = _lock_file(context, job_id)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = open_lock(path, os.O_RDWR)
    except OSError as error:
        raise DiskFailed(f"The lock of job {job_id} cannot be opened: {error}.", job_id=job_id) from error
    try:
        yield _locked(fd)
    finally:
        os.close(fd)  # closing releases the lock


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_held(context: Context, job_id: int) -> bool:
    """Whether some process, this one included, is at work on the job."""
    with _lock(context, job_id) as ours:
        return not ours
