"""Who put the held-out scenarios there, and when: whoever decides cannot see them, and is told at least that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from ... import schema
from ..._db import driver
from . import holdout
from .scenarios import Scenario, holdout_set

if TYPE_CHECKING:
    from sqlalchemy import Connection

_UNKNOWN = "unknown"
_ADDED = (
    "SELECT json_extract(payload, '$.scenario_id'), json_extract(payload, '$.actor') FROM events "
    "WHERE kind = 'scenario.added' AND profile = ?"
)


@dataclass(frozen=True)
class Author:
    """How many of the held-out scenarios ``actor`` added, when the ``first`` and the ``last``.

    ``late`` of them after this version of the set had been asked for the first time.
    """

    actor: str
    scenarios: int
    first: str
    last: str
    late: int


def of_holdout(tx: Connection, profile: str) -> list[Author]:
    """Everybody who added one of the held-out scenarios in use, whoever added most first."""
    known = {number: actor or _UNKNOWN for number, actor in driver(tx).execute(_ADDED, (profile,))}
    asked = _first_asked(tx, profile)
    found = [_author(actor, mine, asked) for actor, mine in _by_actor(holdout_set(tx, profile), known).items()]
    return sorted(found, key=lambda one: (-one.scenarios, one.actor))


def _by_actor(found: Sequence[Scenario], known: Mapping[int, str]) -> dict[str, list[Scenario]]:
    by_actor: dict[str, list[Scenario]] = {}
    for one in found:
        by_actor.setdefault(known.get(one.id, _UNKNOWN), []).append(one)
    return by_actor


def _author(actor: str, mine: Sequence[Scenario], asked: str | None) -> Author:
    moments = sorted(one.created_at for one in mine)
    late = sum(moment > asked for moment in moments) if asked else 0
    return Author(actor, len(mine), moments[0], moments[-1], late)


def _first_asked(tx: Connection, profile: str) -> str | None:
    table = schema.holdout_reads
    this = (table.c.profile == profile) & (table.c.version == holdout.version(tx, profile))
    found = tx.execute(select(func.min(table.c.created_at)).where(this)).scalar_one()
    return None if found is None else str(found)
