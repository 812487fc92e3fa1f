"""Real sessions: what was seen of each, which live window counted it, and what every window had planned."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, Table, UniqueConstraint

from .base import identity, integer, metadata, one_of, real, reference, text

OUTCOMES = ("success", "failure", "unknown")

live_plans = Table(
    "live_plans",
    metadata,
    identity(),
    reference("experiment_id", "experiments.id"),
    text("sha256"),
    text("document"),
    text("created_at"),
    UniqueConstraint("experiment_id"),
    sqlite_autoincrement=True,
)

session_observations = Table(
    "session_observations",
    metadata,
    identity(),
    text("profile"),
    text("session_id"),
    text("source", required=False),
    text("model", required=False),
    text("outcome"),
    text("outcome_reason"),
    integer("errors"),
    integer("tokens"),
    integer("cost_micro_usd"),
    integer("turns"),
    text("started_at"),
    text("ended_at", required=False),
    text("observed_at"),
    one_of("outcome", OUTCOMES, "outcome"),
    UniqueConstraint("profile", "session_id"),
    sqlite_autoincrement=True,
)

window_sessions = Table(
    "window_sessions",
    metadata,
    identity(),
    reference("experiment_id", "experiments.id"),
    reference("observation_id", "session_observations.id"),
    text("arm"),
    integer("counted", required=True),
    text("reason"),
    integer("position"),
    text("created_at"),
    one_of("arm", ("baseline", "candidate"), "arm"),
    UniqueConstraint("experiment_id", "observation_id"),
    sqlite_autoincrement=True,
)

session_feedback = Table(
    "session_feedback",
    metadata,
    identity(),
    text("profile"),
    text("session_id"),
    integer("good", required=True),
    text("note", required=False),
    text("actor"),
    text("principal"),
    text("created_at"),
    CheckConstraint("good IN (0, 1)", name="good"),
    Index("ix_session_feedback_profile_session_id", "profile", "session_id"),
    sqlite_autoincrement=True,
)
"""What persons said of a session; the newest row of a session counts, the others stay."""

calibrations = Table(
    "calibrations",
    metadata,
    identity(),
    text("question"),
    text("answer"),
    text("created_at"),
    UniqueConstraint("question"),
    sqlite_autoincrement=True,
)
"""Boundaries that took seconds to compute: all that the computation depends on, and its result, as canonical JSON."""

metrics_snapshots = Table(
    "metrics_snapshots",
    metadata,
    identity(),
    text("profile"),
    text("captured_at"),
    integer("sessions_count"),
    integer("error_count"),
    integer("warn_count"),
    integer("retries"),
    integer("tokens"),
    real("cost"),
    integer("from_offset"),
    integer("to_offset"),
    text("window_started_at", required=False),
    text("window_ended_at", required=False),
    text("payload"),
    Index("ix_metrics_snapshots_profile", "profile"),
    sqlite_autoincrement=True,
)
