"""The append-only stream of what happened, which dashboards tail by id."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import clock
from .._db import driver

if TYPE_CHECKING:
    from sqlalchemy import Connection

_INSERT = "INSERT INTO events (created_at, kind, profile, experiment_id, job_id, payload) VALUES (?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT id, created_at, kind, profile, experiment_id, job_id, payload FROM events"
_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Event:
    """One thing that happened. ``payload`` holds small facts, never file contents."""

    id: int
    created_at: str
    kind: str
    profile: str | None
    experiment_id: int | None
    job_id: int | None
    payload: dict[str, Any]


def emit(
    tx: Connection,
    kind: str,
    *,
    profile: str | None = None,
    experiment_id: int | None = None,
    job_id: int | None = None,
    **payload: object,
) -> None:
    """Append one event in the caller's transaction; ``payload`` must be JSON values."""
    row = (clock.stamp(), kind, profile, experiment_id, job_id, _encode(payload))
    driver(tx).execute(_INSERT, row)


def since(tx: Connection, cursor: int = 0, limit: int = 200) -> list[Event]:
    """Events with an id above ``cursor``, oldest first."""
    rows = driver(tx).execute(f"{_SELECT} WHERE id > ? ORDER BY id LIMIT ?", (cursor, limit))
    return [_read(row) for row in rows]


def newest_id(tx: Connection) -> int:
    """The id of the newest event; 0 before the first."""
    return int(driver(tx).execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0])


def latest(tx: Connection, kind: str, profile: str | None = None, limit: int = 20) -> list[Event]:
    """The newest events of one kind, newest first."""
    rows = driver(tx).execute(
        f"{_SELECT} WHERE kind = ? AND profile IS ? ORDER BY id DESC LIMIT ?", (kind, profile, limit)
    )
    return [_read(row) for row in rows]


def _read(row: tuple[Any, ...]) -> Event:
    return Event(row[0], row[1], row[2], row[3], row[4], row[5], json.loads(row[6]))
