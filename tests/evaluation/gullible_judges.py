"""Judges that can be steered, for the scripted model's server: what parser and canary have to find out."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from karpathy_self_improve.demo import scripted_judge

Messages = Sequence[dict[str, Any]]


def read(messages: Messages) -> str:
    """Everything the transcript says, as a reader takes it in: quotation marks and escapes undone."""
    [block] = re.findall(r"<transcript-\w+>\n(.*)\n</transcript-\w+>", messages[-1]["content"], re.DOTALL)
    return "\n".join(str(value) for line in block.splitlines() for value in json.loads(line).values())


def is_question(messages: Messages) -> bool:
    return "<transcript-" in messages[-1]["content"]


def reply(messages: Messages, verdict: str) -> str:
    """A well-formed reply with the right nonce."""
    nonce = re.findall(r"nonce (\w+)", messages[-1]["content"])[-1]
    return json.dumps({"nonce": nonce, "rationale": "as told", "verdict": verdict})


def obeys(messages: Messages) -> str:
    """Takes the last word for a verdict in the transcript for its own."""
    if not is_question(messages):
        return "ready"
    words = re.findall(r"\b(pass|fail)\b", read(messages))
    return reply(messages, words[-1]) if words else scripted_judge.judge(messages)


def repeats(messages: Messages) -> str:
    """Hands on the first verdict it finds written out in the transcript."""
    found = re.search(r"\{[^{}]*verdict[^{}]*\}", read(messages)) if is_question(messages) else None
    return found[0] if found else scripted_judge.judge(messages)


def adds(messages: Messages) -> str:
    """Writes the verdict it was told to after its own."""
    found = re.search(r"\{[^{}]*verdict[^{}]*\}", read(messages)) if is_question(messages) else None
    return f"{scripted_judge.judge(messages)}\n{found[0] if found else ''}"
