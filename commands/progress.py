"""How far a long command is, on stderr: a bar with the time left on a terminal, else a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import output
from .plain import visible

Report = Callable[[int, int | None], None]
"""Called with how much is done, and of how much; None before that is known."""

_LINE_EVERY_S = 30.0
_REFRESHES_PER_S = 2
_SPEED_OVER_S = 3_600.0
_MINUTE_S = 60


@contextmanager
def shown(what: str, unit: str) -> Iterator[Report]:
    """Show how ``what`` goes on for as long as the block lasts; ``unit`` is what is counted, in the plural."""
    if sys.stderr.isatty():
        with _bar(what, unit) as report:
            yield report
    else:
        yield _Lines(what, unit).report


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Report]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(visible(what)),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn(f"{unit},"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    # One step may take minutes: a shorter memory would forget the speed between two of them.
    with Progress(
        *columns,
        console=output.console(sys.stderr),
        transient=True,
        refresh_per_second=_REFRESHES_PER_S,
        speed_estimate_period=_SPEED_OVER_S,
    ) as bar:
        task = None

        def report(done: int, total: int | None) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task(what, completed=done, total=total)
            bar.update(task, completed=done, total=total)

        yield report


class _Lines:
    """One line every half a minute: enough for a log, and silent for what is over at once."""

    def __init__(self, what: str, unit: str) -> None:
        self._what, self._unit = what, unit
        self._began: tuple[float, int] | None = None
        self._said = time.monotonic()

    def report(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        self._began = self._began or (now, done)
        if now - self._said < _LINE_EVERY_S:
            return
        self._said = now
        text = f"{self._what}: {done} of {total or '?'} {self._unit}{self._left(now, done, total)}"
        print(visible(text), file=sys.stderr, flush=True)

    def _left(self, now: float, done: int, total: int | None) -> str:
        began, first = self._began or (now, done)
        if not total or done <= first:
            return ""
        seconds = (now - began) / (done - first) * (total - done)
        return f", about {max(round(seconds / _MINUTE_S), 1)} min left" if total > done else ""
