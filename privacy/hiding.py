r"""Text inside text: what JSON escapes (``\u005f``, ``\/``) and base64 keep from a scan of the bytes as they stand."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator

from .matching import Trigger
from .rewriting import Change, Rewritten, rewritten

ESCAPE = Trigger(rb"\\(?:u00[2-7][0-9a-fA-F]|/)")
# Any number of backslashes is one escape: JSON inside JSON inside JSON is undone in one pass.
ESCAPED = re.compile(rb"\\+(?:u00(?P<code>[0-7][0-9a-fA-F])|(?P<letter>[nrt\"/]))")
LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
# Characters without width, soft hyphens and marks of direction: nobody sees them in the middle of a token.
INVISIBLE = re.compile(rb"\xe2\x80[\x8b-\x8f]|\xe2\x81[\xa0-\xa4]|\xef\xbb\xbf|\xc2\xad")
BEFORE, BEHIND = 256, 4096
BREAK = rb"(?:\r?\n|(?:\\+r)?\\+n)[ \t]{0,16}"
ALPHABET = rb"[0-9A-Za-z+/_-]"
WRAPPED = re.compile(
    rb"(?:%b{60,}+(?:%b%b{60,}+)*+(?:%b%b++)?|%b{20,}+)={0,2}" % (ALPHABET, BREAK, ALPHABET, BREAK, ALPHABET, ALPHABET)
)
SEPARATORS = re.compile(rb"(?:\s|\\+[rn])+")
STANDARD = bytes.maketrans(b"-_", b"+/")
SURE = 256
FIRST = 16
LONGEST_PATH = 128


def windows(places: Iterable[int], size: int) -> Iterator[tuple[int, int]]:
    """The stretches around ascending places, those that touch as one: together never more than the text."""
    start, end = 0, -1
    for place in places:
        if end >= 0 and place - BEFORE > end:
            yield start, end
            end = -1
        if end < 0:
            start = max(0, place - BEFORE)
        end = min(size, place + BEHIND)
    if end >= 0:
        yield start, end


def unescaped(data: bytes, begin: int, end: int) -> Rewritten:
    """The bytes from ``begin`` to ``end`` without their escapes."""
    return rewritten(data, begin, end, (_undone(match) for match in ESCAPED.finditer(data, begin, end)))


def seen(data: bytes) -> Rewritten | None:
    """The bytes without what shows as nothing, None when all of them show."""
    if INVISIBLE.search(data) is None:
        return None
    return rewritten(data, 0, len(data), (Change(*match.span(), b"") for match in INVISIBLE.finditer(data)))


def _undone(escape: re.Match[bytes]) -> Change:
    code, letter = escape["code"], escape["letter"]
    return Change(*escape.span(), bytes([int(code, 16)]) if code else LETTERS.get(letter, letter))


def stretches(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where base64 may stand in and behind a run: all of it, and what follows a path that leads to it."""
    slash = data.rfind(b"/", start, min(end, start + LONGEST_PATH))
    for begin in (start, slash + 1) if slash >= 0 else (start,):
        match = WRAPPED.match(data, begin)
        if match:
            yield match.span()


def from_base64(run: bytes) -> bytes | None:
    """The bytes that a run stands for; None when it is short and, by what comes out, not base64 of a text."""
    if len(run) < SURE and not _plain(run[:FIRST]).isascii():
        return None
    content = _plain(SEPARATORS.sub(b"", run))
    return content if content.isascii() or len(run) >= SURE else None


def _plain(run: bytes) -> bytes:
    letters = run.rstrip(b"=").translate(STANDARD)
    return binascii.a2b_base64(letters[: len(letters) // 4 * 4] + _last(letters[len(letters) // 4 * 4 :]))


def _last(letters: bytes) -> bytes:
    """A quantum cut short, padded; a single letter stands for no byte."""
    return letters + b"=" * (4 - len(letters)) if len(letters) > 1 else b""
