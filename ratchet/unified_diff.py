"""Applies a unified diff exactly: every context line must match at the stated line, no offset, no fuzz.

Own code: git and patch search for a place where a hunk fits; here a diff that does not fit where it says is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..errors import ChangeRefused

_HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_NEW_FILE = re.compile(rb"^\+\+\+ \"?([^\t\r\n\"]*)")
_LONGEST_SHOWN = 80
_NO_NEWLINE = b"\\ No newline"


@dataclass(frozen=True)
class _Hunk:
    """Where a hunk starts (from 1; the line before it when it removes nothing), what it expects, what it leaves."""

    first: int
    removed: list[bytes] = field(default_factory=list)
    added: list[bytes] = field(default_factory=list)


def apply_diff(base: bytes | None, diff: bytes, relpath: str) -> bytes:
    """``base`` (None: no file yet) with the one hunk of ``diff``.

    Raises ChangeRefused with the line that differs, or when the diff says that it is of another file than ``relpath``.
    """
    hunk = _single_hunk(diff)
    _check_file(diff, relpath)
    lines = split_lines(base or b"")
    start = hunk.first - 1 if hunk.removed else hunk.first
    if not 0 <= start <= len(lines):
        raise ChangeRefused(f"The diff starts at line {hunk.first}, but the file has {len(lines)} lines.")
    for position, line in enumerate(hunk.removed, start):
        if position >= len(lines) or lines[position] != line:
            raise ChangeRefused(
                f"The diff does not fit: line {position + 1} of the file is not {_shown(line)}. Make it from today's "
                "file."
            )
    result = [*lines[:start], *hunk.added, *lines[start + len(hunk.removed) :]]
    if not all(line.endswith(b"\n") for line in result[:-1]):
        raise ChangeRefused("The diff joins two lines where one has no newline at its end. Make it from today's file.")
    return b"".join(result)


def split_lines(content: bytes) -> list[bytes]:
    """Lines with their ends, as git and diff count them: only a newline ends one."""
    return re.findall(rb"[^\n]*\n|[^\n]+", content)


def _single_hunk(diff: bytes) -> _Hunk:
    lines = split_lines(diff)
    headers = [(number, found) for number, line in enumerate(lines) if (found := _HUNK.match(line))]
    if len(headers) != 1:
        raise ChangeRefused(f"A proposal is one hunk; this diff has {len(headers)}.")
    number, header = headers[0]
    counts = [int(count) if count is not None else 1 for count in (header[2], header[4])]
    return _filled(_Hunk(int(header[1])), lines[number + 1 :], counts)


def _check_file(diff: bytes, relpath: str) -> None:
    """What stands before the hunk may name the file with folders before it, as tools do from elsewhere."""
    for line in split_lines(diff):
        if _HUNK.match(line):
            return
        found = _NEW_FILE.match(line)
        named = found[1].decode("utf-8", "replace") if found else relpath
        if f"/{named}".endswith(f"/{relpath}") or named == "/dev/null":
            continue
        raise ChangeRefused(f"The diff is of {_shown(named.encode())}, not of {relpath}. Name the file it is of.")


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
    return f"'{text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '...'}'"


def _filled(hunk: _Hunk, body: list[bytes], counts: list[int]) -> _Hunk:
    """Read as many lines as the header announced; what stands after them is not part of the diff."""
    sides = {b" ": (hunk.removed, hunk.added), b"-": (hunk.removed,), b"+": (hunk.added,)}
    last: tuple[list[bytes], ...] = ()
    for line in body:
        if line.startswith(_NO_NEWLINE) and last:
            for side in last:
                side[-1] = side[-1].removesuffix(b"\n")
            continue
        if [len(hunk.removed), len(hunk.added)] == counts:
            break
        full = b" " + line if line in (b"\n", b"\r\n") else line  # some tools strip an empty context line
        last = sides.get(full[:1], ())
        if not last:
            raise ChangeRefused(f"This line of the diff is neither context nor change: {_shown(line)}.")
        for side in last:
            side.append(full[1:])
    if [len(hunk.removed), len(hunk.added)] != counts:
        raise ChangeRefused(
            f"The diff announces {counts[0]} old and {counts[1]} new lines but has {len(hunk.removed)} and "
            f"{len(hunk.added)}. It was cut or edited: make it again."
        )
    return hunk
