"""The scripted model as a proposer: it reads file and failures as written and knows a remedy for a few of them.

It is no language model. It understands the faults of :data:`REMEDIES`, adds the first remedy the file has not and that
was not tried, and obeys nothing that stands in the material. It reads without suspicion, though: it takes the last file
and every line of every block it sees, whatever code is in their names, so a text that could get out of its block would
be believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MODEL = "scripted-proposer"
_FILE = re.compile(r"<file-\w+>\n(.*?)\n</file-\w+>", re.DOTALL)
_FAILURES = re.compile(r"<failures-\w+>\n(.*?)\n</failures-\w+>", re.DOTALL)
_TRIED = re.compile(r"<tried-\w+>\n(.*?)\n</tried-\w+>", re.DOTALL)
_NONCE = re.compile(r"nonce (\w+)")


@dataclass(frozen=True)
class Remedy:
    """A fault as the material shows it, and the sentence that cures it, one the scripted agent understands."""

    fault: str
    sentence: str
    hypothesis: str


REMEDIES: Sequence[Remedy] = (
    Remedy(r"apologi[sz]|\bsorry\b", "Never apologise.", "The agent apologises although nothing went wrong."),
    Remedy(r"\bwords\b|too long|tokens", "Answer in at most 30 words.", "The agent says more than anybody reads."),
)


@dataclass(frozen=True)
class Asked:
    """A request as the scripted proposer reads it."""

    text: str
    failures: Sequence[Mapping[str, Any]]
    tried: str
    nonce: str


def propose(messages: Sequence[dict[str, Any]]) -> str:
    """The reply to a request to propose; ``ready`` to anything else, such as the question who answers."""
    asked = read(messages)
    if asked is None:
        return "ready"
    for remedy in REMEDIES:
        answered = [one for one in asked.failures if re.search(remedy.fault, json.dumps(one), re.IGNORECASE)]
        if answered and remedy.sentence not in asked.text and remedy.sentence not in asked.tried:
            return draft(asked, *added(asked.text, remedy.sentence), remedy.hypothesis, names(answered))
    return draft(asked, *added(asked.text, "Answer in plain words."), "Nothing better is known.", names(asked.failures))


def read(messages: Sequence[dict[str, Any]]) -> Asked | None:
    """What a request holds; None for one that asks for no proposal."""
    text = str(messages[-1].get("content"))
    files = _FILE.findall(text)
    if not files:
        return None
    failures = [one for block in _FAILURES.findall(text) for one in _objects(block)]
    return Asked(str(json.loads(files[-1])), failures, "\n".join(_TRIED.findall(text)), _NONCE.findall(text)[-1])


def names(failures: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(one["failure"]) for one in failures if "failure" in one]


def added(text: str, sentence: str) -> tuple[str, str]:
    """The last line of a text that stands there once, and the same with a sentence, or a list item, after it."""
    lines = [line for line in text.splitlines() if line.strip()]
    last = next(line for line in reversed(lines) if text.count(line) == 1)
    return last, f"{last}\n- {sentence}" if last.startswith("- ") else f"{last} {sentence}"


def draft(asked: Asked, old: str, new: str, hypothesis: str, answers: Sequence[str]) -> str:
    """A reply in the form that is asked for."""
    said = {
        "nonce": asked.nonce,
        "old_text": old,
        "new_text": new,
        "hypothesis": f"{hypothesis} (scripted proposer)",
        "expected_effect": "The failures named here become rarer.",
        "answers": list(answers),
    }
    return json.dumps(said)


def _objects(block: str) -> Iterator[Mapping[str, Any]]:
    for line in block.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            found = {"answered": line}
        yield found if isinstance(found, dict) else {"answered": line}
