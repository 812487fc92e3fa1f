"""Whether something else changed while a window was open: then its sessions do not tell what this change did."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ... import clock
from ..._db import driver
from ..experiments import Experiment

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MEMORY = "memories/"
_LIVE = (
    "SELECT created_at FROM experiment_state_transitions WHERE experiment_id = ? AND to_state = 'live'"
    " ORDER BY id DESC LIMIT 1"
)
_EDITS = (
    "SELECT payload, created_at FROM events"
    " WHERE kind = 'file.external_change' AND profile = ? AND created_at >= ? ORDER BY id"
)
_WRITTEN_OVER = "SELECT prior_sha256 FROM experiment_snapshots WHERE experiment_id = ? ORDER BY id LIMIT 1"


def found(tx: Connection, experiment: Experiment) -> str | None:
    """What else changed in the profile since this change went live, in a few words; None when nothing did.

    The agent writes its memory all the time, before a change and after it: that counts only where the change itself is
    one of memory. An edit from before the change went live, noticed only afterwards, spoils nothing.
    """
    if experiment.applied_at is None:
        return None
    return _edited(tx, experiment, experiment.applied_at) or _taken_back(tx, experiment, experiment.applied_at)


def dated(tx: Connection, experiment: Experiment) -> Experiment:
    """The same; where its row states no time as the one it went live at, with that of its audited step."""
    if experiment.applied_at is None or _is_time(experiment.applied_at):
        return experiment
    row = driver(tx).execute(_LIVE, (experiment.id,)).fetchone()
    return replace(experiment, applied_at=row[0] if row and _is_time(row[0]) else None)


def _is_time(text: str) -> bool:
    try:
        return bool(clock.parse(text))
    except (TypeError, ValueError, OverflowError):
        return False


def _edited(tx: Connection, experiment: Experiment, since: str) -> str | None:
    for payload, noticed_at in driver(tx).execute(_EDITS, (experiment.profile, since)).fetchall():
        said = _read(payload)
        relpath = str(said.get("relpath", ""))
        of_interest = relpath and (not relpath.startswith(_MEMORY) or relpath == experiment.target_relpath)
        if of_interest and _moment(said, noticed_at) >= since and not _was_written_over(tx, experiment, said):
            return f"{relpath} was changed without an experiment"
    return None


def _read(payload: str) -> dict[str, Any]:
    """Empty for an event that somebody made up: it must not keep a window from its verdict."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _moment(said: dict[str, Any], noticed_at: str) -> str:
    """When a file was edited: the system's word, which no program can set, else when it was noticed."""
    if said.get("what") == "deleted":  # only its folder's time is known, which any program can set
        return noticed_at
    try:
        return min(clock.stamp(clock.parse(said["changed_at"])), noticed_at)
    except (KeyError, TypeError, ValueError, OverflowError):
        return noticed_at


def _was_written_over(tx: Connection, experiment: Experiment, said: dict[str, Any]) -> bool:
    """Whether it is the edit that this change itself was forced over, which ended before the window began."""
    if said["relpath"] != experiment.target_relpath or said.get("old_sha256") == experiment.candidate_sha256:
        return False
    row = driver(tx).execute(_WRITTEN_OVER, (experiment.id,)).fetchone()
    return row is not None and row[0] != experiment.base_sha256 and row[0] == said.get("new_sha256")


def _taken_back(tx: Connection, experiment: Experiment, since: str) -> str | None:
    query = "SELECT id, target_relpath FROM experiments WHERE profile = ? AND id <> ? AND reverted_at >= ? ORDER BY id"
    row = driver(tx).execute(query, (experiment.profile, experiment.id, since)).fetchone()
    return None if row is None else f"experiment {row[0]} was taken back, which changed {row[1]}"
