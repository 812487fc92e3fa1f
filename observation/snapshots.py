"""A profile's figures per window of time: its sessions, warnings, errors, retries, tokens and cost since the last one.

Every window begins where the one before it ended, and every session and log record counts in exactly one. How far
sessions and log were read stands in the payload of the newest snapshot, so that it is kept or lost with the figures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from .. import clock, schema
from .._db import as_record
from ..errors import BadInput, ProfileBusy
from ..ratchet.context import Context
from .log_scan import Cursor, LogScan, scan
from .new_sessions import NewSessions, SessionCursor, Used, new_sessions

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ATTEMPTS = 5
_MICRO = 1_000_000


@dataclass(frozen=True)
class Snapshot:
    """The figures of one window of a profile, as stored.

    ``sessions_count`` are conversations that were over by its end and counted in no window before; evaluations, cron
    jobs and subagents are left out. ``tokens`` and ``cost`` (US dollars, null when unknown) are what those used, and
    what those counted before have used since. ``error_count`` and ``warn_count`` are records of ``agent.log`` without
    known noise, ``retries`` those that announce another attempt; null when there was no log.

    The first window of a profile has no ``window_started_at``: it holds everything the host still had.
    ``from_offset`` and ``to_offset`` are bytes of ``agent.log``. ``payload`` is a JSON object as text, with the
    records per logger and session, the sessions left out, and the cursors.
    """

    id: int
    profile: str
    captured_at: str
    sessions_count: int
    error_count: int | None
    warn_count: int | None
    retries: int | None
    tokens: int
    cost: float | None
    from_offset: int | None
    to_offset: int | None
    window_started_at: str | None
    window_ended_at: str
    payload: str


@dataclass(frozen=True)
class Rates:
    """What one session brings along on average, over ``windows`` windows with ``sessions`` sessions; None: unknown."""

    windows: int
    sessions: int
    errors: float | None
    warnings: float | None
    retries: float | None
    tokens: float | None
    cost: float | None


def collect(context: Context, profile: str) -> Snapshot:
    """Take in what is new in a profile, and store it as one more window.

    Raises UnknownProfile, SessionsUnavailable, LogUnavailable, ProfileBusy; then nothing is stored, and nothing lost.
    """
    home = context.home(profile)
    for _ in range(_ATTEMPTS):
        before = newest(context, profile)
        row = _window(context, profile, home, before)
        with context.store.write() as tx:
            # Whoever stored a window meanwhile counted the same: look again, from where that one ended.
            if _newest_id(tx, profile) == (before.id if before else None):
                number = tx.execute(insert(schema.metrics_snapshots).values(row)).lastrowid
                return Snapshot(id=int(number), **row)
    raise ProfileBusy(f"Others keep collecting the figures of '{profile}'. Try again in a moment.", profile=profile)


def newest(context: Context, profile: str) -> Snapshot | None:
    """The newest snapshot of a profile, None before the first."""
    return next(iter(list_snapshots(context, profile=profile, limit=1)), None)


def newest_of_each(context: Context) -> list[Snapshot]:
    """The newest snapshot of every profile that has one, by profile."""
    table = schema.metrics_snapshots
    ids = select(func.max(table.c.id)).group_by(table.c.profile)
    with context.store.read() as tx:
        rows = tx.execute(select(table).where(table.c.id.in_(ids)).order_by(table.c.profile))
        return [as_record(Snapshot, row) for row in rows]


def list_snapshots(
    context: Context, *, profile: str | None = None, limit: int = 100, before: int | None = None
) -> list[Snapshot]:
    """Newest first; ``before`` is the id from which the next page goes on. Raises BadInput."""
    if not 1 <= limit <= 1000:
        raise BadInput("limit must be between 1 and 1000.")
    table = schema.metrics_snapshots
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    if profile is not None:
        query = query.where(table.c.profile == profile)
    if before is not None:
        query = query.where(table.c.id < before)
    with context.store.read() as tx:
        return [as_record(Snapshot, row) for row in tx.execute(query)]


def baseline(context: Context, profile: str, *, before: int | None = None, windows: int = 20) -> Rates:
    """The usual rates of a profile: its newest ``windows`` windows, or those before the snapshot with id ``before``.

    A profile's first window is no part of it: the host may have kept sessions for longer than logs. Raises BadInput.
    """
    found = list_snapshots(context, profile=profile, limit=windows, before=before)
    return rates(snapshot for snapshot in found if snapshot.window_started_at)


def rates(snapshots: Iterable[Snapshot]) -> Rates:
    """The figures of some windows per session. A window in which a figure is unknown has no part in that figure."""
    windows = list(snapshots)
    sessions = [window.sessions_count for window in windows]
    priced = [int(json.loads(window.payload)["sessions"]["priced"]) for window in windows]
    return Rates(
        windows=len(windows),
        sessions=sum(sessions),
        errors=_per_session([window.error_count for window in windows], sessions),
        warnings=_per_session([window.warn_count for window in windows], sessions),
        retries=_per_session([window.retries for window in windows], sessions),
        tokens=_per_session([window.tokens for window in windows], sessions),
        cost=_per_session([window.cost for window in windows], priced),
    )


def _per_session(figures: Sequence[float | None], sessions: Sequence[int]) -> float | None:
    known = [(figure, count) for figure, count in zip(figures, sessions, strict=True) if figure is not None]
    total = sum(count for _, count in known)
    return sum(figure for figure, _ in known) / total if total else None


# --- one window


def _window(context: Context, profile: str, home: Path, before: Snapshot | None) -> dict[str, Any]:
    """The row of the window that ends now, not stored yet."""
    cursors, session_cursor = _progress(before)
    now = clock.now()
    log = scan(home / "logs", cursors)
    idle = timedelta(minutes=context.settings.window.idle_minutes)
    sessions = new_sessions(home / "state.db", session_cursor, idle, now)
    return {
        "profile": profile,
        "captured_at": clock.stamp(now),
        "sessions_count": sessions.count,
        "error_count": log.counts.total.errors if log.counts else None,
        "warn_count": log.counts.total.warnings if log.counts else None,
        "retries": log.counts.retries if log.counts else None,
        "tokens": sessions.tokens,
        "cost": None if sessions.cost_micro_usd is None else sessions.cost_micro_usd / _MICRO,
        "from_offset": log.from_offset,
        "to_offset": log.to_offset,
        "window_started_at": before.window_ended_at if before else None,
        "window_ended_at": clock.stamp(now),
        "payload": _payload(log, sessions),
    }


def _payload(log: LogScan, sessions: NewSessions) -> str:
    counts, cursor = log.counts, sessions.cursor
    document = {
        "log": {
            "bytes_read": log.bytes_read,
            "loggers": {name: asdict(levels) for name, levels in counts.loggers.items()} if counts else {},
            "sessions": {name: asdict(levels) for name, levels in counts.sessions.items()} if counts else {},
            "cursors": [asdict(file) for file in log.cursors],
        },
        "sessions": {
            "priced": sessions.priced,
            "left_out": dict(sessions.left_out),
            "since": clock.stamp(cursor.since) if cursor.since else None,
            "counted": {name: [used.tokens, used.cost_micro_usd] for name, used in cursor.counted.items()},
        },
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _progress(before: Snapshot | None) -> tuple[tuple[Cursor, ...], SessionCursor]:
    """Up to where the windows before this one read the log and the sessions."""
    if before is None:
        return (), SessionCursor()
    document = json.loads(before.payload)
    sessions = document["sessions"]
    return tuple(Cursor(**file) for file in document["log"]["cursors"]), SessionCursor(
        clock.parse(sessions["since"]) if sessions["since"] else None,
        {name: Used(*used) for name, used in sessions["counted"].items()},
    )


def _newest_id(tx: Connection, profile: str) -> int | None:
    table = schema.metrics_snapshots
    found = tx.execute(select(func.max(table.c.id)).where(table.c.profile == profile)).scalar_one()
    return None if found is None else int(found)
