"""What can be said of a scenario's checks without running it: those that never pass, and those that never fail."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from ..checks import Check, JsonSchema, MustContain, MustNotContain, Outcome, Regex, ToolNotUsed, ToolUsed
from ..running.runner import AgentRun
from . import unsatisfiable

_LITERAL = re.compile(r"[\w \-,;:!\"'<>=/@#%&~]+")


def impossible(checks: Sequence[Check], tools: Collection[str]) -> Iterator[str]:
    """Why no run can pass all ``checks``, each reason naming them by number; ``tools`` are those a run is given."""
    for number, check in enumerate(checks, start=1):
        why = _never_passes(check, tools)
        if why:
            yield f"check {number} ({check.type}) can never pass: {why}"
        for other_number, other in enumerate(checks, start=1):
            if _contradicts(check, other):
                yield f"checks {number} ({check.type}) and {other_number} ({other.type}) contradict each other"


def idle(checks: Sequence[Check], tools: Collection[str]) -> Iterator[str]:
    """Which of the ``checks`` can never fail, each reason naming one by number."""
    for number, check in enumerate(checks, start=1):
        if isinstance(check, ToolNotUsed) and check.value not in tools:
            yield f"check {number} ({check.type}) can never fail: no evaluated agent has the tool {check.value!r}"
        if isinstance(check, Regex) and unsatisfiable.always_matches(check.value):
            yield f"check {number} ({check.type}) can never fail: the pattern is found in every text"


def _never_passes(check: Check, tools: Collection[str]) -> str | None:
    if isinstance(check, Regex):
        return unsatisfiable.no_match(check.value)
    if isinstance(check, JsonSchema):
        return unsatisfiable.no_document(check.value)
    if isinstance(check, ToolUsed) and check.value not in tools:
        return f"no evaluated agent has the tool {check.value!r} (setting evaluation.toolsets)"
    return None


def _contradicts(one: Check, other: Check) -> bool:
    """Whether the first asks for what the second forbids."""
    if isinstance(one, ToolUsed) and isinstance(other, ToolNotUsed):
        return one.value == other.value
    wanted = _wanted(one)
    if wanted is None or not isinstance(other, MustNotContain):
        return False
    text, any_case = wanted
    spelled_otherwise = any_case and not other.ignore_case and other.value.lower() != other.value.upper()
    return not spelled_otherwise and other.judged(AgentRun(answer=text))[0] is Outcome.FAIL


def _wanted(check: Check) -> tuple[str, bool] | None:
    """A text that every passing answer holds, and whether its case is free."""
    if isinstance(check, MustContain):
        return check.value, check.ignore_case
    if isinstance(check, Regex) and _LITERAL.fullmatch(check.value):
        return check.value, False
    return None
