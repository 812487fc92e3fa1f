"""The journal of file operations: what apply and revert were about to do, so that a kill leaves nothing half done."""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql

from .base import identity, integer, metadata, one_of, reference, text

KINDS = ("apply", "revert")
PHASES = ("planned", "written", "committed", "recorded", "undone")

file_operations = Table(
    "file_operations",
    metadata,
    identity(),
    reference("experiment_id", "experiments.id"),
    text("profile"),
    text("kind"),
    text("phase"),
    text("relpath"),
    reference("expected_sha256", "blobs.sha256", required=False),
    reference("new_sha256", "blobs.sha256", required=False),
    integer("mode"),
    text("token"),
    text("git_dir"),
    text("ref"),
    text("parent_sha", required=False),
    text("commit_sha", required=False),
    text("actor"),
    text("principal"),
    text("reason"),
    text("started_at"),
    text("finished_at", required=False),
    text("note", required=False),
    one_of("kind", KINDS, "kind"),
    one_of("phase", PHASES, "phase"),
    Index("ix_file_operations_experiment_id", "experiment_id"),
    sqlite_autoincrement=True,
)

Index(
    "uq_file_operations_open",
    file_operations.c.profile,
    unique=True,
    sqlite_where=sql("finished_at IS NULL"),
)
