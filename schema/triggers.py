"""The database's own guards: legal edges, one change in flight, append-only rows. One list, re-created by migrations.

They also hold for a stranger's connection, where ``recursive_triggers`` may be off and ``INSERT OR REPLACE`` deletes a
row without asking a DELETE trigger; hence the guards on INSERT and on UPDATE OR REPLACE.
"""

from __future__ import annotations

from collections.abc import Iterable

from .base import metadata

LEGAL_EDGES: tuple[tuple[str, str], ...] = (
    ("proposed", "approved"),
    ("proposed", "rejected"),
    ("approved", "live"),
    ("approved", "rejected"),
    ("live", "verified"),
    ("live", "reverted"),
    ("verified", "reverted"),
)

_FIXED = ("id", "profile", "target_relpath", "diff", "base_sha256", "candidate_sha256", "created_at")

_APPEND_ONLY = {
    "blobs": ("sha256",),
    "experiment_state_transitions": ("id", "hash"),
    "approvals": ("id",),
    "experiment_snapshots": ("id",),
    "events": ("id",),
    "experiment_scenario_results": ("id",),
    "reports": ("id",),
    "live_plans": ("id", "experiment_id"),
    "session_observations": ("id",),
    "window_sessions": ("id",),
}
_KEPT = ("experiments", "eval_runs", "file_operations", "jobs", "scenarios")


def _guard(name: str, moment: str, table: str, when: str | None, complaint: str) -> tuple[str, str]:
    condition = f"\nWHEN {when}" if when else ""
    event = f"CREATE TRIGGER {name}\nBEFORE {moment} ON {table}{condition}"
    return name, f"{event}\nBEGIN\n  SELECT RAISE(ABORT, '{complaint}');\nEND"


def _append_only(table: str, keys: Iterable[str]) -> list[tuple[str, str]]:
    taken = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})" for key in keys)
    return [
        _guard(f"tr_{table}_no_update", "UPDATE", table, None, f"{table} is append-only"),
        _guard(f"tr_{table}_no_delete", "DELETE", table, None, f"{table} is append-only"),
        _guard(f"tr_{table}_no_replace", "INSERT", table, taken, f"{table} is append-only"),
    ]


def _experiment_guards() -> list[tuple[str, str]]:
    edges = ", ".join(f"'{a}>{b}'" for a, b in LEGAL_EDGES)
    changed = " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in _FIXED)
    newest = (
        "SELECT 1 FROM experiment_state_transitions WHERE id ="
        " (SELECT max(id) FROM experiment_state_transitions WHERE experiment_id = OLD.id)"
        " AND from_state = OLD.state AND to_state = NEW.state"
    )
    other = (
        "NEW.state IN ('approved', 'live') AND EXISTS (SELECT 1 FROM experiments"
        " WHERE profile = NEW.profile AND state IN ('approved', 'live') AND id <> NEW.id)"
    )
    moved = "OLD.state <> NEW.state"
    table, state = "experiments", "UPDATE OF state"
    return [
        _guard("tr_experiments_start", "INSERT", table, "NEW.state <> 'proposed'", "a new experiment is proposed"),
        _guard(
            "tr_experiments_unused_id",
            "INSERT",
            table,
            "EXISTS (SELECT 1 FROM experiments WHERE id = NEW.id)",
            "this experiment id is used",
        ),
        _guard("tr_experiments_fixed", "UPDATE", table, changed, "what an experiment proposes is fixed"),
        _guard(
            "tr_experiments_edge",
            state,
            table,
            f"{moved} AND OLD.state || '>' || NEW.state NOT IN ({edges})",
            "illegal state transition",
        ),
        _guard("tr_experiments_in_flight", state, table, f"{moved} AND {other}", "profile has a change in flight"),
        _guard("tr_experiments_audited", state, table, f"{moved} AND NOT EXISTS ({newest})", "unaudited transition"),
    ]


def _chain_guards() -> list[tuple[str, str]]:
    table = "experiment_state_transitions"
    last = f"coalesce((SELECT hash FROM {table} ORDER BY id DESC LIMIT 1), '')"
    state = "(SELECT state FROM experiments WHERE id = NEW.experiment_id)"
    first = f"NEW.to_state = 'proposed' AND NOT EXISTS (SELECT 1 FROM {table} WHERE experiment_id = NEW.experiment_id)"
    return [
        _guard("tr_transitions_chained", "INSERT", table, f"NEW.previous_hash IS NOT {last}", "broken audit chain"),
        _guard(
            "tr_transitions_from",
            "INSERT",
            table,
            f"NOT (NEW.from_state IS {state} OR (NEW.from_state IS NULL AND {first}))",
            "transition does not start at the current state",
        ),
    ]


def _all() -> dict[str, str]:
    listed = [*_experiment_guards(), *_chain_guards()]
    for table, keys in _APPEND_ONLY.items():
        listed += _append_only(table, keys)
    listed += [_guard(f"tr_{t}_no_delete", "DELETE", t, None, f"rows of {t} are kept") for t in _KEPT]
    return dict(listed)


TRIGGERS: dict[str, str] = _all()
"""Trigger name to its CREATE statement, in creation order."""


def triggers_for(tables: Iterable[str]) -> list[str]:
    """The CREATE statements of the triggers that stand on ``tables``; for migrations that re-create a table."""
    wanted = set(tables) & set(metadata.tables)
    return [ddl for ddl in TRIGGERS.values() if ddl.split(" ON ", 1)[1].split("\n", 1)[0] in wanted]
