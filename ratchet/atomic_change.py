"""What one small change is: a single hunk, at most one sentence, list item or table row, within the size limits."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass

from ..errors import ChangeRefused
from ..settings import ChangeLimits
from .unified_diff import split_lines

_MARKER = re.compile(r"^\s*(?:[-*+]\s+|\d{1,3}[.)]\s+|>\s+|#{1,6}\s+)")
_SENTENCE_END = re.compile(r"(?<=[.!?:])[\"')\]]*\s+(?=[A-Z0-9\"'(\[])")
_CONTEXT_LINES = 3

_Block = tuple[list[bytes], list[bytes]]
"""The lines of the one differing place: those it takes away, those it puts there."""


@dataclass(frozen=True)
class Change:
    """The one place where two versions differ. Lines are counted from 1 in the base."""

    diff: str
    first_line: int
    removed: tuple[bytes, ...]
    added: tuple[bytes, ...]
    sentence_delta: int

    @property
    def span(self) -> str:
        """Where the change stands, as JSON: first line and number of lines in the base."""
        return json.dumps({"first_line": self.first_line, "lines": len(self.removed)})


def describe(relpath: str, base: bytes | None, candidate: bytes, limits: ChangeLimits) -> Change:
    """The single change between two versions. Raises ChangeRefused when there is none or more than one."""
    if base == candidate:
        raise ChangeRefused("The candidate is byte for byte the file as it is: nothing would change.")
    if len(candidate) > limits.max_file_bytes:
        raise ChangeRefused(f"The candidate has {len(candidate)} bytes; at most {limits.max_file_bytes} are allowed.")
    before, after = split_lines(base or b""), split_lines(candidate)
    start, removed, added = _differing_block(before, after)
    _check_size(removed, added, limits)
    _check_one_hunk(removed, added)
    change = Change(
        diff=_unified(relpath, base, candidate, before, start, (removed, added)),
        first_line=start + 1,
        removed=tuple(removed),
        added=tuple(added),
        sentence_delta=len(_units(added)) - len(_units(removed)),
    )
    if base is not None:
        _check_one_unit(change)
    return change


def difference(relpath: str, before: bytes | None, after: bytes | None) -> str:
    """A unified diff of any two versions (None: no file), for a person's eyes; empty only when they are the same."""
    return _compared(relpath, before, after, "backslashreplace")


def patch(relpath: str, before: bytes | None, after: bytes | None) -> bytes:
    """The same for ``git apply``: exact, whatever the encoding of the file."""
    return _compared(relpath, before, after, "surrogateescape").encode("utf-8", "surrogateescape")


def _compared(relpath: str, before: bytes | None, after: bytes | None, errors: str) -> str:
    if before == after:
        return ""
    lines = split_lines(before or b"")
    start, removed, added = _differing_block(lines, split_lines(after or b""))
    return _unified(relpath, before, after, lines, start, (removed, added), errors)


def _differing_block(before: list[bytes], after: list[bytes]) -> tuple[int, list[bytes], list[bytes]]:
    """Cut off what both begin and end with: the first differing line (from 0), and the lines between."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return start, before[start : len(before) - end], after[start : len(after) - end]


def _check_size(removed: list[bytes], added: list[bytes], limits: ChangeLimits) -> None:
    lines, size = len(removed) + len(added), sum(map(len, removed)) + sum(map(len, added))
    if lines > limits.max_change_lines or size > limits.max_change_bytes:
        raise ChangeRefused(
            f"The change spans {lines} lines and {size} bytes; at most {limits.max_change_lines} lines and "
            f"{limits.max_change_bytes} bytes are allowed. Propose one small step."
        )


def _check_one_hunk(removed: list[bytes], added: list[bytes]) -> None:
    opcodes = difflib.SequenceMatcher(None, removed, added, autojunk=False).get_opcodes()
    hunks = sum(tag != "equal" for tag, *_ in opcodes)
    if hunks > 1:
        raise ChangeRefused(f"The change touches {hunks} separate places; propose them one at a time.")


def _check_one_unit(change: Change) -> None:
    before, after = _units(list(change.removed)), _units(list(change.added))
    opcodes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    touched = sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in opcodes if tag != "equal")
    if touched > 1:
        raise ChangeRefused(
            f"The change touches {touched} sentences or list items; propose one at a time, each with its own effect."
        )


def _units(lines: list[bytes]) -> list[str]:
    """Sentences, list items and table rows of a block of lines, in order; a wrapped paragraph is read as one text."""
    paragraphs: list[str] = [""]
    for line in lines:
        text = line.decode("utf-8", "replace").strip()
        if not text or _MARKER.match(text + " ") or text.startswith("|"):
            paragraphs.append("")
        paragraphs[-1] = f"{paragraphs[-1]} {text}".strip()
    return [unit for paragraph in paragraphs for unit in _SENTENCE_END.split(_MARKER.sub("", paragraph)) if unit]


def _unified(
    relpath: str,
    base: bytes | None,
    after: bytes | None,
    before: list[bytes],
    start: int,
    block: _Block,
    errors: str = "backslashreplace",
) -> str:
    """A unified diff; ``errors`` is how bytes that are not UTF-8 show. The stored blobs are what is applied.

    Only the block is looked at: comparing whole files line by line takes minutes when many lines are alike.
    """
    removed, added = block
    first = max(0, start - _CONTEXT_LINES)
    leading, rest = before[first:start], before[start + len(removed) :]
    trailing = rest[:_CONTEXT_LINES]
    around = len(leading) + len(trailing)
    head = [
        f"--- {'/dev/null' if base is None else f'a/{relpath}'}\n",
        f"+++ {'/dev/null' if after is None else f'b/{relpath}'}\n",
        f"@@ -{_range(first, len(removed) + around)} +{_range(first, len(added) + around)} @@\n",
    ]
    marked = [(" ", leading), ("-", removed), ("+", added), (" ", trailing)]
    body = [f"{mark}{line}" for mark, lines in marked for line in _decoded(lines, errors)]
    ended = [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in body]
    return "".join([*head, *ended])


def _range(first: int, count: int) -> str:
    """Lines from ``first`` (from 0) as a hunk header counts them."""
    if count == 1:
        return str(first + 1)
    return f"{first + 1 if count else first},{count}"


def _decoded(lines: list[bytes], errors: str) -> list[str]:
    return [line.decode("utf-8", errors) for line in lines]
