"""Time as this project keeps it: aware UTC datetimes, stored as ISO 8601 text with their offset."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current moment, UTC, microsecond resolution."""
    return datetime.now(UTC)


def stamp(moment: datetime | None = None) -> str:
    """``moment`` (default: now) as ``2026-11-20T10:00:00.000000+00:00``; the fixed width sorts as text."""
    return (moment or now()).astimezone(UTC).isoformat(timespec="microseconds")


def parse(text: str) -> datetime:
    """The inverse of :func:`stamp`. Raises ValueError for anything else."""
    return datetime.fromisoformat(text).astimezone(UTC)
