"""Asking the proposer for a change: by a person, over HTTP, or when the schedule says so. One open request per file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import insert

from .. import clock, host, schema
from .._db import driver
from ..evaluation import jobs
from ..evaluation.jobs import Job
from ..ratchet import events
from ..ratchet.actor import DAEMON, Actor
from ..ratchet.context import Context
from ..ratchet.files.containment import checked_relpath
from .skips import check_free

if TYPE_CHECKING:
    from sqlalchemy import Connection

KIND = "propose"
_LATE = timedelta(hours=1)
"""A time of the schedule that passed longer ago, while no daemon ran, is left out."""
_OPEN = """
SELECT jobs.id FROM jobs JOIN proposal_requests ON proposal_requests.job_id = jobs.id
WHERE jobs.profile = ? AND jobs.state IN ('queued', 'running') AND jobs.cancel_requested = 0
  AND proposal_requests.relpath = ? AND proposal_requests.dry_run = ?
"""
_ASKED = "SELECT 1 FROM proposal_requests WHERE profile = ? AND relpath = ? AND scheduled_for = ?"


def ask(context: Context, profile: str, relpath: str, actor: Actor, *, dry_run: bool = False) -> Job:
    """Ask for one change to a file; a request that waits or runs already is returned instead.

    ``dry_run`` asks for drafts that nobody will evaluate. Raises UnknownProfile, PathRefused, and Skipped when the
    answer is clear at once.
    """
    target = str(checked_relpath(context.home(profile), relpath, context.settings.changes))
    if not dry_run:
        check_free(context, profile, target)
    with context.store.write() as tx:
        return _open(tx, profile, target, dry_run) or _queue(tx, profile, target, actor, dry_run=dry_run)


def ask_when_due(context: Context, now: datetime | None = None) -> list[Job]:
    """Queue what the schedule (local time) asks for now, once for each of its times. Returns the new jobs.

    What cannot be proposed now is written down by the job itself.
    """
    schedule = context.settings.proposer.schedule
    moment = (now or clock.now()).astimezone()
    due = _last_time(schedule, moment) if schedule else None
    if due is None or moment - due > _LATE:
        return []
    stamp = clock.stamp(due)
    with context.store.read() as tx:
        if not any(_missing(tx, context, stamp)):
            return []
    with context.store.write() as tx:
        missing = list(_missing(tx, context, stamp))
        return [_queue(tx, profile, relpath, DAEMON, scheduled_for=stamp) for profile, relpath in missing]


def _last_time(schedule: str, moment: datetime) -> datetime | None:
    """When the schedule last asked; None for one that never does."""
    from croniter import CroniterBadDateError, croniter

    try:
        found: datetime = croniter(schedule, moment).get_prev(datetime)
    except CroniterBadDateError:
        return None
    return found


def _missing(tx: Connection, context: Context, due: str) -> Iterator[tuple[str, str]]:
    """Profiles and files for which the schedule asks at this time and nobody has asked yet."""
    for profile in host.profiles():
        if not host.plugin_enabled(profile.home):
            continue
        for relpath in context.settings.proposer.files:
            asked = driver(tx).execute(_ASKED, (profile.name, relpath, due)).fetchone()
            if not asked and not _open(tx, profile.name, relpath, False):
                yield profile.name, relpath


def _open(tx: Connection, profile: str, relpath: str, dry_run: bool) -> Job | None:
    found = driver(tx).execute(_OPEN, (profile, relpath, int(dry_run))).fetchone()
    return jobs.load(tx, found[0]) if found else None


def _queue(
    tx: Connection,
    profile: str,
    relpath: str,
    actor: Actor,
    *,
    dry_run: bool = False,
    scheduled_for: str | None = None,
) -> Job:
    moment = clock.stamp()
    job = {"kind": KIND, "profile": profile, "state": "queued", "created_at": moment}
    job_id = int(tx.execute(insert(schema.jobs).values(job)).lastrowid)
    request = {
        "job_id": job_id,
        "profile": profile,
        "relpath": relpath,
        "dry_run": int(dry_run),
        "scheduled_for": scheduled_for,
        "actor": actor.name,
        "principal": actor.principal,
        "created_at": moment,
    }
    tx.execute(insert(schema.proposal_requests).values(request))
    events.emit(tx, "job.queued", profile=profile, job_id=job_id, actor=actor.name, what=KIND)
    return jobs.load(tx, job_id)
