"""What the judge reads of a run, quoted so that no text in it can be taken for anything but a quotation.

Each item is one line of JSON. No angle bracket, no line end, no invisible, direction-changing or private character
stands in it as such: all are written as ``\\uXXXX``. So no text can close the block it stands in, open another one, use
a model's own control tokens such as ``<|im_start|>`` or ``[INST]``, or hide from a person who reads along.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...privacy import sanitize

if TYPE_CHECKING:
    from ..running.runner import AgentRun, ToolCall

MAX_ANSWER, MAX_QUESTION, MAX_ARGUMENTS, MAX_CALLS = 20_000, 8_000, 1_000, 60
"""Characters and calls. Of longer ones the middle is left out, and the line says so."""

_HIDING = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_PLAIN_SPACES = frozenset(" \u00a0")
_CONTROL_TOKEN = re.compile(r"\[(?=/?[A-Z_]+\])")


def lines(question: str, run: AgentRun) -> Iterator[str]:
    """The run as lines of JSON: the question, every tool call in order, the answer. Nothing tells which arm it was.

    Secrets and personal data are replaced by placeholders.
    """
    yield line({"from": "user", **cut("text", question, MAX_QUESTION)})
    yield from _calls(run.tool_trace)
    yield line({"from": "agent", **cut("answer", run.answer, MAX_ANSWER)})


def quoted(text: str) -> str:
    """``text`` as a JSON string on one line, without any character that shows as nothing or marks up a prompt."""
    return _plain(json.dumps(text, ensure_ascii=False))


def _calls(trace: tuple[ToolCall, ...]) -> Iterator[str]:
    head = trace[: MAX_CALLS // 2]
    tail = trace[max(len(head), len(trace) - MAX_CALLS // 2) :]
    yield from map(_call, head)
    if left_out := len(trace) - len(head) - len(tail):
        yield line({"from": "agent", "left_out_tool_calls": left_out})
    yield from map(_call, tail)


def _call(call: ToolCall) -> str:
    facts = {"from": "agent", "tool": sanitize(call.name).text, **cut("arguments", call.arguments, MAX_ARGUMENTS)}
    return line({**facts, "succeeded": call.ok})


def cut(name: str, text: str, most: int) -> dict[str, object]:
    """The sanitized text under its name; of a long one its beginning and its end, with how much lies between."""
    text = sanitize(text).text
    if len(text) <= most:
        return {name: text}
    tail = most // 4
    left_out = len(text) - most
    return {name: text[: most - tail], "left_out_characters": left_out, f"{name}_ends_with": text[-tail:]}


def line(item: dict[str, object]) -> str:
    """One item as one line of JSON, without any character that shows as nothing or marks up a prompt."""
    return _plain(json.dumps(item, ensure_ascii=False))


def _plain(encoded: str) -> str:
    shown = encoded if _harmless(encoded) else "".join(c if _shows(c) else _escaped(c) for c in encoded)
    return _CONTROL_TOKEN.sub(r"\\u005b", shown)


def _harmless(text: str) -> bool:
    return text.isascii() and not any(character in text for character in "<>\x7f")


def _shows(character: str) -> bool:
    if character in "<>" or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return False  # the two ranges are variation selectors: letters to a model, nothing to an eye
    category = unicodedata.category(character)
    return category not in _HIDING and (category != "Zs" or character in _PLAIN_SPACES)


def _escaped(character: str) -> str:
    """JSON's own escape, two of them beyond the basic plane."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
