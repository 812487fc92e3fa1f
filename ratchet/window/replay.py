"""A plan tried on the profile's own past: where nothing was changed, how often would it have raised an alarm?

The plan's error rate holds for independent sessions. Good and bad days make real ones hang together, and an old
baseline is then no fair comparison. The past shows how bad that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from ... import clock
from ..._db import driver
from . import host_versions, weighing
from .baseline import Past
from .live_plan import Figures, Measure, PlannedTest, Replay

if TYPE_CHECKING:
    from sqlalchemy import Connection


def replay(past: Sequence[Past], cuts: Sequence[datetime], tests: Sequence[PlannedTest], seed: int) -> Replay:
    """Every window of the plan's size between two ``cuts`` (moments at which something changed), each judged once.

    Windows follow one another; the baseline of each is what came right before it.
    """
    windows = alarms = 0
    for baseline, live in _windows(_usable(past, tests), cuts, tests):
        windows += 1
        alarms += weighing.raises_alarm(tests, seed, baseline, live)
    return Replay(windows, alarms, sum(test.window.alpha for test in tests))


def cuts(tx: Connection, profile: str) -> list[datetime]:
    """The moments at which a file of the profile, or the host, became another one."""
    moments = driver(tx).execute(
        "SELECT applied_at FROM experiments WHERE profile = :p AND applied_at IS NOT NULL"
        " UNION SELECT reverted_at FROM experiments WHERE profile = :p AND reverted_at IS NOT NULL"
        " UNION SELECT created_at FROM events WHERE profile = :p AND kind = 'file.external_change'",
        {"p": profile},
    )
    found = [clock.parse(row[0]) for row in moments]
    return sorted([*found, *(since for since, _ in host_versions.load(tx).seen[1:])])


def _usable(past: Sequence[Past], tests: Sequence[PlannedTest]) -> list[Past]:
    """Sessions with a value for every test, as in a real window."""
    measures = {test.measure for test in tests}
    return [
        one
        for one in past
        if (one.figures.success is not None or Measure.SUCCESS not in measures)
        and (one.figures.cost_micro_usd is not None or Measure.COST not in measures)
    ]


def _windows(
    past: Sequence[Past], cut_at: Sequence[datetime], tests: Sequence[PlannedTest]
) -> Iterator[tuple[list[Figures], list[Figures]]]:
    if not tests:
        return
    shape = tests[0].window
    for start, end in pairwise([datetime.min.replace(tzinfo=clock.now().tzinfo), *cut_at, clock.now()]):
        quiet = [one.figures for one in past if start <= one.started_at < end]
        for first in range(0, len(quiet) - shape.n0 - shape.n_max + 1, shape.n_max):
            middle = first + shape.n0
            yield quiet[first:middle], quiet[middle : middle + shape.n_max]
