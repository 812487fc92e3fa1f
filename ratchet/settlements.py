"""How a window ended, as it was written down in that moment: the reason, and the last word that was listened to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._db import driver
from ..stats.calibration import Verdict
from . import events

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .experiments import Experiment

_DECIDED = tuple(f"window.{verdict}" for verdict in (Verdict.REVERTED, Verdict.VERIFIED, Verdict.INCONCLUSIVE))


@dataclass(frozen=True)
class Settlement:
    """``sessions`` counted towards the verdict; what persons said after ``newest_word`` changes nothing any more."""

    verdict: Verdict
    reason: str
    sessions: int
    newest_word: int


def keep(tx: Connection, experiment: Experiment, settled: Settlement) -> None:
    """Write down how the window ended; the caller records the verdict beside it, once."""
    events.emit(
        tx,
        f"window.{settled.verdict}",
        profile=experiment.profile,
        experiment_id=experiment.id,
        reason=settled.reason,
        sessions=settled.sessions,
        newest_word=settled.newest_word,
    )


def load(tx: Connection, experiment_id: int) -> Settlement | None:
    """How a window ended; None before it did."""
    query = "SELECT kind, payload FROM events WHERE experiment_id = ? AND kind IN (?, ?, ?) ORDER BY id LIMIT 1"
    row = driver(tx).execute(query, (experiment_id, *_DECIDED)).fetchone()
    if row is None:
        return None
    said = json.loads(row[1])
    verdict = Verdict(str(row[0]).removeprefix("window."))
    return Settlement(verdict, said["reason"], said.get("sessions", 0), said.get("newest_word", 0))
