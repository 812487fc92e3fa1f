"""How a window ended, as it was written down in that moment: the reason, and the last word that was listened to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..._db import driver
from ...stats.calibration import Verdict
from .. import events

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..experiments import Experiment

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
    """How a window ended; None before it did. Events that hold no such thing are passed over."""
    query = "SELECT kind, payload FROM events WHERE experiment_id = ? AND kind IN (?, ?, ?) ORDER BY id"
    for kind, payload in driver(tx).execute(query, (experiment_id, *_DECIDED)).fetchall():
        if found := _read(Verdict(str(kind).removeprefix("window.")), payload):
            return found
    return None


def _read(verdict: Verdict, payload: str) -> Settlement | None:
    try:
        said = json.loads(payload)
        return Settlement(verdict, str(said["reason"]), int(said.get("sessions", 0)), int(said.get("newest_word", 0)))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return None
