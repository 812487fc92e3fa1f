"""The database's own guards: legal edges, one change in flight, append-only rows. One list, re-created by migrations.

They also hold for a stranger's connection, where ``recursive_triggers`` may be off and ``REPLACE`` deletes the row it
collides with without asking a DELETE trigger: hence a guard on INSERT and on UPDATE for every unique key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Table, UniqueConstraint

from .base import metadata
from .experiments import LEGAL_EDGES, edge
from .reviewing import APPEND_ONLY, GUARDS, KEPT

_APPEND_ONLY = (
    "blobs",
    "experiment_state_transitions",
    "approvals",
    "experiment_snapshots",
    "events",
    "experiment_scenario_results",
    "reports",
    "live_plans",
    "session_observations",
    "window_sessions",
    "session_feedback",
    "calibrations",
    "judge_votes",
    "human_labels",
    "proposal_failures",
    "holdout_rotations",
    "holdout_reads",
    "confirmations",
    "spending",
    *APPEND_ONLY,
)
_KEPT = (
    "experiments",
    "eval_runs",
    "file_operations",
    "jobs",
    "scenarios",
    "proposal_requests",
    "proposal_drafts",
    *KEPT,
)

KEPT_FOR_GOOD = (*_APPEND_ONLY, *_KEPT)
"""Tables of which no row is ever deleted."""

_MAY_CHANGE = frozenset(
    {
        "state",
        "apply_commit_sha",
        "revert_commit_sha",
        "dirty_before_apply",
        "manual_conflict_detected",
        "approved_by",
        "approved_at",
        "rejected_by",
        "rejected_at",
        "rejection_reason",
        "live_sessions_target",
        "live_sessions_observed",
        "applied_at",
        "verified_at",
        "reverted_at",
        "baseline_id",
        "evaluation_status",
        "baseline_score",
        "offline_score",
        "verdict",
        "live_verdict",
        "live_score",
        "cost_micro_usd",
        "judge_model",
        "judge_run_id",
        "updated_at",
    }
)


@dataclass(frozen=True)
class _Key:
    """Columns that are unique together; ``condition`` (a column and a test of it) limits that to some rows."""

    columns: tuple[str, ...]
    condition: str | None = None

    def taken(self, table: str, *, by_another: bool) -> str:
        """SQL that tells whether a row with the key of NEW is there, not counting the row being updated."""
        tests = [f"{column} = NEW.{column}" for column in self.columns]
        tests += [self.condition] if self.condition else []
        tests += ["id <> OLD.id"] if by_another else []
        found = f"EXISTS (SELECT 1 FROM {table} WHERE {' AND '.join(tests)})"
        return f"NEW.{self.condition} AND {found}" if self.condition else found


def _keys(table: Table) -> Iterator[_Key]:
    yield _Key(tuple(column.name for column in table.primary_key))
    for constraint in sorted(table.constraints, key=lambda one: str(one.name)):
        if isinstance(constraint, UniqueConstraint):
            yield _Key(tuple(column.name for column in constraint.columns))
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        if index.unique:
            condition = index.dialect_options["sqlite"]["where"]
            yield _Key(tuple(column.name for column in index.columns), None if condition is None else str(condition))


def _guard(name: str, moment: str, table: str, when: str | None, complaint: str) -> tuple[str, str]:
    condition = f"\nWHEN {when}" if when else ""
    event = f"CREATE TRIGGER {name}\n{moment} ON {table}{condition}"
    return name, f"{event}\nBEGIN\n  SELECT RAISE(ABORT, '{complaint}');\nEND"


def _append_only(name: str) -> list[tuple[str, str]]:
    taken = " OR ".join(key.taken(name, by_another=False) for key in _keys(metadata.tables[name]))
    complaint = f"{name} is append-only"
    return [
        _guard(f"tr_{name}_no_update", "BEFORE UPDATE", name, None, complaint),
        _guard(f"tr_{name}_no_delete", "BEFORE DELETE", name, None, complaint),
        _guard(f"tr_{name}_no_replace", "BEFORE INSERT", name, taken, complaint),
    ]


def _kept(name: str) -> list[tuple[str, str]]:
    keys = list(_keys(metadata.tables[name]))
    taken = " OR ".join(key.taken(name, by_another=False) for key in keys)
    moved = " OR ".join(["NEW.id IS NOT OLD.id", *(key.taken(name, by_another=True) for key in keys[1:])])
    return [
        _guard(f"tr_{name}_no_delete", "BEFORE DELETE", name, None, f"rows of {name} are kept"),
        _guard(f"tr_{name}_no_replace", "BEFORE INSERT", name, taken, f"another row of {name} has this key"),
        _guard(f"tr_{name}_no_overwrite", "BEFORE UPDATE", name, moved, f"another row of {name} has this key"),
    ]


def _experiment_guards() -> list[tuple[str, str]]:
    table, moved = "experiments", "OLD.state <> NEW.state"
    edges = ", ".join(f"'{edge(start, end)}'" for start, end in LEGAL_EDGES)
    fixed = [column.name for column in metadata.tables[table].columns if column.name not in _MAY_CHANGE]
    changed = " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in fixed)
    newest = (
        "SELECT 1 FROM experiment_state_transitions WHERE id ="
        " (SELECT max(id) FROM experiment_state_transitions WHERE experiment_id = OLD.id)"
        " AND from_state = OLD.state AND to_state = NEW.state"
    )
    illegal = f"{moved} AND OLD.state || '>' || NEW.state NOT IN ({edges})"
    unaudited = f"{moved} AND NOT EXISTS ({newest})"
    return [
        _guard(
            "tr_experiments_start", "BEFORE INSERT", table, "NEW.state <> 'proposed'", "a new experiment is proposed"
        ),
        _guard("tr_experiments_fixed", "BEFORE UPDATE", table, changed, "what an experiment proposes is fixed"),
        _guard("tr_experiments_edge", "BEFORE UPDATE", table, illegal, "illegal state transition"),
        _guard("tr_experiments_audited", "BEFORE UPDATE", table, unaudited, "unaudited transition"),
    ]


def _chain_guards() -> list[tuple[str, str]]:
    table = "experiment_state_transitions"
    last = f"coalesce((SELECT hash FROM {table} ORDER BY id DESC LIMIT 1), '')"
    state = "(SELECT state FROM experiments WHERE id = NEW.experiment_id)"
    earlier = f"SELECT 1 FROM {table} WHERE experiment_id = NEW.experiment_id"
    starts = f"NEW.from_state IS NULL AND NEW.to_state IS {state} AND NOT EXISTS ({earlier})"
    goes_on = f"NEW.from_state IS NOT NULL AND NEW.from_state IS {state}"
    later = f"EXISTS (SELECT 1 FROM {table} WHERE id > NEW.id)"
    return [
        _guard("tr_transitions_chained", "BEFORE INSERT", table, f"NEW.previous_hash IS NOT {last}", "broken chain"),
        _guard(
            "tr_transitions_from",
            "BEFORE INSERT",
            table,
            f"NOT ({starts} OR {goes_on})",
            "a transition starts at the current state",
        ),
        # Only an AFTER trigger sees the id that SQLite chooses.
        _guard("tr_transitions_in_order", "AFTER INSERT", table, later, "a transition comes after all others"),
    ]


def _all() -> dict[str, str]:
    listed = [*_experiment_guards(), *_chain_guards()]
    listed += [guard for table in _APPEND_ONLY for guard in _append_only(table)]
    listed += [guard for table in _KEPT for guard in _kept(table)]
    return dict([*listed, *GUARDS])


TRIGGERS: dict[str, str] = _all()
"""Trigger name to its CREATE statement, in creation order."""
