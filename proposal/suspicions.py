"""What in a draft could do harm or deceive whoever decides on it, and what follows: refused, or kept with a flag.

A flag is for what somebody may want all the same, and stays visible until a person has decided. The lists of words are
English, with the commonest ones of a few other languages; they are a net and no proof. What carries the weight is that
wording taken over from the observed material is flagged whatever it says: a draft that obeys a planted order shows it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..privacy import sanitize, scan
from . import wordings
from .wordings import folded, words


class Kind(StrEnum):
    """What is suspicious. The value is shown to persons."""

    HIDDEN = "hidden text"
    SECRET = "secret"  # noqa: S105 (not a password)
    PERSONAL = "personal data"
    MARKUP = "prompt markup"
    OPAQUE = "unreadable text"
    JUDGES = "word to judges or reviewers"
    OVERSIGHT = "order against oversight"
    EXFILTRATION = "order to hand data out"
    DANGEROUS = "dangerous command"
    PLANTED = "address from the material"
    ADDRESS = "web address"
    COMMAND = "command"
    PERMISSION = "permission"
    TOOL = "tool"
    PEOPLE = "data of people"
    CLAIM = "claim of success"
    TRIGGER = "trigger word"
    COPIED = "wording of the material"
    SCRIPT = "another script"


FLAGGED = frozenset(
    {
        Kind.ADDRESS,
        Kind.COMMAND,
        Kind.PERMISSION,
        Kind.TOOL,
        Kind.PEOPLE,
        Kind.CLAIM,
        Kind.TRIGGER,
        Kind.COPIED,
        Kind.SCRIPT,
    }
)
"""Kinds that may be meant well: kept with a flag. All others refuse a draft."""

_EXCUSED = frozenset({Kind.JUDGES, Kind.DANGEROUS})
"""Kinds that only flag when the file itself has the word: an agent that reviews code speaks of reviewers."""

_COPIED_WORDS, _COPIED_WHOLE = 4, 2
_SHOWN = 60


@dataclass(frozen=True)
class Suspicion:
    """One thing found. ``detail`` names it in a few words, never a secret."""

    kind: Kind
    where: str
    detail: str
    refused: bool

    def __str__(self) -> str:
        return f"{self.kind} in the {self.where}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class Drafted:
    """A draft as far as it is examined: ``base`` is the whole file, ``observed`` all words of others behind it."""

    base: str
    old: str
    new: str
    hypothesis: str
    expected_effect: str
    observed: Sequence[str]


def suspicions(draft: Drafted) -> list[Suspicion]:
    """Everything suspicious in a draft, the refused kinds first. Linear in the texts."""
    found: dict[tuple[Kind, str], Suspicion] = {}
    parts = {"new text": draft.new, "hypothesis": draft.hypothesis, "expected effect": draft.expected_effect}
    for where, text in parts.items():
        for kind, detail in _in_text(text, draft.base if where == "new text" else "", draft.observed):
            found.setdefault((kind, where), _suspicion(kind, where, detail, draft.base))
    for kind, detail in (*_copied(draft), *_loosened(draft), *_in_another_script(draft)):
        found.setdefault((kind, "change"), _suspicion(kind, "change", detail, draft.base))
    return sorted(found.values(), key=lambda one: (not one.refused, list(Kind).index(one.kind)))


def _suspicion(kind: Kind, where: str, detail: str, base: str) -> Suspicion:
    shown = sanitize(detail).text if kind is not Kind.SECRET else detail
    shown = "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in " ".join(shown.split()))[:_SHOWN]
    known = kind in _EXCUSED and folded(detail) in folded(base)
    return Suspicion(kind, where, shown, kind not in FLAGGED and not known)


def _in_text(text: str, base: str, observed: Sequence[str]) -> Iterator[tuple[Kind, str]]:
    yield from _unseen(text, base)
    secret = {one.type for one in scan(text)}
    yield from ((Kind.SECRET, one) for one in secret)
    yield from ((Kind.PERSONAL, one.type) for one in sanitize(text).findings if one.type not in secret)
    plain, known = folded(text), folded(base)
    for kind, pattern in _PATTERNS:
        for one in pattern.finditer(text if kind in _AS_WRITTEN else plain):
            if one[0] not in (base if kind in _AS_WRITTEN else known) or kind in _EXCUSED:
                yield kind, one[0]
    for address in wordings.ADDRESS.findall(plain):
        if address not in known:
            yield (Kind.PLANTED if any(address in folded(one) for one in observed) else Kind.ADDRESS), address


_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (Kind.HIDDEN, wordings.COMMENT),
    (Kind.MARKUP, wordings.MARKUP),
    (Kind.OPAQUE, wordings.OPAQUE),
    (Kind.JUDGES, wordings.JUDGES),
    (Kind.OVERSIGHT, wordings.OVERSIGHT),
    (Kind.EXFILTRATION, wordings.EXFILTRATION),
    (Kind.DANGEROUS, wordings.DANGEROUS),
    (Kind.COMMAND, wordings.COMMAND),
    (Kind.PERMISSION, wordings.PERMISSION),
    (Kind.TOOL, wordings.TOOL),
    (Kind.PEOPLE, wordings.PEOPLE),
    (Kind.CLAIM, wordings.CLAIM),
    (Kind.TRIGGER, wordings.TRIGGER),
)
_AS_WRITTEN = frozenset({Kind.HIDDEN, Kind.MARKUP, Kind.OPAQUE})
"""Case and special characters matter there."""


def _unseen(text: str, base: str) -> Iterator[tuple[Kind, str]]:
    """Characters nobody sees, and letters that pass for others."""
    for character in text:
        if wordings.is_unseen(character) and character not in base:
            yield Kind.HIDDEN, f"U+{ord(character):04X}"
    for word in re.findall(r"\w+", text):
        if wordings.is_mixed(word) and word not in base:
            yield Kind.HIDDEN, f"letters of two alphabets in {word}"


def _copied(draft: Drafted) -> Iterator[tuple[Kind, str]]:
    """Wording the material has and the file has not; or that names what the change takes away."""
    seen = [words(text) for text in draft.observed]
    known = set(wordings.runs(words(draft.base), _COPIED_WORDS))
    added = words(draft.new)
    for run in wordings.runs(added, _COPIED_WORDS):
        if run not in known and any(run in wordings.run_set(tuple(text), _COPIED_WORDS) for text in seen):
            yield Kind.COPIED, " ".join(run)
            return
    kept_before, kept_after = wordings.common_ends(words(draft.old), added)
    for whole in (added[kept_before : len(added) - kept_after], _taken(draft, kept_before, kept_after)):
        if len(whole) >= _COPIED_WHOLE and any(wordings.holds(text, whole) for text in seen):
            yield Kind.COPIED, " ".join(whole)
            return


def _taken(draft: Drafted, kept_before: int, kept_after: int) -> list[str]:
    old = words(draft.old)
    return old[kept_before : len(old) - kept_after]


def _loosened(draft: Drafted) -> Iterator[tuple[Kind, str]]:
    """A restriction that stood there and stands there no more."""
    before, after = wordings.LIMIT.findall(folded(draft.old)), wordings.LIMIT.findall(folded(draft.new))
    if len(before) > len(after):
        yield Kind.PERMISSION, f"takes away: {before[0]}"


def _in_another_script(draft: Drafted) -> Iterator[tuple[Kind, str]]:
    """The word lists say nothing of it."""
    known = set(map(_script, filter(str.isalpha, draft.base)))
    for character in filter(str.isalpha, draft.new):
        if (script := _script(character)) not in known | {"LATIN"}:
            yield Kind.SCRIPT, script.lower()


def _script(character: str) -> str:
    return unicodedata.name(character, "UNKNOWN").split()[0].split("-")[0]
