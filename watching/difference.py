"""How two versions of a file differ: counts and places for an event, the lines only for a person who asks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..ratchet.unified_diff import split_lines

_MOST_LINES = 600  # of what is left between the first and last edit: beyond, difflib could take minutes
_MOST_PLACES = 20
_CONTEXT_LINES = 3
_HUNK = re.compile(r"^@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@")


@dataclass(frozen=True)
class Summary:
    """``added`` and ``removed`` lines and where (``-3,2 +3,4``), without a word of them.

    Upper bounds when ``exact`` is False: the files differ too much to compare line by line.
    """

    added: int
    removed: int
    places: tuple[str, ...]
    exact: bool = True


def summary(old: bytes, new: bytes) -> Summary:
    """What an event may say about a change."""
    before, after = split_lines(old), split_lines(new)
    start, end = _alike(before, after)
    left, right = before[start : len(before) - end], after[start : len(after) - end]
    if len(left) > _MOST_LINES or len(right) > _MOST_LINES:
        return Summary(len(right), len(left), (_place(start, left, start, right),), exact=False)
    blocks = difflib.SequenceMatcher(None, left, right).get_opcodes()
    changed = [block for block in blocks if block[0] != "equal"]
    places = [_place(start + i, left[i:j], start + k, right[k:m]) for _, i, j, k, m in changed]
    added, removed = sum(m - k for *_, k, m in changed), sum(j - i for _, i, j, _, _ in changed)
    return Summary(added, removed, tuple(places[:_MOST_PLACES]))


def unified(old: bytes, new: bytes, relpath: str) -> str | None:
    """The diff for a person; bytes that are no UTF-8 are replaced. None when the files differ too much."""
    found = summary(old, new)
    if not found.exact:
        return None
    before, after = ([line.decode("utf-8", "replace") for line in split_lines(side)] for side in (old, new))
    start, end = _alike(before, after)
    # Cut off all but the context: comparing whole files takes minutes when many of their lines are alike.
    cut = max(0, start - _CONTEXT_LINES)
    left, right = (side[cut : len(side) - max(0, end - _CONTEXT_LINES)] for side in (before, after))
    lines = difflib.unified_diff(left, right, f"a/{relpath}", f"b/{relpath}", n=_CONTEXT_LINES)
    shown = (_HUNK.sub(lambda found: _moved(found, cut), line) for line in lines)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in shown)


def _moved(header: re.Match[str], lines: int) -> str:
    """A hunk header as it reads for the whole file, ``lines`` further down."""
    return f"@@ -{int(header[1]) + lines}{header[2] or ''} +{int(header[3]) + lines}{header[4] or ''} @@"


def _alike(before: Sequence[object], after: Sequence[object]) -> tuple[int, int]:
    """How many lines two versions begin with in common, and how many of the rest they end with."""
    start = _shared(before, after)
    return start, _shared(before[start:][::-1], after[start:][::-1])


def _shared(one: Sequence[object], other: Sequence[object]) -> int:
    """How many lines two lists begin with in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _place(old_at: int, old: list[bytes], new_at: int, new: list[bytes]) -> str:
    return f"-{old_at + 1},{len(old)} +{new_at + 1},{len(new)}"
