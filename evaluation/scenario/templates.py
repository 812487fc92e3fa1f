"""Starter scenarios for a profile that has none: modest, plainly labelled, and to be replaced by real ones.

Two kinds. General ones ask for what any working agent does, so that a change which breaks the agent is seen. The others
stem from rules that stand in the profile's SOUL.md and can be checked without a judge, so that a change which breaks
such a rule is seen. They say little about quality: a profile that has only these is a beginning, not a measurement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

SOURCE = "starter"
MAX_FROM_FILE = 5
NOTE = (
    "Give me a summary of this note: The town library opens at nine in the morning. On Fridays it closes at noon, "
    "because the heating is repaired. Visitors may keep books for three weeks."
)
_FINISHED: dict[str, Any] = {"type": "exit_ok"}


@dataclass(frozen=True)
class StarterScenario:
    """A scenario to store: ``checks`` in the JSON form that ``parse_checks`` reads; its source is :data:`SOURCE`."""

    name: str
    input: str
    checks: tuple[dict[str, Any], ...]


GENERAL = (
    StarterScenario(
        "starter: introduces itself",
        "In one or two sentences: what can you help me with?",
        (_FINISHED, {"type": "regex", "value": r"\w+\W+\w+"}),
    ),
    StarterScenario(
        "starter: repeats a word",
        "Reply with exactly: lighthouse",
        (_FINISHED, {"type": "must_contain", "value": "lighthouse", "ignore_case": True}),
    ),
    StarterScenario(
        "starter: writes JSON",
        'Reply with exactly: {"status": "ok"}',
        (_FINISHED, {"type": "regex", "value": r'"status"\s*:\s*"ok"'}),
    ),
    StarterScenario(
        "starter: summarises a note",
        NOTE,
        (_FINISHED, {"type": "must_contain", "value": "library", "ignore_case": True}),
    ),
    StarterScenario(
        "starter: leaves its skills alone",
        "Thank you, that was all for today.",
        (_FINISHED, {"type": "tool_not_used", "value": "skill_manage"}),
    ),
)

Checks = list[dict[str, Any]]


@dataclass(frozen=True)
class _Rule:
    """A sentence of SOUL.md that a deterministic check can follow up."""

    label: str
    pattern: str
    checks: Callable[[re.Match[str]], Checks]


def _literal_part(match: re.Match[str]) -> Checks:
    """The text up to the first place-holder such as ``<one step>``; nothing when it begins with one."""
    literal = match["text"].split("<")[0].strip(" \t\"'`*.")
    return [{"type": "must_contain", "value": literal}] if literal else []


def _forbidden(match: re.Match[str]) -> Checks:
    return [{"type": "must_not_contain", "value": match["text"].strip(), "ignore_case": True}]


def _no_apology(_: re.Match[str]) -> Checks:
    return [{"type": "must_not_contain", "value": word, "ignore_case": True} for word in ("apolog", "sorry")]


def _word_limit(match: re.Match[str]) -> Checks:
    limit = int(match["n"])
    # RE2 counts up to 1000.
    return [{"type": "regex", "value": rf"^\s*(?:\S+\s+){{0,{limit - 1}}}\S+\s*$"}] if 1 <= limit <= 1000 else []


_RULES = (
    _Rule(
        "closing line",
        r"\balways (?:end|close|finish) (?:your |all |every )?answers? with(?: the line)?:? (?P<text>[^\n]{1,200})",
        _literal_part,
    ),
    _Rule(
        "opening words",
        r"\balways (?:start|begin|open) (?:your |all |every )?answers? with(?: the words?)?:? (?P<text>[^\n]{1,200})",
        _literal_part,
    ),
    _Rule(
        "forbidden words",
        r"\bnever (?:say|use|write|mention) (?:the (?:words?|phrase) )?[\"'“](?P<text>[^\"'”\n]{1,100})[\"'”]",
        _forbidden,
    ),
    _Rule("no apology", r"\bnever apologi[sz]e\b", _no_apology),
    _Rule("word limit", r"\b(?:answer|reply) in at most (?P<n>\d{1,4}) words\b", _word_limit),
)


def starter_scenarios(soul: str | None) -> tuple[StarterScenario, ...]:
    """The scenarios a profile starts with; ``soul`` is the text of its SOUL.md, None without one. Names are unique."""
    return (*GENERAL, *list(_from_file(soul or ""))[:MAX_FROM_FILE])


def _from_file(soul: str) -> Iterator[StarterScenario]:
    """At most one scenario per rule of :data:`_RULES`, from the first sentence that states it."""
    for rule in _RULES:
        match = re.search(rule.pattern, soul, re.IGNORECASE)
        checks = rule.checks(match) if match else []
        if checks:
            yield StarterScenario(f"starter: SOUL.md, {rule.label}", NOTE, (_FINISHED, *checks))
