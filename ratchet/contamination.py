"""Whether something else changed while a window was open: then its sessions do not tell what this change did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._db import driver
from .experiments import Experiment

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MEMORY = "memories/"


def found(tx: Connection, experiment: Experiment) -> str | None:
    """What else changed in the profile since this change went live, in a few words; None when nothing did.

    The agent writes its memory all the time, before a change and after it: that counts only where the change itself is
    one of memory.
    """
    if experiment.applied_at is None:
        return None
    return _edited(tx, experiment, experiment.applied_at) or _taken_back(tx, experiment, experiment.applied_at)


def _edited(tx: Connection, experiment: Experiment, since: str) -> str | None:
    query = (
        "SELECT payload FROM events WHERE kind = 'file.external_change' AND profile = ? AND created_at >= ? ORDER BY id"
    )
    for (payload,) in driver(tx).execute(query, (experiment.profile, since)):
        relpath = str(json.loads(payload)["relpath"])
        if not relpath.startswith(_MEMORY) or relpath == experiment.target_relpath:
            return f"{relpath} was changed without an experiment"
    return None


def _taken_back(tx: Connection, experiment: Experiment, since: str) -> str | None:
    query = "SELECT id, target_relpath FROM experiments WHERE profile = ? AND id <> ? AND reverted_at >= ? ORDER BY id"
    row = driver(tx).execute(query, (experiment.profile, experiment.id, since)).fetchone()
    return None if row is None else f"experiment {row[0]} was taken back, which changed {row[1]}"
