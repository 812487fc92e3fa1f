"""Counts the sessions of a profile that are over and were not counted before, and what was used since the last time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from .. import _metrics
from .._metrics import Session

# The host may store a session some time after it began, and people go on with one after a pause.
LOOK_BACK = timedelta(days=1)


@dataclass(frozen=True)
class Used:
    """What a session had used when it was looked at last; the cost in micro-dollars, None when unknown."""

    tokens: int
    cost_micro_usd: int | None


@dataclass(frozen=True)
class SessionCursor:
    """Sessions that began at ``since`` or later are met again; those of them in ``counted`` were counted already."""

    since: datetime | None = None
    counted: Mapping[str, Used] = field(default_factory=dict)


@dataclass(frozen=True)
class NewSessions:
    """What was new. ``count`` leaves out evaluations, cron jobs and the like, which ``left_out`` counts by reason.

    ``tokens`` and ``cost_micro_usd`` are what counted sessions used since they were looked at last. The cost adds up
    the sessions whose price is known, ``priced`` of the new ones; it is None when that is none of them.
    """

    count: int
    left_out: Mapping[str, int]
    tokens: int
    cost_micro_usd: int | None
    priced: int
    cursor: SessionCursor


def new_sessions(state_db: Path, cursor: SessionCursor, idle: timedelta, now: datetime) -> NewSessions:
    """Count what is new since the call that gave ``cursor``. Each session counts once, when it is first over.

    Raises SessionsUnavailable; nothing is lost then.
    """
    read = _metrics.read_sessions(state_db, cursor.since, idle=idle, now=now)
    fresh = [session for session in read if session.is_over and session.session_id not in cursor.counted]
    counted = [session for session in fresh if not session.excluded]
    costs = [session.cost_micro_usd for session in counted if session.cost_micro_usd is not None]
    went_on = [_grown(session, cursor) for session in read if not session.excluded]
    later_costs = [used.cost_micro_usd for used in went_on if used.cost_micro_usd]
    return NewSessions(
        count=len(counted),
        left_out=Counter(session.excluded.value for session in fresh if session.excluded),
        tokens=sum(session.tokens for session in counted) + sum(used.tokens for used in went_on),
        cost_micro_usd=sum(costs + later_costs) if costs or later_costs or not counted else None,
        priced=len(costs),
        cursor=_next(read, cursor, now),
    )


def _grown(session: Session, cursor: SessionCursor) -> Used:
    """What a session used after it was counted; nothing when it was not."""
    before = cursor.counted.get(session.session_id)
    if before is None:
        return Used(0, 0)
    cost = max((session.cost_micro_usd or 0) - (before.cost_micro_usd or 0), 0)
    return Used(max(session.tokens - before.tokens, 0), cost)


def _next(read: Sequence[Session], cursor: SessionCursor, now: datetime) -> SessionCursor:
    oldest = _metrics.next_since(read, None)
    if oldest is None:  # should the file have been away, what was counted stays counted
        return cursor
    # A session dated ahead by a wrong clock must not hide all that begin before its date.
    since = min(oldest, now) - LOOK_BACK
    if cursor.since:  # nothing is known of those before it but that they were counted
        since = max(since, cursor.since)
    known = [session for session in read if session.is_over or session.session_id in cursor.counted]
    return SessionCursor(
        since,
        {s.session_id: Used(s.tokens, s.cost_micro_usd) for s in known if s.started_at >= since},
    )
