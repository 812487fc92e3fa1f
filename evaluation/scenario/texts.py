"""The words of a scenario as they are kept: validated, and without secrets and personal data.

A name, an input and a rubric are prose: what was found there is replaced by a placeholder. A text to compare an answer
with is not: a placeholder would never match, so the check is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import BadInput
from ...privacy import Finding, sanitize
from ...ratchet.experiments import checked_text
from ..checks import Check, Judge, parse_checks

MAX_NAME, MAX_INPUT, MAX_CHECKS_TEXT = 200, 20_000, 200_000


@dataclass(frozen=True)
class Replaced:
    """That something was found and replaced: in which part of a scenario, of what type, on which line of it."""

    part: str
    type: str
    line: int


@dataclass(frozen=True)
class ScenarioText:
    """What a scenario asks and checks, as it may be stored; ``checks`` is JSON. Made by :func:`cleaned` alone."""

    name: str
    input: str
    checks: str
    replaced: tuple[Replaced, ...] = ()

    @property
    def content_hash(self) -> str:
        """SHA-256 over what is asked and how it is judged, whatever it is called."""
        return content_hash(self.input, self.checks)


def content_hash(input_text: str, checks: str) -> str:
    """SHA-256 over the input and the checks (JSON) of a stored scenario."""
    return hashlib.sha256(json.dumps([input_text, json.loads(checks)], sort_keys=True).encode("utf-8")).hexdigest()


def cleaned(name: str, input_text: str, checks: Sequence[object] | str) -> ScenarioText:
    """The text of a scenario as it is kept. Raises BadInput: it is malformed, too long, or a check holds a secret."""
    found: list[Replaced] = []
    name = _replaced(name.strip(), "name", found)
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise BadInput(f"A scenario needs a name of 1 to {MAX_NAME} printable characters.")
    # Measured as they are kept: a placeholder may be longer than what it stands for.
    asked = checked_text(_replaced(input_text, "input", found), "A scenario's input", MAX_INPUT)
    if not asked.strip():
        raise BadInput("A scenario needs an input: what the agent is asked.")
    listed = [_kept(number, check, found) for number, check in enumerate(parse_checks(checks), start=1)]
    stored = checked_text(json.dumps(listed, ensure_ascii=False), "The checks together", MAX_CHECKS_TEXT)
    parse_checks(stored)
    return ScenarioText(name, asked, stored, tuple(found))


def told(replaced: Sequence[Replaced]) -> str:
    """A sentence that says what was replaced, empty when nothing was; it never holds what stood there."""
    if not replaced:
        return ""
    places = dict.fromkeys(f"{one.type} in the {one.part}, line {one.line}" for one in replaced)
    listed = list(places)
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return f"Replaced by placeholders before it was stored: {'; '.join(listed[:5])}{more}."


def _replaced(text: str, part: str, found: list[Replaced]) -> str:
    clean = sanitize(text)
    found += [Replaced(part, one.type, one.line) for one in clean.findings]
    return clean.text


def _kept(number: int, check: Check, found: list[Replaced]) -> dict[str, Any]:
    document: dict[str, Any] = check.model_dump(mode="json")
    if isinstance(check, Judge):
        # Who judges sees the transcript with the same placeholders.
        return {**document, "rubric": _replaced(check.rubric, f"rubric of check {number}", found)}
    for hit in _held_by(document.get("value")):
        raise BadInput(
            f"Check {number} holds what must not be stored ({hit.type}), and a placeholder would never match. Check "
            "its form instead, with a regex.",
            check=number,
        )
    return document


def _held_by(value: object) -> Iterator[Finding]:
    """What is found in the texts of a check's value; names of properties count as well."""
    if isinstance(value, str):
        # A lone half of a character is refused later, with a sentence of its own.
        yield from sanitize(value).findings
    elif isinstance(value, Mapping):
        yield from sanitize(json.dumps(value)).findings
