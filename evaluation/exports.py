"""Everything there is of one kind, oldest first and a few rows at a time: for files that leave this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from .. import schema
from .._db import fetch
from ..ratchet.audit.chain import Transition
from ..ratchet.context import Context
from ..ratchet.experiments import Experiment
from . import reports

if TYPE_CHECKING:
    from sqlalchemy import Connection

_AT_A_TIME = 200
_PAGE = "WHERE id > ? ORDER BY id LIMIT ?"
Row = TypeVar("Row")


def experiments(context: Context) -> Iterator[Experiment]:
    """Every experiment."""
    return _all(context, lambda tx, *page: fetch(tx, Experiment, schema.experiments, _PAGE, *page), attrgetter("id"))


def results(context: Context) -> Iterator[dict[str, Any]]:
    """Every scenario result as stored, those of held-out scenarios with everything in them."""
    return _all(context, lambda tx, *page: reports.stored(tx, schema.scenario_results, _PAGE, *page), itemgetter("id"))


def transitions(context: Context) -> Iterator[Transition]:
    """Every step of the audit trail."""
    return _all(context, lambda tx, *page: fetch(tx, Transition, schema.transitions, _PAGE, *page), attrgetter("id"))


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
