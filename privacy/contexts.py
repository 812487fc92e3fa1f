"""Secrets that their surroundings give away: keys in armour, headers, and passwords in addresses."""

from __future__ import annotations

import base64
import binascii
import re

from .rules import Match, Rule, form
from .wording import placeholder, random_looking

ARMOUR = 1 << 16
BODY = re.compile(rb"[0-9A-Za-z+/=]{24}")
USUAL_WORDS = frozenset(b"pass passwd password pw pwd secret tiger token user username".split())
NO_SECRET = re.compile(rb"[{$%<(\[].*|\d{1,5}", re.DOTALL)
LABEL = r"-----(?:BEGIN|END) [0-9A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
VALUE = r"[\w+/=.~-]"


def holds_a_key(match: Match) -> bool:
    """Whether there is more than the label that code looking for keys has, too."""
    return BODY.search(match["body"]) is not None


def holds_a_pair(match: Match) -> bool:
    """Whether the value of a Basic header decodes to ``user:password`` (RFC 7617)."""
    try:
        pair = base64.b64decode(match["secret"] + b"=" * (-len(match["secret"]) % 4), validate=True)
    except binascii.Error:
        return False
    return b":" in pair and not any(byte < 32 or byte >= 127 for byte in pair)


def looks_random(match: Match) -> bool:
    return not placeholder(match["secret"]) and random_looking(match["secret"])


def no_usual_word(match: Match) -> bool:
    value = match["secret"]
    return not (placeholder(value) or value.lower() in USUAL_WORDS or NO_SECRET.fullmatch(value))


KEY_BLOCKS: tuple[Rule, ...] = (
    form(
        "private-key",
        r"-----BEGIN [0-9A-Z ]{0,40}PRIVATE KEY",
        # To its end when it has one; else as far as it goes, as in a text that was cut off.
        rf"(?P<secret>{LABEL}(?:(?P<body>(?:[^-]|-(?!----)){{0,{ARMOUR}}}+){LABEL}"
        rf"|(?P<rest>(?:[0-9A-Za-z+/=\s\\,:\"'>|]|-(?!-)){{24,{ARMOUR}}}+)))",
        lambda match: BODY.search(match["body"] or match["rest"] or b"") is not None,
        edge=False,
    ),
    form(
        "private-key",
        r"Private-Lines: [0-9]",
        rf"(?P<secret>Private-Lines: [0-9]{{1,4}}(?P<body>(?:[0-9A-Za-z+/=\s]|\\[nr]){{24,{ARMOUR}}}+))",
        holds_a_key,
    ),
)
HEADERS: tuple[Rule, ...] = (
    form("jwt", r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{10}", r"(?P<secret>eyJ[\w-]++\.eyJ[\w-]++\.[\w-]++)"),
    form("jwt", r"eyJ[\w-]{8,}\.[\w-]*\.[\w-]{10,}\.[\w-]{10,}\.[\w-]{16}", r"(?P<secret>eyJ[\w-]++(?:\.[\w-]*+){4})"),
    form(
        "basic-credentials",
        r"(?i)basic[ \"':=]{1,4}[\w+/]{6}",
        r"(?i:basic)[ \"':=]{1,4}(?P<secret>[0-9A-Za-z+/]{6,4096}+={0,2})",
        holds_a_pair,
    ),
    form(
        "bearer-token",
        rf"(?i)bearer[ \"':=]{{1,4}}{VALUE}{{12}}",
        rf"(?i:bearer)[ \"':=]{{1,4}}(?P<secret>{VALUE}{{12,8192}}+)",
        looks_random,
    ),
    form(
        "authorization",
        rf"(?i)authorization[\\\"']{{0,4}}[ :=]{{1,3}}[\\\"']{{0,4}}(?:token |key |apikey )?{VALUE}{{12}}",
        rf"(?i:authorization)[\\\"']{{0,4}}[ :=]{{1,3}}[\\\"']{{0,4}}(?i:token |key |apikey )?"
        rf"(?P<secret>{VALUE}{{12,8192}}+)",
        looks_random,
    ),
)
ADDRESSES: tuple[Rule, ...] = (
    form(
        "url-password",
        r"[A-Za-z0-9+]://[^\s/:@\"'<>\\]{0,64}:[^\s/\"'<>\\]{2,256}@",
        r"[A-Za-z0-9+]://[^\s/:@\"'<>\\]{0,64}:(?P<secret>[^\s/\"'<>\\]{2,256})@",
        no_usual_word,
        edge=False,
    ),
)
