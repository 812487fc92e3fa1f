"""How an answer looks in a chat: at most what a phone shows at once, and nothing in it that a chat would carry out."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from ... import host
from .. import answered
from ..plain import visible

WIDTH = 40
"""Characters of a line on a phone."""
_MOST_ROWS = 32
_LONGEST_LINE = 480
_LONGEST_SENTENCE = 1_500
# What a gateway or an app acts on even within a block: files and pictures to attach, directives, the block's own end.
_ACTED_ON = re.compile(r"`(?=`)|\[(?=\[)|\](?=\()|<(?=img)|(?<=MEDIA)(?=:)", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """What is answered. ``link``, where more stands, is ours and goes below everything else."""

    text: str
    link: str = ""


def on_screen(reply: Reply) -> str:
    """``reply`` cut to a screenful, its text as it is and never as markup."""
    return _delivered("\n".join(_fitting(visible(reply.text).split("\n"))), reply.link)


def whole(sentence: str) -> str:
    """A sentence that may end with a command to copy, so that its lines are not cut."""
    return _delivered(visible(sentence[:_LONGEST_SENTENCE]), "")


def wrapped(line: str, mark: str) -> list[str]:
    """``line`` in pieces as wide as a phone, each behind ``mark``."""
    pieces = textwrap.wrap(line, WIDTH - len(mark), drop_whitespace=False, replace_whitespace=False)
    return [f"{mark}{piece}" for piece in pieces or [""]]


def _delivered(text: str, link: str) -> str:
    """In a gateway as one block: no markup, no mention and no file name in it means anything there."""
    if answered.sender() is not None or host.in_gateway():
        text = f"```\n{_ACTED_ON.sub(lambda found: f'{found[0]} ', text)}\n```"
    return f"{text}\n{link}" if link else text


def _fitting(lines: list[str]) -> Iterator[str]:
    rows = 0
    for number, line in enumerate(lines):
        shown = line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}\u2026"
        rows += max(1, -(-len(shown) // WIDTH))
        if rows > _MOST_ROWS or (rows == _MOST_ROWS and number + 1 < len(lines)):
            yield f"\u2026 {len(lines) - number} more lines in the dashboard"
            return
        yield shown
