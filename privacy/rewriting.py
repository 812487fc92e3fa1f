"""Text with stretches of it exchanged, that still knows where everything came from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .findings import Span


class Change(NamedTuple):
    """What stands at ``start`` to ``end`` becomes ``new``."""

    start: int
    end: int
    new: bytes


class _Piece(NamedTuple):
    """A part of the new text that begins at ``at``. A changed one stands for all of what it replaces."""

    at: int
    start: int
    end: int
    changed: bool


@dataclass(frozen=True)
class Rewritten:
    """The new text and the pieces it is made of. It begins in the old one at ``begin``."""

    data: bytes
    begin: int
    pieces: list[_Piece]
    starts: list[int]

    def _piece(self, at: int) -> _Piece:
        return self.pieces[bisect_right(self.starts, at) - 1]

    def back(self, spans: Iterable[Span]) -> Iterator[Span]:
        """The spans as they stand in the old text; not those that only a cut at the beginning made possible."""
        for span in spans:
            first, last = self._piece(span.start), self._piece(span.end - 1)
            start = first.start if first.changed else first.start + span.start - first.at
            end = last.end if last.changed else last.start + span.end - last.at
            if span.start or not self.begin:
                yield Span(start, end, span.rank, span.type)


def rewritten(data: bytes, begin: int, end: int, changes: Iterable[Change]) -> Rewritten:
    """The bytes from ``begin`` to ``end`` with ordered changes made in them."""
    parts: list[bytes] = []
    pieces: list[_Piece] = []
    size, at = 0, begin
    for change in (*changes, Change(end, end, b"")):
        for new, piece in (
            (data[at : change.start], _Piece(size, at, change.start, changed=False)),
            (change.new, _Piece(size + change.start - at, change.start, change.end, changed=True)),
        ):
            if new:
                parts.append(new)
                pieces.append(piece)
                size += len(new)
        at = change.end
    return Rewritten(b"".join(parts), begin, pieces, [piece.at for piece in pieces])
