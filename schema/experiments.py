"""Experiments and their audit trail: one row per proposed change, one chained row per step it took."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, Table, Text
from sqlalchemy import text as sql

from .base import identity, integer, metadata, one_of, real, reference, text

STATES = ("proposed", "approved", "live", "verified", "reverted", "rejected")
EVALUATION_STATUSES = ("unmeasured", "queued", "running", "finished", "failed")
LIVE_VERDICTS = ("reverted", "verified", "inconclusive")
LEGAL_EDGES: tuple[tuple[str, str], ...] = (
    ("proposed", "approved"),
    ("proposed", "rejected"),
    ("approved", "live"),
    ("approved", "rejected"),
    ("live", "verified"),
    ("live", "reverted"),
    ("verified", "reverted"),
)


def edge(start: str | None, end: str) -> str:
    """An edge as one text, ``start>end``; the proposal itself starts from nothing."""
    return f"{start or ''}>{end}"


_STEPS = (edge(None, "proposed"), *(edge(start, end) for start, end in LEGAL_EDGES))

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", Text, primary_key=True),
    integer("size", required=True),
    Column("content", LargeBinary, nullable=False),
    CheckConstraint("length(content) = size", name="size"),
)

experiments = Table(
    "experiments",
    metadata,
    identity(),
    text("profile"),
    text("target_profile_root"),
    text("target_relpath"),
    text("state"),
    text("diff"),
    text("rationale"),
    integer("changed_hunks", required=True),
    integer("added_lines", required=True),
    integer("removed_lines", required=True),
    integer("sentence_delta_count", required=True),
    text("target_span"),
    reference("base_sha256", "blobs.sha256", required=False),
    reference("candidate_sha256", "blobs.sha256"),
    text("profile_git_root", required=False),
    text("base_commit_sha", required=False),
    text("base_blob_sha", required=False),
    text("apply_commit_sha", required=False),
    text("revert_commit_sha", required=False),
    integer("dirty_before_apply"),
    integer("manual_conflict_detected", default=0),
    text("proposed_by"),
    text("approved_by", required=False),
    text("approved_at", required=False),
    text("rejected_by", required=False),
    text("rejected_at", required=False),
    text("rejection_reason", required=False),
    integer("live_sessions_target"),
    integer("live_sessions_observed", default=0),
    text("applied_at", required=False),
    text("verified_at", required=False),
    text("reverted_at", required=False),
    integer("baseline_id"),
    text("evaluation_status"),
    real("baseline_score"),
    real("offline_score"),
    text("verdict", required=False),
    text("live_verdict", required=False),
    real("live_score"),
    integer("cost_micro_usd"),
    text("proposer_model", required=False),
    text("judge_model", required=False),
    text("judge_run_id", required=False),
    text("created_at"),
    text("updated_at"),
    one_of("state", STATES, "state"),
    one_of("evaluation_status", EVALUATION_STATUSES, "evaluation_status"),
    one_of("live_verdict", LIVE_VERDICTS, "live_verdict"),
    Index("ix_experiments_profile_state", "profile", "state"),
    sqlite_autoincrement=True,
)

Index(
    "uq_experiments_in_flight",
    experiments.c.profile,
    unique=True,
    sqlite_where=sql("state IN ('approved', 'live')"),
)

transitions = Table(
    "experiment_state_transitions",
    metadata,
    identity(),
    reference("experiment_id", "experiments.id"),
    text("from_state", required=False),
    text("to_state"),
    text("actor"),
    text("principal"),
    text("reason"),
    text("created_at"),
    text("previous_hash"),
    text("hash"),
    one_of("to_state", STATES, "to_state"),
    one_of("coalesce(from_state, '') || '>' || to_state", _STEPS, "edge"),
    Index("ix_transitions_experiment_id", "experiment_id"),
    sqlite_autoincrement=True,
)

approvals = Table(
    "approvals",
    metadata,
    identity(),
    reference("experiment_id", "experiments.id"),
    text("mode"),
    text("profile"),
    text("relpath"),
    text("base_sha256", required=False),
    text("candidate_sha256"),
    text("report_sha256", required=False),
    text("override_reason", required=False),
    text("plan_sha256"),
    text("audit_head"),
    text("actor"),
    text("principal"),
    text("nonce"),
    text("signature", required=False),
    text("created_at"),
    text("expires_at"),
    one_of("mode", ("signed", "unsigned"), "mode"),
    CheckConstraint("report_sha256 IS NOT NULL OR override_reason IS NOT NULL", name="measured_or_overridden"),
    Index("ix_approvals_experiment_id", "experiment_id"),
    sqlite_autoincrement=True,
)

snapshots = Table(
    "experiment_snapshots",
    metadata,
    identity(),
    reference("experiment_id", "experiments.id"),
    integer("existed", required=True),
    reference("prior_sha256", "blobs.sha256", required=False),
    integer("mode"),
    text("taken_at"),
    CheckConstraint("existed = (prior_sha256 IS NOT NULL)", name="existed"),
    Index("ix_experiment_snapshots_experiment_id", "experiment_id"),
    sqlite_autoincrement=True,
)
