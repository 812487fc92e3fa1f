"""Keeps held-out scenarios out of the proposer's sight, also where a session or a note repeats one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._db import driver
from ..evaluation.scenario import likeness

if TYPE_CHECKING:
    from sqlalchemy import Connection

_WORD = re.compile(r"\w+")
_RUN = 3
_SHARE = 0.5
"""A text with half of a held-out question's runs of three words tells what it asks."""
_TELLING, _TELLING_ASCII = 4, 8
"""A question of fewer letters, such as "Help", stands in many a text by chance: it counts only where it is all."""

_HIDDEN = "SELECT input, source FROM scenarios WHERE profile = ? AND holdout = 1"


@dataclass(frozen=True)
class Question:
    """What somebody was asked, and where that comes from, e.g. ``session:ID``."""

    input: str
    source: str


def questions(tx: Connection, profile: str) -> tuple[Question, ...]:
    """What the held-out scenarios of a profile ask, deleted ones included. Never leaves this package."""
    return tuple(Question(*row) for row in driver(tx).execute(_HIDDEN, (profile,)))


def is_one(asked: str, session_id: str | None, hidden: Iterable[Question]) -> bool:
    """Whether a question is on the held-out side: of a session that a held-out scenario was made of, or like one."""
    mine = Question(asked, f"session:{session_id}" if session_id else "")
    return any(likeness.alike(mine, one) for one in hidden)


def shows(text: str, hidden: Iterable[Question]) -> bool:
    """Whether ``text`` holds one of the ``hidden`` questions, or most of it, whatever its case and punctuation.

    Languages without spaces have no words to count, and short questions no runs: those are looked for as a whole.
    """
    words = _words(text)
    told = _runs(words)
    for one in hidden:
        asked = _words(one.input)
        runs = _runs(asked)
        if asked and (words == asked or _holds(words, asked)):
            return True
        if runs and len(runs & told) >= _SHARE * len(runs):
            return True
    return False


def _holds(words: Sequence[str], asked: Sequence[str]) -> bool:
    """Whether a telling question stands in a text as it is; only where all is ASCII do spaces surely part words."""
    letters = "".join(asked)
    if letters.isascii():
        return len(letters) >= _TELLING_ASCII and f" {' '.join(asked)} " in f" {' '.join(words)} "
    return len(letters) >= _TELLING and letters in "".join(words)


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _runs(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + _RUN]) for i in range(len(words) - _RUN + 1)}
