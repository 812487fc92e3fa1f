"""On which side of the split a scenario stands: beside its twins, else where its lot puts it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import Conflict
from . import likeness

if TYPE_CHECKING:
    from .scenarios import Scenario

FROM_SESSION = "session:"
"""How the source of a scenario begins that was made from a session; the session's id follows."""
HELD_OUT_SHARE = 0.5


class SplitNotDisjoint(Conflict):
    """A scenario would stand on one side of the split and its twin on the other."""

    code = "split_not_disjoint"


@dataclass(frozen=True)
class Unplaced:
    """What decides on the side of a new scenario: what it asks and where it comes from."""

    input: str
    source: str


def belongs_to_holdout(profile: str, asked: Unplaced, known: Iterable[Scenario]) -> bool:
    """The side of a new scenario that nobody chose one for: that of its twins among the ``known``, else its lot."""
    twin = next((one for one in known if not one.is_draft and likeness.alike(one, asked)), None)
    if twin is not None:
        return bool(twin.holdout)
    return lot(profile, asked.source if asked.source.startswith(FROM_SESSION) else asked.input)


def lot(profile: str, drawn_by: str) -> bool:
    """Whether ``drawn_by`` (``session:ID`` for all that comes from one session, else the input) is held out."""
    digest = hashlib.sha256(f"{profile}\0{drawn_by}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) < HELD_OUT_SHARE * 2**64


def check_apart(scenario: Scenario, others: Iterable[Scenario]) -> None:
    """Raises SplitNotDisjoint when a twin is among the ``others``, which stand on the other side; drafts are on none.

    A twin there would let a candidate be confirmed on what it was made for.
    """
    placed = [one for one in others if not one.is_draft]
    if scenario.is_draft or likeness.apart_from([scenario], placed):
        return
    side, other = ("held out", "train") if scenario.holdout else ("train", "held-out")
    raise SplitNotDisjoint(
        f"A {other} scenario of '{scenario.profile}' asks nearly the same, or comes from the same session, so this one "
        f"cannot be {side}. Put both on one side, or ask something else."
    )
