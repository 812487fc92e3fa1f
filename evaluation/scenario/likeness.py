"""Which scenarios are too alike to stand on both sides of the split: of one session, or asking nearly the same.

A candidate made for a train scenario would be confirmed on its twin. Alike are two inputs that share most of their runs
of four characters, once case, digits, punctuation and spacing are evened out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Protocol, TypeVar

LIKENESS = 0.5
"""The share of common runs of characters, of all there are in the two texts (Jaccard), from which on they are alike."""
_RUN = 4
_NOTHING_SAID = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")


class Asked(Protocol):
    """What is asked, and where it comes from: a kind such as ``person``, or a kind and an id as in ``session:ID``."""

    @property
    def input(self) -> str: ...

    @property
    def source(self) -> str: ...


AskedT = TypeVar("AskedT", bound=Asked)


def alike(one: Asked, other: Asked) -> bool:
    """Whether two scenarios belong on one side of the split."""
    if one.source == other.source and ":" in one.source:
        return True
    return _likeness(_runs(one.input), _runs(other.input)) >= LIKENESS


def apart_from(scenarios: Iterable[AskedT], others: Collection[Asked]) -> list[AskedT]:
    """Those of ``scenarios`` that are like none of ``others``."""
    return [one for one in scenarios if not any(alike(one, other) for other in others)]


def groups(scenarios: Iterable[AskedT]) -> list[list[AskedT]]:
    """The scenarios sorted into groups that stay together: whoever is like a member of a group belongs to it."""
    found: list[list[AskedT]] = []
    for one in scenarios:
        mine = [group for group in found if any(alike(one, member) for member in group)]
        found = [group for group in found if group not in mine]
        found.append([*(member for group in mine for member in group), one])
    return found


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _DIGITS.sub("0", _NOTHING_SAID.sub(" ", folded)).strip()


@lru_cache(maxsize=4096)
def _runs(text: str) -> frozenset[str]:
    plain = _plain(text) or text
    return frozenset(plain[start : start + _RUN] for start in range(max(1, len(plain) - _RUN + 1)))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    few, many = sorted((len(one), len(other)))
    if few < LIKENESS * many:
        return 0.0
    common = len(one & other)
    return common / (few + many - common)
