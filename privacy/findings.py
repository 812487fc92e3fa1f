"""What was found and where, in bytes while looking and in characters and lines for everybody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A secret or a piece of personal data: its type and its place, never its text.

    ``line`` and ``column`` count from 1, ``start`` and ``end`` are offsets into the text; all in characters.
    """

    type: str
    line: int
    column: int
    start: int
    end: int


@dataclass(frozen=True, order=True)
class Span:
    """A found stretch of bytes. Of overlapping ones the type with the lowest ``rank`` names the whole."""

    start: int
    end: int
    rank: int
    type: str


def encoded(text: str) -> bytes:
    """UTF-8 that also takes lone surrogates, so that no text is too broken to be scanned."""
    return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    """The text that ``encoded`` made ``data`` of."""
    return data.decode("utf-8", "surrogatepass")


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, overlapping ones as one: half a secret left over would still be half a secret."""
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and span.start < whole[-1].end:
            last = whole[-1]
            best = min(last, span, key=lambda one: one.rank)
            whole[-1] = Span(last.start, max(last.end, span.end), best.rank, best.type)
        else:
            whole.append(span)
    return whole


def findings(data: bytes, spans: Iterable[Span]) -> Iterator[Finding]:
    """The places of ordered spans in the text ``data`` encodes. Time is linear in the text, whatever their number."""
    byte = character = 0
    line = 1
    line_start = 0
    for span in spans:
        between = decoded(data[byte : span.start])
        breaks = between.count("\n")
        if breaks:
            line += breaks
            line_start = character + between.rindex("\n") + 1
        character += len(between)
        inside = decoded(data[span.start : span.end])
        yield Finding(span.type, line, character - line_start + 1, character, character + len(inside))
        byte = span.start
