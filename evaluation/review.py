"""What a reviewer decides from beside the measured results: the texts, the words that change, what hides in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from ..errors import DiskFailed, NoEvidence, PathRefused, UnknownProfile
from ..ratchet import experiments
from ..ratchet.context import Context
from ..ratchet.experiments import Experiment
from ..ratchet.window import live_window
from ..ratchet.window.foretelling import foretell
from .gating import reports

_MAX_WORDS = 2_000
_MAX_INVISIBLE = 200
_PLAIN = frozenset("\n\t ")
_HIDING = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs", "Co", "Cs", "Cn"})

Side = Literal["base", "candidate"]


@dataclass(frozen=True)
class Words:
    """A stretch of text that stays, goes or comes."""

    change: Literal["same", "removed", "added"]
    text: str


@dataclass(frozen=True)
class Invisible:
    """A character that shows as nothing, or as another one. ``line`` and ``column`` count from 1."""

    side: Side
    line: int
    column: int
    code: str
    name: str


@dataclass(frozen=True)
class Review:
    """``base_text`` is None when there was no file, ``drifted`` None when today's file cannot be read.

    ``report`` is the newest one on exactly these bytes, None before an evaluation finished. ``flaky`` are scenarios
    that passed and failed in one arm. ``effect`` is the candidate's score less the baseline's, both in 0..1.
    ``foretold`` is what the live window would catch and miss, in sentences; None before its plan is made.
    """

    experiment: Experiment
    base_text: str | None
    candidate_text: str
    words: tuple[Words, ...]
    invisible: tuple[Invisible, ...]
    drifted: bool | None
    report: dict[str, Any] | None
    flaky: tuple[str, ...]
    effect: float | None
    runs_without_result: int
    foretold: tuple[str, ...] | None


def review(context: Context, experiment_id: int) -> Review:
    """Everything on one experiment. Raises UnknownExperiment, StoreCorrupt."""
    found = experiments.shown(context, experiment_id)
    base, candidate = (_text(content) for content in experiments.contents(context, found))
    report = reports.latest(context, experiment_id)
    rows = reports.results(context, experiment_id)
    return Review(
        experiment=found,
        base_text=base,
        candidate_text=candidate or "",
        words=tuple(word_diff(base or "", candidate or "")),
        invisible=(*_invisible("base", base or ""), *_invisible("candidate", candidate or "")),
        drifted=_drifted(context, found),
        report=report,
        flaky=tuple((report or {}).get("flaky", ())),
        effect=_effect(report),
        runs_without_result=sum(row["pass_fail"] is None for row in rows),
        foretold=_foretold(context, experiment_id),
    )


def _foretold(context: Context, experiment_id: int) -> tuple[str, ...] | None:
    try:
        return foretell(live_window.status(context, experiment_id).plan)
    except NoEvidence:
        return None


def word_diff(base: str, candidate: str) -> Iterator[Words]:
    """The candidate as words that stay, go and come; their texts without the added ones give the base."""
    old, new = _split(base), _split(candidate)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    yield from _words("same", old[:head])
    yield from _changed(old[head : len(old) - tail], new[head : len(new) - tail])
    yield from _words("same", old[len(old) - tail :])


def _changed(old: Sequence[str], new: Sequence[str]) -> Iterator[Words]:
    if len(old) + len(new) > _MAX_WORDS:  # comparing takes the square of that
        yield from _words("removed", old)
        yield from _words("added", new)
        return
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from _words("same", old[i:j])
        else:
            yield from _words("removed", old[i:j])
            yield from _words("added", new[k:m])


def _words(change: Literal["same", "removed", "added"], words: Sequence[str]) -> Iterator[Words]:
    if words:
        yield Words(change, "".join(words))


def _split(text: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", text)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _invisible(side: Side, text: str) -> list[Invisible]:
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        for column, character in enumerate(line, start=1):
            if character not in _PLAIN and unicodedata.category(character) in _HIDING:
                code = f"U+{ord(character):04X}"
                found.append(Invisible(side, number, column, code, unicodedata.name(character, code)))
                if len(found) == _MAX_INVISIBLE:
                    return found
    return found


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "replace")


def _drifted(context: Context, experiment: Experiment) -> bool | None:
    """Whether the file is another one than this experiment left or found."""
    try:
        now = experiments.current_file(context, experiment.profile, experiment.target_relpath)
    except (UnknownProfile, PathRefused, DiskFailed):
        return None
    stands = experiment.candidate_sha256 if experiment.state in ("live", "verified") else experiment.base_sha256
    return now.sha256 != stands


def _effect(report: dict[str, Any] | None) -> float | None:
    before, after = ((report or {}).get(f"{arm}_score") for arm in ("baseline", "candidate"))
    return None if before is None or after is None else float(after - before)
