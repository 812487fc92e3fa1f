"""How often a held-out set was asked: each confirmation that began, what it came to, and when the set was changed."""

from __future__ import annotations

from sqlalchemy import Index, Table, UniqueConstraint

from .base import identity, integer, metadata, real, reference, text

holdout_rotations = Table(
    "holdout_rotations",
    metadata,
    identity(),
    text("profile"),
    integer("version", required=True),
    text("released"),
    text("held_out"),
    text("seed"),
    text("actor"),
    text("principal"),
    text("created_at"),
    UniqueConstraint("profile", "version"),
    sqlite_autoincrement=True,
)
"""One row per version of a held-out set after the first. ``released`` and ``held_out`` are JSON lists of ids."""

holdout_reads = Table(
    "holdout_reads",
    metadata,
    identity(),
    text("profile"),
    integer("version", required=True),
    reference("experiment_id", "experiments.id"),
    reference("job_id", "jobs.id"),
    text("change_sha256"),
    text("created_at"),
    UniqueConstraint("version", "job_id"),
    Index("ix_holdout_reads_profile_version", "profile", "version"),
    sqlite_autoincrement=True,
)
"""Every confirmation that was begun, whether or not it ended. ``change_sha256`` names the change by its bytes."""

confirmations = Table(
    "confirmations",
    metadata,
    identity(),
    text("profile"),
    integer("version", required=True),
    reference("experiment_id", "experiments.id"),
    text("change_sha256"),
    reference("baseline_run_id", "eval_runs.id"),
    reference("candidate_run_id", "eval_runs.id"),
    text("scenario_set_hash"),
    real("p"),
    real("level"),
    text("verdict"),
    text("created_at"),
    UniqueConstraint("profile", "version", "change_sha256"),
    sqlite_autoincrement=True,
)
"""What each change came to on a version: once. ``p`` is null when no held-out scenario gave a result in both arms."""
