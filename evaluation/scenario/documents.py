"""Reads YAML and JSONL of strangers into plain values, each with the line it stands on.

Only what JSON could say is understood: no aliases and anchors (which multiply), no tags (which name types), no second
document, no key twice, nothing nested deeply. Dates and words such as ``no`` are texts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import BadInput

MAX_CHARACTERS = 1_000_000
MAX_ENTRIES = 500
MAX_DEPTH = 40
_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float")}
_WORDS = {"true": True, "false": False}

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Entry:
    """One item of a document. ``lines`` has the line of each part by its path in the item, counted from 1."""

    value: object
    lines: Mapping[Path, int]

    def line(self, *path: str | int) -> int:
        """Where a part stands; of one that has no line of its own, where the nearest part around it does."""
        return next(self.lines[path[:length]] for length in range(len(path), -1, -1) if path[:length] in self.lines)


def read(document: str) -> list[Entry]:
    """The items of a YAML list, or of JSONL: one JSON object a line, the first of which begins with a brace.

    Raises BadInput naming the line.
    """
    if len(document) > MAX_CHARACTERS:
        raise BadInput(f"The file has {len(document):,} characters; at most {MAX_CHARACTERS:,} are read. Split it.")
    text = document.removeprefix("\ufeff")
    return list(_json_lines(text)) if text.lstrip().startswith("{") else _yaml_list(text)


def _json_lines(text: str) -> Iterator[Entry]:
    written = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    for count, (number, line) in enumerate(written):
        _check_count(count, number)
        try:
            value = json.loads(line, object_pairs_hook=_without_twins, parse_constant=_no_number)
        except RecursionError:
            raise BadInput(f"Line {number} is nested too deeply.", line=number) from None
        except ValueError as error:
            raise BadInput(f"Line {number} is not one JSON object: {error}.", line=number) from None
        yield Entry(value, {(): number})


def _check_count(before: int, line: int) -> None:
    if before >= MAX_ENTRIES:
        raise _wrong(line, f"at most {MAX_ENTRIES:,} scenarios are read at once: split the file")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice[:60]!r} stands there twice")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number in JSON")


@dataclass
class _Open:
    """A list or a mapping that has not ended yet; ``key`` waits for its value."""

    value: list[Any] | dict[str, Any]
    path: Path
    key: str | None = None


@dataclass
class _Tree:
    """Builds a list from YAML's events, so that nothing is made of what is not allowed; ``entries`` are its lines."""

    loader: Any
    entries: list[dict[Path, int]] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    root: object = None
    documents: int = 0

    def take(self, event: Any) -> None:
        import yaml

        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _wrong(line, "anchors and aliases (&, *) are not read: write it out")
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise _wrong(line, "a second document begins: put all scenarios into one list")
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            _check_tag(event.tag, line)
            self._begin([] if isinstance(event, yaml.SequenceStartEvent) else {}, line)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self.open.pop()
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)

    def _begin(self, value: list[Any] | dict[str, Any], line: int) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise _wrong(line, "nested too deeply")
        self.open.append(_Open(value, self._put(value, line)))

    def _scalar(self, event: Any, line: int) -> None:
        inside = self.open[-1] if self.open else None
        if inside and isinstance(inside.value, dict) and inside.key is None:
            _check_tag(event.tag, line)
            if event.value in inside.value:
                raise _wrong(line, f"the key {event.value[:60]!r} stands there twice")
            inside.key = event.value
        else:
            self._put(self._meant(event, line), line)

    def _put(self, value: object, line: int) -> Path:
        """Put a value where it belongs. Returns its path in its entry."""
        if not self.open:
            self.root = value
            return ()
        inside = self.open[-1]
        if len(self.open) == 1 and isinstance(inside.value, list):
            _check_count(len(inside.value), line)
            inside.value.append(value)
            self.entries.append({(): line})
            return ()
        path = (*inside.path, self._place(inside, value, line))
        if self.entries:
            self.entries[-1][path] = line
        return path

    def _meant(self, event: Any, line: int) -> object:
        """The value of a scalar: as YAML 1.1 says, but for what surprises people (dates, ``no``, ``12:30``): texts."""
        _check_tag(event.tag, line)
        text: str = event.value
        if not event.implicit[0]:
            return text
        import yaml

        tag = self.loader.resolve(yaml.ScalarNode, text, (True, False))
        if tag.endswith(":bool"):
            return _WORDS.get(text.lower(), text)
        if tag not in _PLAIN or ":" in text:
            return text
        try:
            return self.loader.construct_object(yaml.ScalarNode(tag, text))
        except ValueError:
            raise _wrong(line, f"{text[:60]!r} is no number that can be read") from None

    @staticmethod
    def _place(inside: _Open, value: object, line: int) -> str | int:
        if isinstance(inside.value, list):
            inside.value.append(value)
            return len(inside.value) - 1
        if inside.key is None:
            raise _wrong(line, "a key must be a word")
        key, inside.key = inside.key, None
        inside.value[key] = value
        return key


def _yaml_list(text: str) -> list[Entry]:
    import yaml

    tree = _Tree(yaml.SafeLoader(""))
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            tree.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"Line {mark.line + 1}" if mark else "The file"
        raise BadInput(f"{where} is not YAML: {getattr(error, 'problem', None) or error}.") from None
    if tree.root is None:
        return []
    if not isinstance(tree.root, list):
        raise BadInput("The file must be a list of scenarios: each begins with '- name: ...'.")
    return [Entry(value, lines) for value, lines in zip(tree.root, tree.entries, strict=True)]


def _check_tag(tag: str | None, line: int) -> None:
    if tag is not None:
        raise _wrong(line, f"tags such as {tag[:60]!r} are not read: leave it out")


def _wrong(line: int, why: str) -> BadInput:
    return BadInput(f"Line {line}: {why}.", line=line)
