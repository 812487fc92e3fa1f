"""The tables of the central database, one module per aggregate; import them from here."""

from __future__ import annotations

from .base import metadata
from .control import events, jobs, leases, profile_controls, write_counter
from .evaluation import baselines, eval_runs, reports, scenario_results, scenarios
from .experiments import approvals, blobs, experiments, snapshots, transitions
from .live import live_plans, metrics_snapshots, session_observations, window_sessions
from .operations import file_operations
from .triggers import TRIGGERS

HEAD = "0002"
"""The newest migration; a database at any other revision is upgraded or refused."""

__all__ = [
    "HEAD",
    "TRIGGERS",
    "approvals",
    "baselines",
    "blobs",
    "eval_runs",
    "events",
    "experiments",
    "file_operations",
    "jobs",
    "leases",
    "live_plans",
    "metadata",
    "metrics_snapshots",
    "profile_controls",
    "reports",
    "scenario_results",
    "scenarios",
    "session_observations",
    "snapshots",
    "transitions",
    "window_sessions",
    "write_counter",
]
