"""Long runs of letters and digits: hexadecimal keys beside a key word, bare AWS secrets, Discord's tokens."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from .rules import EDGE
from .wording import placeholder, random_looking

SHORTEST = 24
SHORTEST_BASE64 = 30
LETTERS = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/")
IN_RUN = bytes(byte in LETTERS for byte in range(256))
LONG = b"\1" * SHORTEST
BEFORE, BEHIND = 48, 32
HEX_SIZES = frozenset({32, 40, 48, 64, 96, 128})
HEX = re.compile(rb"[0-9a-f]+|[0-9A-F]+")
AWS_SIZE = 40
ALONE = re.compile(EDGE + rb"(?<![+/=._-])[0-9A-Za-z+/]{40}(?![\w+/=-])")
# A user's number in base64, a time, a signature.
DISCORD = re.compile(rb"[MNO][0-9A-Za-z]{23,27}\.[\w-]{6,7}\.[\w-]{27,50}+")
KEY_WORD = re.compile(
    rb"(?:^|[^a-z])(?:(?:api|access|auth|secret|private|signing|encryption|client|master|session|app)[ _-]?key"
    rb"|key|secret|token|passw(?:or)?d|credentials?)(?![a-z])",
    re.IGNORECASE,
)
NO_KEY = re.compile(
    rb"public|fingerprint|checksum|digest|hash|sha-?\d|md5|commit|revision|etag|cache|uuid|foreign|primary|revoke",
    re.IGNORECASE,
)


def long_runs(data: bytes) -> Iterator[tuple[int, int]]:
    """Where long runs of the base64 alphabet stand. Nothing anchors a pattern for them, so that this is faster."""
    kinds = data.translate(IN_RUN)
    start = kinds.find(LONG)
    while start >= 0:
        end = kinds.find(0, start)
        end = len(data) if end < 0 else end
        # Shorter ones are only of interest where a token of Discord may go on behind the dot.
        if end - start >= SHORTEST_BASE64 or data[end : end + 1] == b".":
            yield first_letter(data, start), end
        start = kinds.find(LONG, end)


def first_letter(data: bytes, at: int) -> int:
    r"""Where the run at ``at`` begins for a reader: the letters of ``\n``, ``\u003d``, ``%3D`` are not its."""
    before, first = data[at - 1 : at], data[at : at + 1]
    if before == b"\\":
        return at + (5 if first == b"u" else 1 if first in b"abfnrtv" else 0)
    return at + 2 if before == b"%" else at


def hex_key(data: bytes, start: int, run: bytes) -> bool:
    """Whether the run is as long as a key, and something on its line close by calls it one."""
    if len(run) not in HEX_SIZES or not HEX.fullmatch(run) or placeholder(run):
        return False
    before = data[max(0, start - BEFORE) : start].rpartition(b"\n")[2]
    behind = data[start + len(run) : start + len(run) + BEHIND].partition(b"\n")[0]
    around = before + b" " + behind
    return KEY_WORD.search(around) is not None and NO_KEY.search(around) is None


def aws_secret(data: bytes, start: int, run: bytes) -> bool:
    if len(run) != AWS_SIZE or not ALONE.match(data, start) or HEX.fullmatch(run):
        return False
    every_kind = any(run[i : i + 1].isdigit() for i in range(AWS_SIZE)) and not (run.isupper() or run.islower())
    text = binascii.a2b_base64(run).isascii()
    return every_kind and not text and random_looking(run) and not placeholder(run)


def secret_at(data: bytes, start: int, end: int) -> tuple[str, int] | None:
    """The type of secret that the run from ``start`` to ``end`` is as it stands, and where that secret ends."""
    discord = DISCORD.match(data, start)
    if discord:
        return "discord-token", discord.end()
    run = data[start:end] if end - start <= max(HEX_SIZES) else b""
    if hex_key(data, start, run):
        return "hex-key", end
    return ("aws-secret", end) if aws_secret(data, start, run) else None
