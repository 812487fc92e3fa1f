"""The scores that a profile's files had before a change, one per finished evaluation: listed here, never edited."""

from __future__ import annotations

from dataclasses import dataclass

from .. import schema
from .._db import fetch
from ..errors import BadInput
from ..ratchet.context import Context


@dataclass(frozen=True)
class Baseline:
    """One baseline as stored. ``models`` is JSON in a string; ``score`` is None when nothing gave a result."""

    id: int
    profile: str
    file: str
    commit_sha: str | None
    content_hash: str | None
    scenario_set_hash: str
    split: str
    models: str
    score: float | None
    experiment_id: int | None
    created_at: str


def list_baselines(
    context: Context, *, profile: str | None = None, limit: int = 100, before: int | None = None
) -> list[Baseline]:
    """Newest first; ``before`` is the id from which the next page goes on. Raises BadInput."""
    if not 1 <= limit <= 1000:
        raise BadInput("limit must be between 1 and 1000.")
    wanted = {"profile = ?": profile, "id < ?": before}
    asked = {condition: value for condition, value in wanted.items() if value is not None}
    where = f"WHERE {' AND '.join(asked)}" if asked else ""
    with context.store.read() as tx:
        return fetch(tx, Baseline, schema.baselines, f"{where} ORDER BY id DESC LIMIT ?", *asked.values(), limit)
