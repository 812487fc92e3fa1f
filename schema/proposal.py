"""What was asked of the proposer, what it drafted, and which failures each draft says it answers."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, Table, UniqueConstraint
from sqlalchemy import text as sql

from .base import identity, integer, metadata, one_of, real, reference, text

OUTCOMES = ("proposed", "drafted", "refused", "skipped")
DRAFT_STATUSES = ("drafted", "refused", "proposed", "passed", "failed_gate")
FAILURE_KINDS = ("scenario", "session", "feedback")

proposal_requests = Table(
    "proposal_requests",
    metadata,
    identity(),
    reference("job_id", "jobs.id"),
    text("profile"),
    text("relpath"),
    integer("dry_run", default=0),
    text("scheduled_for", required=False),
    text("actor"),
    text("principal"),
    text("input_sha256", required=False),
    integer("failures"),
    text("outcome", required=False),
    text("reason", required=False),
    reference("experiment_id", "experiments.id", required=False),
    text("created_at"),
    text("finished_at", required=False),
    one_of("outcome", OUTCOMES, "outcome"),
    CheckConstraint("outcome NOT IN ('refused', 'skipped') OR reason IS NOT NULL", name="says_why"),
    UniqueConstraint("job_id"),
    Index("ix_proposal_requests_profile", "profile"),
    sqlite_autoincrement=True,
)
"""One row per job of kind ``propose``: for which file, by whom, and what came of it."""

proposal_drafts = Table(
    "proposal_drafts",
    metadata,
    identity(),
    reference("request_id", "proposal_requests.id"),
    reference("experiment_id", "experiments.id", required=False),
    text("profile"),
    text("relpath"),
    integer("attempt", required=True),
    text("status"),
    text("reason", required=False),
    text("flags"),
    text("old_text", required=False),
    text("new_text", required=False),
    text("hypothesis", required=False),
    text("expected_effect", required=False),
    text("base_sha256", required=False),
    text("candidate_sha256", required=False),
    text("change_sha256", required=False),
    text("model", required=False),
    integer("input_tokens"),
    integer("output_tokens"),
    integer("cost_micro_usd"),
    real("seconds"),
    text("created_at"),
    text("updated_at"),
    one_of("status", DRAFT_STATUSES, "status"),
    CheckConstraint("status NOT IN ('refused', 'failed_gate') OR reason IS NOT NULL", name="says_why"),
    CheckConstraint(
        "(status IN ('proposed', 'passed', 'failed_gate')) = (experiment_id IS NOT NULL)", name="evaluated_or_not"
    ),
    UniqueConstraint("request_id", "attempt"),
    Index("ix_proposal_drafts_profile_relpath", "profile", "relpath"),
    sqlite_autoincrement=True,
)
"""Every answer of the model, also the refused ones. ``flags`` is a JSON list; texts are stored without secrets."""

Index(
    "uq_proposal_drafts_experiment_id",
    proposal_drafts.c.experiment_id,
    unique=True,
    sqlite_where=sql("experiment_id IS NOT NULL"),
)

proposal_failures = Table(
    "proposal_failures",
    metadata,
    identity(),
    reference("draft_id", "proposal_drafts.id"),
    text("name"),
    text("kind"),
    reference("scenario_id", "scenarios.id", required=False),
    text("session_id", required=False),
    text("summary"),
    one_of("kind", FAILURE_KINDS, "kind"),
    CheckConstraint("(kind = 'scenario') = (scenario_id IS NOT NULL)", name="scenario"),
    CheckConstraint("(kind = 'scenario') = (session_id IS NULL)", name="session"),
    UniqueConstraint("draft_id", "name"),
    sqlite_autoincrement=True,
)
"""The failures a draft says it answers, of those it was shown; an evaluation later says which of them it fixed."""
