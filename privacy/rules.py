"""What a rule is: a trigger that the fast pass looks for, and an exact pattern tried where the trigger began."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from .matching import Trigger

# Where a token may begin: not inside a word. The letter of an escape ("\n", "\u003e", "%3D", a terminal's colour)
# belongs to no word.
EDGE = (
    rb"(?:(?<![0-9A-Za-z])|(?<=\\[abfnrtv])|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2})|(?<=%[0-9A-Fa-f]{2})"
    rb"|(?<=\[[0-9]m)|(?<=[\[;][0-9]{2}m))"
)
FAR = 64
FARTHEST = 1 << 17
MASK = b"xX0*.-_"

Match = re.Match[bytes]


def always(_match: Match) -> bool:
    return True


@dataclass(frozen=True)
class Rule:
    """One way in which a type shows. ``source`` is an expression that names what has to go with its group ``secret``.

    ``before`` are bytes that a find may begin with before its trigger, at most 64 of them. ``reach`` is how many bytes
    it looks at from there: floods of triggers cost no more than that for each.
    """

    type: str
    triggers: tuple[Trigger, ...]
    source: bytes
    accept: Callable[[Match], bool] = always
    before: bytes = b""
    reach: int = FARTHEST

    @cached_property
    def exact(self) -> re.Pattern[bytes]:
        """Compiled when it is first needed: a hundred of them would cost every command 60 ms."""
        return re.compile(self.source, re.DOTALL)

    def match(self, data: bytes, start: int) -> Match | None:
        """What the rule finds where its trigger began; None when it is nothing after all."""
        if self.before:
            window = data[max(0, start - FAR) : start]
            start -= len(window) - len(window.rstrip(self.before))
        match = self.exact.match(data, start, start + self.reach)
        return match if match and self.accept(match) else None


def alternatives(pattern: str) -> Iterator[str]:
    """``gh[pous]_`` and ``sk-(?:a|b)-`` spelled out: words, sets of characters and flat groups are understood."""
    part = re.search(r"\[(?P<set>[a-z]+)\]|\(\?:(?P<group>[^()]+)\)", pattern)
    if part is None:
        yield pattern
        return
    for choice in part["set"] or part["group"].split("|"):
        yield from alternatives(pattern[: part.start()] + choice + pattern[part.end() :])


def unmasked(match: Match) -> bool:
    """Whether something is left of it without the characters people cross secrets out with."""
    return bool(match["body"].strip(MASK))


def token(
    kind: str, head: str, body: str, least: int, most: int = 4096, accept: Callable[[Match], bool] = unmasked
) -> Rule:
    """A token with a telling beginning: ``head``, then ``least`` to ``most`` characters of the class ``body``."""
    heads = list(alternatives(head))
    spelled = "|".join(re.escape(one) for one in heads)
    return Rule(
        kind,
        tuple(Trigger(f"{re.escape(one)}{body}{{{least}}}".encode(), len(one) + least) for one in heads),
        EDGE + f"(?P<secret>(?:{spelled})(?P<body>{body}{{{least},{most}}}+))".encode(),
        accept,
    )


def form(
    kind: str,
    triggers: str | Iterable[str],
    exact: str,
    accept: Callable[[Match], bool] = always,
    *,
    edge: bool = True,
    before: bytes = b"",
    reach: int = FARTHEST,
) -> Rule:
    """A rule of any other shape. ``exact`` is matched where one of the triggers began.

    Triggers that begin with different words are fast as many, and slow as one.
    """
    spelled = (triggers,) if isinstance(triggers, str) else triggers
    pattern = (EDGE if edge else b"") + exact.encode()
    begins = tuple(Trigger(one.encode()) for one in spelled)
    return Rule(kind, begins, pattern, accept, before, reach)
