"""The tables of the central database, one module per aggregate; import them from here."""

from __future__ import annotations

from .base import metadata
from .control import events, jobs, leases, profile_controls, write_counter
from .evaluation import baselines, eval_runs, reports, scenario_results, scenarios
from .experiments import approvals, blobs, experiments, snapshots, transitions
from .holdout import confirmations, holdout_reads, holdout_rotations
from .judging import human_labels, judge_votes
from .live import (
    calibrations,
    live_plans,
    metrics_snapshots,
    session_feedback,
    session_observations,
    window_sessions,
)
from .operations import file_operations
from .proposal import proposal_drafts, proposal_failures, proposal_requests
from .reviewing import challenges, reviewer_changes, signature_attempts, signatures
from .scheduling import job_schedules, spending
from .triggers import TRIGGERS
from .watching import guarded_files, guarded_profiles, notify_cursors

HEAD = "0009"
"""The newest migration; a database at any other revision is upgraded or refused."""

__all__ = [
    "HEAD",
    "TRIGGERS",
    "approvals",
    "baselines",
    "blobs",
    "calibrations",
    "challenges",
    "confirmations",
    "eval_runs",
    "events",
    "experiments",
    "file_operations",
    "guarded_files",
    "guarded_profiles",
    "holdout_reads",
    "holdout_rotations",
    "human_labels",
    "job_schedules",
    "jobs",
    "judge_votes",
    "leases",
    "live_plans",
    "metadata",
    "metrics_snapshots",
    "notify_cursors",
    "profile_controls",
    "proposal_drafts",
    "proposal_failures",
    "proposal_requests",
    "reports",
    "reviewer_changes",
    "scenario_results",
    "scenarios",
    "session_feedback",
    "session_observations",
    "signature_attempts",
    "signatures",
    "snapshots",
    "spending",
    "transitions",
    "window_sessions",
    "write_counter",
]
