"""What the judge said, call by call, and what persons say of the same results."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, Table

from .base import identity, integer, metadata, one_of, real, reference, text

PURPOSES = ("probe", "canary", "vote")
VERDICTS = ("pass", "fail", "unclear")

judge_votes = Table(
    "judge_votes",
    metadata,
    identity(),
    text("judge_run_id"),
    reference("experiment_id", "experiments.id"),
    reference("result_id", "experiment_scenario_results.id", required=False),
    integer("check_number"),
    text("purpose"),
    text("verdict", required=False),
    text("no_verdict_reason", required=False),
    text("rationale", required=False),
    text("model", required=False),
    integer("input_tokens"),
    integer("output_tokens"),
    integer("cost_micro_usd"),
    real("seconds"),
    text("created_at"),
    one_of("purpose", PURPOSES, "purpose"),
    one_of("verdict", VERDICTS, "verdict"),
    CheckConstraint("(verdict IS NULL) = (no_verdict_reason IS NOT NULL)", name="verdict_or_reason"),
    CheckConstraint("(purpose = 'vote') = (result_id IS NOT NULL)", name="votes_on_results"),
    Index("ix_judge_votes_experiment_id", "experiment_id"),
    Index("ix_judge_votes_result_id", "result_id"),
    sqlite_autoincrement=True,
)

human_labels = Table(
    "human_labels",
    metadata,
    identity(),
    reference("result_id", "experiment_scenario_results.id"),
    integer("passed", required=True),
    text("note", required=False),
    text("actor"),
    text("principal"),
    text("created_at"),
    CheckConstraint("passed IN (0, 1)", name="passed"),
    Index("ix_human_labels_result_id", "result_id"),
    sqlite_autoincrement=True,
)
