"""Whole documents without secrets and personal data: of every text in them stays what ``sanitize`` leaves of it."""

from __future__ import annotations

import json
from typing import Any

from .sanitizing import sanitize

DEEPEST = 100
TOO_DEEP = "<nested too deeply>"
LONGEST_VALUE = 4096
"""No rule takes a longer text for the value of a name, so longer ones are looked at by themselves only."""


def without_secrets(document: Any) -> Any:
    """A JSON-like value with the same shape and names of fields; texts are sanitized, everything else stays.

    A text is looked at together with the name of its field, which may be all that tells what it is. What is nested
    deeper than anybody writes gives way to a placeholder.
    """
    return _without(document, "", DEEPEST)


def _without(value: Any, name: str, left: int) -> Any:
    if isinstance(value, str):
        return _text(name, value)
    if not isinstance(value, dict | list | tuple):
        return value
    if left == 0:
        return TOO_DEEP
    if isinstance(value, dict):
        return {key: _without(one, key if isinstance(key, str) else "", left - 1) for key, one in value.items()}
    return [_without(one, name, left - 1) for one in value]


def _text(name: str, text: str) -> str:
    clean = sanitize(text).text
    if not name or clean != text or len(text) > LONGEST_VALUE:
        return clean
    # As JSON has it, so that the rules for names and their values see both.
    field = f"{json.dumps(name, ensure_ascii=False)}: "
    together = sanitize(f"{field}{json.dumps(text, ensure_ascii=False)}").text
    if not together.startswith(field):  # the name itself is replaced: names of fields stay
        return clean
    try:
        return str(json.loads(together.removeprefix(field)))
    except ValueError:
        return "<secret>"
