"""Tables, facts and diffs for a terminal of 80 columns; all text of others is made visible first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .. import clock
from .plain import one_line, visible

_STATE_STYLES = {
    "proposed": "bold",
    "approved": "cyan",
    "live": "yellow",
    "verified": "green",
    "reverted": "red",
    "rejected": "dim",
    "paused": "yellow",
    "backing off": "red",
    "failed": "red",
    "problem": "red",
    "note": "yellow",
    "ok": "green",
}
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


class Column(NamedTuple):
    """A column: its heading, its least width, and whether it gets what space is left."""

    heading: str
    width: int | None = None
    takes_rest: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Table:
    """A table whose cells wrap rather than run out of the screen; None shows as a dash."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        ratio = 1 if column.takes_rest else None
        made.add_column(column.heading, min_width=column.width, ratio=ratio, overflow="fold")
    made.expand = any(column.takes_rest for column in columns)
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def cell(value: object) -> Text:
    """One value as text; a state in its colour."""
    text = "\u2014" if value is None or value == "" else one_line(str(value))
    return Text(text, style=_STATE_STYLES.get(text, ""))


def facts(console: Console, pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values below one another; what is None is left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            grid.add_row(name, cell(value))
    console.print(Padding(grid, (0, 0, 0, 2)))


def labelled(console: Console, label: str, text: str) -> None:
    """A sentence behind a short label, its further lines indented; the label in its colour."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(min_width=8, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(cell(label), Text(visible(text)))
    console.print(grid)


def heading(console: Console, text: str) -> None:
    console.print(Text(one_line(text), style="bold"))


def say(console: Console, text: str, style: str = "") -> None:
    """Sentences, wrapped at words on a terminal."""
    console.print(Text(visible(text), style=style), soft_wrap=not console.is_terminal)


def verbatim(console: Console, text: str) -> None:
    """A command or a path to copy: never broken by a line end of ours."""
    console.print(Text(visible(text)), soft_wrap=True)


def diff(console: Console, text: str) -> None:
    """A unified diff, line by line as it is."""
    for number, line in enumerate(text.removesuffix("\n").split("\n")):
        style = "bold" if number < 2 else _DIFF_STYLES.get(line[:1], "")
        console.print(Text(visible(line), style=style), soft_wrap=True)


def ago(moment: str | None) -> str | None:
    """How long ago a stored time was, in one unit."""
    if not moment:
        return None
    passed = clock.now() - clock.parse(moment)
    for unit, length in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if passed >= length:
            return f"{passed // length} {unit} ago"
    return "just now"


def percent(score: float | None) -> str | None:
    return None if score is None else f"{score:.0%}"


def short(commit: str | None) -> str | None:
    return commit[:10] if commit else None
