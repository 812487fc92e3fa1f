"""Canonical JSON, restricted so far that one object has one text: what is signed and what a key file holds.

One flat object; keys sorted; values are strings, integers from 0 to 2^53 - 1 and null; no white space; UTF-8. It is
what ``JSON.stringify`` makes of an object whose keys were inserted in order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Value = str | int | None

LARGEST = 2**53 - 1
_KEY = re.compile(r"[a-z][a-z0-9_]*")


class NotCanonical(ValueError):
    """The bytes, or the values, are not of this form; the text says where."""


def encode(fields: Mapping[str, Value]) -> bytes:
    """The one text of ``fields``. Raises NotCanonical for a value it cannot hold."""
    for key, value in fields.items():
        _check(key, value)
    text = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise NotCanonical("a text holds half of a surrogate pair") from None


def decode(raw: bytes, longest: int) -> dict[str, Value]:
    """The fields behind ``raw``. Raises NotCanonical for anything that :func:`encode` would not have written."""
    if len(raw) > longest:
        raise NotCanonical(f"it has more than {longest} bytes")
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except NotCanonical:
        raise
    except (ValueError, RecursionError):
        raise NotCanonical("it is not JSON in UTF-8") from None
    if not isinstance(found, dict):
        raise NotCanonical("it is not an object")
    if encode(found) != raw:
        raise NotCanonical("it is JSON, but not in its canonical form")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotCanonical("a key stands twice")
    return made


def _check(key: str, value: object) -> None:
    if not _KEY.fullmatch(key):
        raise NotCanonical(f"{key!r} cannot be a key")
    if value is None or isinstance(value, str):
        return
    if type(value) is not int:  # True is an int too
        raise NotCanonical(f"{key} is neither a text, nor a whole number, nor null")
    if not 0 <= value <= LARGEST:
        raise NotCanonical(f"{key} is not between 0 and 2^53 - 1")
