"""What the host's list of skills shows of a SKILL.md's front matter, read without building what else stands there.

An alias in YAML costs four bytes and may stand for gigabytes, and a long number costs the square of its digits. So the
fields are read from YAML's events: outermost texts of bounded length, of everything else only that it is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

MAX_CHARACTERS = 100_000
MAX_VALUE = 5_000
MAX_DEPTH = 40
"""The parser's own time grows with the square of the depth."""
_FRONT_MATTER = re.compile(r"---(.*?)\n---\s*\n", re.DOTALL)
_SHOWN = ("name", "description")


class Unreadable(ValueError):
    """Nobody can say what the host makes of this front matter without doing it."""


def read(skill: str) -> dict[str, object]:
    """The outermost fields by name, with None for the value of one that is a list or a mapping; empty without any.

    Raises Unreadable: it is no YAML (where the host guesses), has aliases, anchors or tags, is too long, or its name or
    description is no text.
    """
    match = _FRONT_MATTER.match(skill.removeprefix("\ufeff"))
    if match is None:
        return {}
    if len(match[1]) > MAX_CHARACTERS:
        raise Unreadable("too long")
    try:
        return _fields(yaml.parse(match[1], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:
        raise Unreadable(f"the front matter cannot be read: {type(error).__name__}") from None


def _fields(events: Iterable[Any]) -> dict[str, object]:
    loader = yaml.SafeLoader("")
    parts = list(_outermost(events))
    found: dict[str, object] = {}
    for key, value in zip(parts[::2], parts[1::2], strict=True):
        if key is None or (key.value in _SHOWN and value is None):
            raise Unreadable("no text")
        found[str(_meant(loader, key))] = None if value is None else _meant(loader, value)
    return found


def _outermost(events: Iterable[Any]) -> Iterator[Any]:
    """The keys and values of the outermost mapping in turn: texts as their events, None for everything else."""
    depth = documents = 0
    for event in events:
        documents += isinstance(event, yaml.DocumentStartEvent)
        aliased = isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None)
        listed = depth == 0 and isinstance(event, yaml.SequenceStartEvent)
        if aliased or listed or documents > 1 or depth > MAX_DEPTH:
            raise Unreadable("more than plain fields")
        begins = isinstance(event, yaml.CollectionStartEvent)
        if depth == 1 and (begins or isinstance(event, yaml.ScalarEvent)):
            yield None if begins else event
        depth += begins - isinstance(event, yaml.CollectionEndEvent)


def _meant(loader: Any, event: Any) -> object:
    """A text as the host's YAML understands it: a number, a date, a yes or no, or itself."""
    text: str = event.value
    if len(text) > MAX_VALUE:
        raise Unreadable("too long")
    if not event.implicit[0]:
        return text
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    return loader.construct_object(yaml.ScalarNode(tag, text))
