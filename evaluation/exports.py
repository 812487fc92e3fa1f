"""Everything there is of one kind, oldest first and a few rows at a time: for files that leave this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from .. import schema
from .._db import fetch
from ..privacy import sanitize, without_secrets
from ..ratchet.audit.chain import Transition
from ..ratchet.context import Context
from ..ratchet.experiments import Experiment
from .gating import reports

if TYPE_CHECKING:
    from sqlalchemy import Connection

_AT_A_TIME = 200
_PAGE = "WHERE id > ? ORDER BY id LIMIT ?"
_SHOWN = f"WHERE id > ? AND {reports.NOT_HELD_OUT} ORDER BY id LIMIT ?"
_WORDS_OF_AN_EXPERIMENT = frozenset({"diff", "rationale", "rejection_reason", "target_profile_root"})
_WORDS = _WORDS_OF_AN_EXPERIMENT | {
    "no_result_reason",
    "check_results",
    "judge_rationale",
    "scenario_snapshot",
    "transcript",
}
"""Columns that hold what somebody wrote: looked at once more, for rows older than that look when they are made."""
Row = TypeVar("Row")


def experiments(context: Context) -> Iterator[Experiment]:
    """Every experiment."""
    found = _all(context, lambda tx, *page: fetch(tx, Experiment, schema.experiments, _PAGE, *page), attrgetter("id"))
    return (replace(one, **_cleaned({name: getattr(one, name) for name in _WORDS_OF_AN_EXPERIMENT})) for one in found)


def results(context: Context) -> Iterator[dict[str, Any]]:
    """Every result on a scenario that is not held out."""
    shown = _all(
        context, lambda tx, *page: reports.stored(tx, schema.scenario_results, _SHOWN, *page), itemgetter("id")
    )
    return map(_cleaned, shown)


def transitions(context: Context) -> Iterator[Transition]:
    """Every step of the audit trail; where something had to be replaced in a reason, its hash does not fit any more."""
    found = _all(context, lambda tx, *page: fetch(tx, Transition, schema.transitions, _PAGE, *page), attrgetter("id"))
    return (replace(one, reason=sanitize(one.reason).text) for one in found)


def _all(
    context: Context, read: Callable[[Connection, int, int], list[Row]], number: Callable[[Row], int]
) -> Iterator[Row]:
    """Each handful in a transaction of its own: a long one would keep the database's log from shrinking."""
    last = 0
    while True:
        with context.store.read() as tx:
            found = read(tx, last, _AT_A_TIME)
        yield from found
        if len(found) < _AT_A_TIME:
            return
        last = number(found[-1])


def _cleaned(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _text(value) if name in _WORDS else value for name, value in row.items()}


def _text(value: str | None) -> str | None:
    """A text that is a JSON document keeps being one: its texts are looked at one by one."""
    if not value:
        return value
    if value[0] in "[{":
        try:
            return json.dumps(without_secrets(json.loads(value)), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    return sanitize(value).text
