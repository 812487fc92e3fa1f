"""Scenarios, the runs that measured them, and the immutable report each evaluation ends in."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, Table, UniqueConstraint
from sqlalchemy import text as sql

from .base import identity, integer, metadata, one_of, real, reference, text

ARMS = ("baseline", "candidate")
SPLITS = ("train", "holdout")
RUN_STATES = ("running", "finished", "failed")

scenarios = Table(
    "scenarios",
    metadata,
    identity(),
    text("profile"),
    text("name"),
    text("input"),
    text("checks"),
    integer("holdout", default=0),
    text("source"),
    integer("critical", default=0),
    text("created_at"),
    text("updated_at"),
    text("deleted_at", required=False),
    sqlite_autoincrement=True,
)

Index(
    "uq_scenarios_name",
    scenarios.c.profile,
    scenarios.c.name,
    unique=True,
    sqlite_where=sql("deleted_at IS NULL"),
)

eval_runs = Table(
    "eval_runs",
    metadata,
    identity(),
    reference("experiment_id", "experiments.id"),
    reference("job_id", "jobs.id", required=False),
    text("kind"),
    text("arm"),
    text("split"),
    text("file_sha256", required=False),
    text("proposer_model", required=False),
    text("judge_model", required=False),
    text("judge_run_id", required=False),
    text("subject_model", required=False),
    text("scenario_set_hash"),
    text("evaluator_hash"),
    integer("repeats", required=True),
    text("isolation"),
    real("aggregate_score"),
    integer("cost_micro_usd"),
    integer("tokens"),
    text("state"),
    text("created_at"),
    text("finished_at", required=False),
    one_of("arm", ARMS, "arm"),
    one_of("split", SPLITS, "split"),
    one_of("state", RUN_STATES, "state"),
    Index("ix_eval_runs_experiment_id", "experiment_id"),
    sqlite_autoincrement=True,
)

scenario_results = Table(
    "experiment_scenario_results",
    metadata,
    identity(),
    reference("eval_run_id", "eval_runs.id"),
    reference("experiment_id", "experiments.id"),
    reference("scenario_id", "scenarios.id"),
    text("split"),
    text("arm"),
    integer("repeat", required=True),
    integer("pass_fail"),
    text("no_result_reason", required=False),
    text("check_results"),
    text("judge_model", required=False),
    text("proposer_model", required=False),
    text("judge_rationale", required=False),
    text("scenario_snapshot"),
    text("transcript"),
    integer("exposed"),
    integer("tokens"),
    integer("cost_micro_usd"),
    real("seconds"),
    text("created_at"),
    UniqueConstraint("eval_run_id", "scenario_id", "repeat"),
    CheckConstraint("(pass_fail IS NULL) = (no_result_reason IS NOT NULL)", name="result_or_reason"),
    Index("ix_scenario_results_experiment_id", "experiment_id"),
    sqlite_autoincrement=True,
)

reports = Table(
    "reports",
    metadata,
    identity(),
    reference("experiment_id", "experiments.id"),
    text("base_sha256", required=False),
    text("candidate_sha256"),
    text("sha256"),
    text("document"),
    text("created_at"),
    Index("ix_reports_experiment_id", "experiment_id"),
    sqlite_autoincrement=True,
)

baselines = Table(
    "baselines",
    metadata,
    identity(),
    text("profile"),
    text("file"),
    text("commit_sha", required=False),
    text("content_hash", required=False),
    text("scenario_set_hash"),
    text("split"),
    text("models"),
    real("score"),
    reference("experiment_id", "experiments.id", required=False),
    text("created_at"),
    one_of("split", SPLITS, "split"),
    Index("ix_baselines_profile", "profile"),
    sqlite_autoincrement=True,
)
