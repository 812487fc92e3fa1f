"""What evaluations cost, run by run, and when a job that is under way is expected to end."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table

from .base import identity, integer, metadata, reference, text

spending = Table(
    "spending",
    metadata,
    identity(),
    reference("job_id", "jobs.id"),
    text("profile"),
    integer("tries", required=True),
    integer("calls"),
    integer("tokens"),
    integer("cost_micro_usd"),
    text("created_at"),
    Index("ix_spending_created_at", "created_at"),
    Index("ix_spending_job_id", "job_id"),
    sqlite_autoincrement=True,
)
"""One row per agent run that was kept, all its tries together; null where the provider did not say."""

job_schedules = Table(
    "job_schedules",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="RESTRICT"), primary_key=True),
    integer("seed", required=True),
    integer("retries", default=0),
    text("expected_at", required=False),
)
"""In which order a job's runs go, how often one was tried again, and when the last is expected to end."""
