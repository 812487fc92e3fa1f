"""The tables of the central database, one module per aggregate; import them from here."""

from __future__ import annotations

from .base import metadata
from .control import events, jobs, leases, profile_controls, write_counter
from .evaluation import baselines, eval_runs, reports, scenario_results, scenarios
from .experiments import approvals, blobs, experiments, snapshots, transitions
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
from .reviewing import challenges, reviewer_changes, signature_attempts, signatures
from .triggers import TRIGGERS
from .watching import guarded_files, guarded_profiles, notify_cursors

HEAD = "0006"
"""The newest migration; a database at any other revision is upgraded or refused."""

__all__ = [
    "HEAD",
    "TRIGGERS",
    "approvals",
    "baselines",
    "blobs",
    "calibrations",
    "challenges",
    "eval_runs",
    "events",
    "experiments",
    "file_operations",
    "guarded_files",
    "guarded_profiles",
    "human_labels",
    "jobs",
    "judge_votes",
    "leases",
    "live_plans",
    "metadata",
    "metrics_snapshots",
    "notify_cursors",
    "profile_controls",
    "reports",
    "reviewer_changes",
    "scenario_results",
    "scenarios",
    "session_feedback",
    "session_observations",
    "signature_attempts",
    "signatures",
    "snapshots",
    "transitions",
    "window_sessions",
    "write_counter",
]
