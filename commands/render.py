"""Tables, facts and diffs for a terminal of 80 columns; all text of others is made visible first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from rich.box import HEAVY, SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
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
_COMMAND_AT_END = re.compile(r" (hermes ratchet (?:(?!hermes ratchet)[^\n])+)$", re.MULTILINE)
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


_LEAST_REST = 12


class Column(NamedTuple):
    """A column: its heading, its least width, whether it gets what space is left, and how wide it may get."""

    heading: str
    width: int | None = None
    takes_rest: bool = False
    most: int | None = None


class Stacked(NamedTuple):
    """A cell of two parts: what it is about, and below that a sentence on it."""

    what: str
    below: str | None


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Table:
    """A table whose cells wrap rather than run out of the screen; None shows as a dash."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    for column in columns:
        ratio, least = (1, _LEAST_REST) if column.takes_rest else (None, column.width)
        made.add_column(column.heading, min_width=least, max_width=column.most, ratio=ratio, overflow="fold")
    made.expand = any(column.takes_rest for column in columns)
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def cell(value: object) -> Text:
    """One value as text; a state in its colour."""
    if isinstance(value, Stacked):
        below = f"\n{one_line(value.below)}" if value.below else ""
        return Text(one_line(value.what)).append(below, style="dim")
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
    """Sentences, wrapped at words on a terminal; a command they end with is not torn apart."""
    shown = visible(text)
    if console.is_terminal and len(shown) > console.width:
        shown = _COMMAND_AT_END.sub(r"\n\1", shown)
    console.print(Text(shown, style=style), soft_wrap=not console.is_terminal)


def verbatim(console: Console, text: str) -> None:
    """A command or a path to copy: never broken by a line end of ours."""
    console.print(Text(visible(text)), soft_wrap=True)


def diff(console: Console, text: str) -> None:
    """A unified diff, line by line as it is."""
    for number, line in enumerate(text.removesuffix("\n").split("\n")):
        diff_line(console, line, "bold" if number < 2 else None)


def diff_line(console: Console, line: str, style: str | None = None) -> None:
    """One line of a diff in the colour of its mark, unless it is given another."""
    shown = _DIFF_STYLES.get(line[:1], "") if style is None else style
    console.print(Text(visible(line), style=shown), soft_wrap=True)


def warning(console: Console, title: str, paragraphs: Sequence[str]) -> None:
    """A box that nobody overlooks."""
    body = Text("\n\n".join(visible(one) for one in paragraphs))
    console.print()
    console.print(Panel(body, title=title, title_align="left", box=HEAVY, style="bold yellow", padding=(1, 2)))


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
