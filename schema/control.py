"""What keeps the machinery honest: queued work, the daemon's lease, paused profiles, events, and a count of writes."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text

from .base import identity, integer, metadata, one_of, reference, text

JOB_STATES = ("queued", "running", "finished", "failed", "cancelled")

events = Table(
    "events",
    metadata,
    identity(),
    text("created_at"),
    text("kind"),
    text("profile", required=False),
    integer("experiment_id"),
    integer("job_id"),
    text("payload"),
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    identity(),
    text("kind"),
    text("profile"),
    reference("experiment_id", "experiments.id", required=False),
    text("state"),
    integer("done", default=0),
    integer("total"),
    integer("attempts", default=0),
    integer("cancel_requested", default=0),
    text("error", required=False),
    text("owner", required=False),
    text("not_before", required=False),
    text("created_at"),
    text("started_at", required=False),
    text("finished_at", required=False),
    one_of("state", JOB_STATES, "state"),
    Index("ix_jobs_state", "state"),
    Index("ix_jobs_experiment_id", "experiment_id"),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    text("owner"),
    integer("pid", required=True),
    text("hostname"),
    text("acquired_at"),
    text("heartbeat_at"),
    text("released_at", required=False),
)

profile_controls = Table(
    "profile_controls",
    metadata,
    Column("profile", Text, primary_key=True),
    integer("paused", default=0),
    text("paused_by", required=False),
    text("paused_at", required=False),
    integer("failures", default=0),
    text("last_error", required=False),
    text("retry_at", required=False),
)

write_counter = Table(
    "write_counter",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="id"), primary_key=True),
    integer("writes", required=True),
)
"""How many transactions wrote to this file; a copy of the number is kept outside, to notice when some get lost."""
