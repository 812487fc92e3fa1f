"""Applies a unified diff exactly: every context line must match at the stated line, no offset, no fuzz.

Own code: git and patch search for a place where a hunk fits; here a diff that does not fit where it says is refused.
"""

from __future__ import annotations

import re

from ..errors import ChangeRefused

_HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_NO_NEWLINE = b"\\ No newline"


def apply_diff(base: bytes | None, diff: bytes) -> bytes:
    """``base`` (None: no file yet) with the one hunk of ``diff``. Raises ChangeRefused with the line that differs."""
    header, body = _single_hunk(diff)
    removed, added = _sides(body)
    first = int(header[1])
    lines = (base or b"").splitlines(keepends=True)
    start = first - 1 if removed else first
    if not 0 <= start <= len(lines):
        raise ChangeRefused(f"The diff starts at line {first}, but the file has {len(lines)} lines.")
    for offset, line in enumerate(removed):
        position = start + offset
        if position >= len(lines) or lines[position] != line:
            raise ChangeRefused(
                f"The diff does not fit: line {position + 1} of the file is not {line!r}. Make it from today's file."
            )
    return b"".join([*lines[:start], *added, *lines[start + len(removed) :]])


def _single_hunk(diff: bytes) -> tuple[re.Match[bytes], list[bytes]]:
    lines = diff.splitlines(keepends=True)
    headers = [(number, found) for number, line in enumerate(lines) if (found := _HUNK.match(line))]
    if len(headers) != 1:
        raise ChangeRefused(f"A proposal is one hunk; this diff has {len(headers)}.")
    number, header = headers[0]
    return header, lines[number + 1 :]


def _sides(body: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The lines a hunk expects and the lines it leaves, context included in both."""
    removed: list[bytes] = []
    added: list[bytes] = []
    sides = {b" ": (removed, added), b"-": (removed,), b"+": (added,)}
    last: tuple[list[bytes], ...] = ()
    for line in body:
        if line.startswith(_NO_NEWLINE):
            for side in last:
                side[-1] = side[-1].removesuffix(b"\n").removesuffix(b"\r")
            continue
        last = sides.get(line[:1], ())
        if not last:
            if line.strip():
                raise ChangeRefused(f"This line of the diff is neither context nor change: {line!r}.")
            last = (removed, added)
            line = b" " + line
        for side in last:
            side.append(line[1:])
    return removed, added
