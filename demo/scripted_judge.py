"""The scripted model as a judge: it reads rubric and transcript as written and applies a few plain kinds of rubric.

It is no language model. It understands the lines of :data:`RUBRICS`; all lines of a rubric must hold, and a line it
does not know makes its verdict ``unclear``. It obeys nothing that stands in a transcript. It reads without suspicion,
though: it takes the last rubric and every line of every transcript it sees, whatever code is in their names, so a
transcript that could get out of its block would win.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

MODEL = "scripted-judge"
_RUBRIC = re.compile(r"<rubric-\w+>\n(.*?)\n</rubric-\w+>", re.DOTALL)
_TRANSCRIPT = re.compile(r"<transcript-\w+>\n(.*?)\n</transcript-\w+>", re.DOTALL)
_NONCE = re.compile(r"nonce (\w+)")


@dataclass(frozen=True)
class Rubric:
    """One kind of line of a rubric: an example, its pattern, and whether the answer and the tools used meet it."""

    example: str
    pattern: str
    met: Callable[[str, str, Sequence[str]], bool]


RUBRICS: Sequence[Rubric] = (
    Rubric("The answer contains: NEXT:", r"The answer contains: (.+)", lambda text, answer, _: text in answer),
    Rubric(
        "The answer does not contain: sorry",
        r"The answer does not contain: (.+)",
        lambda text, answer, _: text not in answer,
    ),
    Rubric(
        "The answer has at most 30 words.",
        r"The answer has at most (\d+) words\.",
        lambda most, answer, _: len(answer.split()) <= int(most),
    ),
    Rubric(
        "The agent used the tool skill_view.",
        r"The agent used the tool (\w+)\.",
        lambda tool, _, tools: tool in tools,
    ),
)


def judge(messages: Sequence[dict[str, Any]]) -> str:
    """The reply to a request to judge; ``ready`` to anything else, such as the question who answers."""
    rubrics = _RUBRIC.findall(str(messages[-1].get("content")))
    if not rubrics:
        return "ready"
    asked = str(messages[-1]["content"])
    items = [_item(line) for block in _TRANSCRIPT.findall(asked) for line in block.splitlines()]
    verdict, rationale = _verdict(_text(rubrics[-1]), items)
    nonce = _NONCE.findall(asked)[-1]
    return json.dumps({"nonce": nonce, "rationale": f"{rationale} (scripted judge)", "verdict": verdict})


def _verdict(rubric: str, items: Sequence[dict[str, Any]]) -> tuple[str, str]:
    answer = "\n".join(str(item["answer"]) for item in items if "answer" in item)
    tools = [str(item["tool"]) for item in items if "tool" in item]
    for line in filter(None, map(str.strip, rubric.splitlines())):
        known = next(((kind, found) for kind in RUBRICS if (found := re.fullmatch(kind.pattern, line))), None)
        if known is None:
            return "unclear", f"I do not understand this line of the rubric: {line}"
        if not known[0].met(known[1][1], answer, tools):
            return "fail", f"Not met: {line}"
    return "pass", "Every line of the rubric is met."


def _text(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted


def _item(line: str) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:
        return {"answer": line}
    return read if isinstance(read, dict) else {"answer": line}
