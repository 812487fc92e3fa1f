"""``--watch``: the same answer again and again until Ctrl-C, drawn anew for a person, a line each for a program."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from .. import clock
from ..errors import BadInput
from . import output
from .exits import Exit
from .output import Answer

if TYPE_CHECKING:
    from rich.text import Text

EVERY_S = 2.0


def follow(ask: Callable[[], Answer], as_json: bool) -> Exit:
    """Show what ``ask`` answers every two seconds. Raises BadInput without a terminal, and what ``ask`` does."""
    if not as_json and not sys.stdout.isatty():
        raise BadInput(
            "--watch draws on a terminal, and there is none here. For a program, --watch --json gives one JSON object "
            "a line."
        )
    with suppress(KeyboardInterrupt):  # it is how one leaves
        if as_json:
            _as_lines(ask)
        else:
            _on_screen(ask)
    return Exit.OK


def _as_lines(ask: Callable[[], Answer]) -> None:
    """The first answer, then each that differs from the one before."""
    before = None
    while True:
        found = ask().document
        if found != before:
            output.write_line(found)
        before = found
        time.sleep(EVERY_S)


def _on_screen(ask: Callable[[], Answer]) -> None:
    """What does not fit the screen is cut while it changes, and shown whole at the end."""
    from rich.live import Live

    with Live(console=output.console(), auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as screen:
        while True:
            screen.update(_drawn(ask()), refresh=True)
            time.sleep(EVERY_S)


def _drawn(answer: Answer) -> Text:
    from rich.text import Text

    paper = output.console()
    with paper.capture() as drawn:
        answer.show(paper)
    head = f"{clock.now():%H:%M:%S} UTC, anew every {EVERY_S:g} s; Ctrl-C ends it\n\n"
    return Text.assemble((head, "dim"), Text.from_ansi(drawn.get()))
