"""Patterns that match no text and JSON Schemas that no document fits, where a short look can tell.

A None says nothing: deciding it for every schema or pattern is hard, and whoever writes a check should not wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import json_schema
from ..patterns import compiled

_NOTHING = 1
"""The size of RE2's program for a pattern that matches no text."""
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[*+?]\??|\{\d+(?:,\d*)?\}\??|.", re.DOTALL)
_MAYBE_NONE = re.compile(r"[*?]|\{0\D")
_BORDERS = frozenset({r"\b", r"\B", r"\A", r"\z"})
_OUT_OF_DEPTH = frozenset({*"()|", r"\Q", r"\p", r"\P", r"\x"})


def no_match(pattern: str) -> str | None:
    """Why ``pattern`` (RE2) matches no text; None when it may match one."""
    if compiled(pattern).programsize == _NOTHING:
        return "it asks for a character that does not exist"
    parts = _TOKEN.findall(pattern)
    return None if _OUT_OF_DEPTH & set(parts) else _misplaced(parts)


def _misplaced(parts: Sequence[str]) -> str | None:
    """Of a pattern without groups: a bare sign where an escaped one was meant, as in ``costs $5``."""
    ended, length = False, 0
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        if part == "^" and length:
            return "something stands before '^', the beginning of the text; write \\^ for the sign"
        if part in "^$" or part in _BORDERS or _is_quantifier(part):
            ended = ended or part == "$"
            continue
        needed = not _MAYBE_NONE.match(following)
        length += needed
        if ended and needed:
            return "something stands behind '$', the end of the text; write \\$ for the sign"
    return None


def _is_quantifier(part: str) -> bool:
    return part[0] in "*+?" or (part[0] == "{" and len(part) > 1)


def always_matches(pattern: str) -> bool:
    """Whether ``pattern`` is found in every text: it matches nothing at all, anywhere."""
    anchored = any(sign in pattern for sign in ("^", "$", r"\A", r"\z", r"\b", r"\B"))
    return not anchored and compiled(pattern).search("") is not None


def no_document(schema: object, *path: str) -> str | None:
    """Why no document fits ``schema``, which stands at ``path``, naming the place; None when one may."""
    if schema is False:
        return f"{_place(path)} is false"
    if not isinstance(schema, Mapping):
        return None
    return next((f"{_place(path)}: {why}" for why in _reasons(schema)), None) or _below(schema, path)


def _place(path: Sequence[str]) -> str:
    return "/".join(path) or "the schema"


def _reasons(schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("not") in ({}, True):
        yield "'not' excludes everything"
    types = _types(schema)
    for kinds, low, high in _RANGES:
        if types and types <= kinds and _crossed(schema, low, high):
            yield f"{low} is above {high}"
    listed = schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else None
    if listed is not None and not any(json_schema.first_error(dict(schema), one) is None for one in listed):
        yield "none of the values it lists fits the rest of it"
    for part in schema.get("allOf", ()):
        other = _types(part) if isinstance(part, Mapping) else None
        if types and other and not _common(types, other):
            yield "its parts ask for different types"


def _below(schema: Mapping[str, Any], path: tuple[str, ...]) -> str | None:
    """A part that every document must have or fit, and that nothing fits."""
    parts: list[tuple[str, object]] = [("allOf", part) for part in schema.get("allOf", ())]
    if _types(schema) == {"object"}:
        needed, known = schema.get("required", ()), schema.get("properties", {})
        unknown = [name for name in needed if name not in known]
        if unknown and schema.get("additionalProperties") is False:
            return f"{_place(path)}: {unknown[0]} is required, and no other properties are allowed"
        parts += [(name, known[name]) for name in needed if name in known]
    if _types(schema) == {"array"} and schema.get("minItems", 0) > 0:
        parts.append(("items", schema.get("items")))
    for either in ("anyOf", "oneOf"):
        choices = [no_document(part, *path, either) for part in schema.get(either, ())]
        if choices and all(choices):
            return choices[0]
    return next((why for name, part in parts if (why := no_document(part, *path, name))), None)


_NUMBERS = frozenset({"integer", "number"})
_RANGES = (
    (_NUMBERS, "minimum", "maximum"),
    (_NUMBERS, "exclusiveMinimum", "exclusiveMaximum"),
    (frozenset({"string"}), "minLength", "maxLength"),
    (frozenset({"array"}), "minItems", "maxItems"),
    (frozenset({"object"}), "minProperties", "maxProperties"),
)


def _types(schema: Mapping[str, Any]) -> set[str]:
    kinds = schema.get("type", ())
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _common(one: set[str], other: set[str]) -> bool:
    return bool(one & other) or bool(one & _NUMBERS and other & _NUMBERS)


def _crossed(schema: Mapping[str, Any], low: str, high: str) -> bool:
    return low in schema and high in schema and bool(schema[low] > schema[high])
