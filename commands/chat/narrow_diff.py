"""A change as a phone shows it: short lines, each with its mark, and of a long one only what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .text import WIDTH, wrapped

_KEPT_AROUND = 24
_ELLIPSIS = "\u2026"
_ONLY_SPACE = " (only white space differs)"


def lines(diff: str) -> list[str]:
    """A unified diff of one hunk, without its header and with one line around the change."""
    body = diff.rstrip("\n").split("\n")
    start = next((number + 1 for number, line in enumerate(body) if line.startswith("@@ ")), None)
    if start is None:  # no diff, but the sentence that stands in its place
        return [piece for line in body for piece in wrapped(line, "")]
    hunk = _without_line_ends([line for line in body[start:] if not line.startswith("\\")])
    places = [number for number, line in enumerate(hunk) if _is_changed(line)]
    if not places:
        return []
    first, last = places[0], places[-1]
    around = (hunk[:first][-1:], _narrowed(hunk[first : last + 1]), hunk[last + 1 :][:1])
    return [piece for part in around for line in part for piece in _marked(line)]


def _is_changed(line: str) -> bool:
    return line[:1] in ("-", "+")


def _without_line_ends(hunk: Sequence[str]) -> list[str]:
    """Without the first half of CR LF, unless the change is about that."""
    if all(line.endswith("\r") for line in hunk if _is_changed(line)):
        return [line.removesuffix("\r") for line in hunk]
    return list(hunk)


def _marked(line: str) -> list[str]:
    """Lines around the change are only there to say where it is: one row each."""
    mark, text = f"{line[:1] or ' '} ", line[1:]
    if _is_changed(line):
        return wrapped(text, mark)
    return [f"{mark}{text}" if len(text) <= WIDTH - 2 else f"{mark}{text[: WIDTH - 3]}{_ELLIPSIS}"]


def _narrowed(changed: Sequence[str]) -> Iterator[str]:
    """Of one long line that was reworded, only what differs and a little around it."""
    if [line[:1] for line in changed] != ["-", "+"]:
        yield from changed
        return
    old, new = (line[1:] for line in changed)
    before, after = _shared(old, new) if max(len(old), len(new)) > 2 * WIDTH else (0, 0)
    for mark, text in (("-", old), ("+", new)):
        yield mark + _cut(text, before, after)
    if old.split() == new.split():
        yield _ONLY_SPACE


def _shared(old: str, new: str) -> tuple[int, int]:
    """How many characters both begin with, and how many both end with besides."""
    shorter = min(len(old), len(new))
    before = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    left = shorter - before
    return before, next((n for n in range(left) if old[-1 - n] != new[-1 - n]), left)


def _cut(text: str, before: int, after: int) -> str:
    start, end = max(0, before - _KEPT_AROUND), len(text) - max(0, after - _KEPT_AROUND)
    return f"{_ELLIPSIS if start else ''}{text[start:end]}{_ELLIPSIS if end < len(text) else ''}"
