"""Tells what a machine rolled, or a person made up to be secret, from words, names in code and placeholders."""

from __future__ import annotations

import re

# The letters that most often follow each letter in English prose and in names: 94 of 100 pairs there are in this
# table, and 34 of 100 pairs of random letters.
FOLLOWERS = {
    "a": "bcdgiklmnprstuvy",
    "b": "aeilorsu",
    "c": "acehiklortu",
    "d": "adeilosu",
    "e": "acdefgilmnpqrstvwxy",
    "f": "aefiloru",
    "g": "ehinrsu",
    "h": "aeiot",
    "i": "abcdefglmnoprstvz",
    "k": "ei",
    "l": "adeilostuy",
    "m": "abeimopsu",
    "n": "acdefgilnostuv",
    "o": "bcdfiklmnoprstuvw",
    "p": "aeiloprstuy",
    "q": "u",
    "r": "acdegimnorstuy",
    "s": "acehiopstuy",
    "t": "acehiloprstuy",
    "u": "abceilmnprst",
    "v": "aei",
    "w": "aehior",
    "x": "cipt",
    "y": "pst",
    "z": "e",
}
USUAL = frozenset((first + second).encode() for first, seconds in FOLLOWERS.items() for second in seconds)
SIGNS = bytes(byte for byte in range(256) if not chr(byte).isascii() or not chr(byte).isalnum())
# Enough of a value to judge it by.
LONG = 128
SURELY_MIXED = 12
UNIT = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+")
SHORTEST_WORD = 3
USUAL_PAIRS = 0.75
PLACEHOLDER = re.compile(
    rb"example|placeholder|change[-_ ]?me|your|dummy|redacted|insert|replace|sample|fake|mock|foo-?bar|x{4}|\*{3}|\.{3}"
    rb"|\$\{|\{\{|\$\(|%\(\w|%\{|^\$[A-Za-z_]|^[<{%\[(][\w .:-]+[>}%\])]$|<[a-z]+(?:-[a-z]+)*>"
    rb"|^none$|^null$|^(?:os|process)\.env",
    re.IGNORECASE,
)
SHORTEST_PASSWORD = 6
LETTER = re.compile(rb"[A-Za-z]")
DIGIT = re.compile(rb"[0-9]")
ODD_SIGN = re.compile(rb"[!?#$%^&*+=~|@;,]")
NAME_IN_CODE = re.compile(rb"[A-Za-z_][A-Za-z_]*\d{0,3}(?:(?:\.|::|->|-)[A-Za-z_]+\d{0,3})*")
MADE_UP = re.compile(rb"(?P<word>[A-Za-z]{3,})[-_.]?\d{1,8}[!?@#$%^&*+=~.-]*")
NO_PASSWORD = frozenset(
    b"argon base bcrypt case count default field foo form hash hmac index input int item key latin line login max md"
    b" min name number oauth param pass passwd password pattern pbkdf pwd rsa rule scrypt secret sha step str string"
    b" test tls token type user utf val value var version xxx".split()
)


def _is_word(unit: bytes) -> bool:
    pairs = len(unit) - 1
    usual = sum(unit[at : at + 2] in USUAL for at in range(pairs))
    return len(unit) >= SHORTEST_WORD and usual >= USUAL_PAIRS * pairs


def word_share(value: bytes) -> float:
    """How much of the letters and digits of ``value`` stands in what could be words, from 0 to 1."""
    size = len(value.translate(None, SIGNS))
    words = sum(len(unit) for unit in UNIT.findall(value) if _is_word(unit.lower()))
    return words / size if size else 1.0


def placeholder(value: bytes) -> bool:
    """Whether somebody left room here for a secret, or one of our own placeholders already stands here."""
    return PLACEHOLDER.search(value[:LONG]) is not None or not value.strip(b"xX0*.-_#")


def random_looking(value: bytes) -> bool:
    """Letters with digits among them (or, when long, cases mixed as no name mixes them) that make no words."""
    value = value[:LONG]
    mixed = len(value) >= SURELY_MIXED and not (value.islower() or value.isupper())
    return LETTER.search(value) is not None and (mixed or DIGIT.search(value) is not None) and word_share(value) < 0.5


def made_up(value: bytes) -> bool:
    """A word with a number behind it, as people make up passwords, and as code names things."""
    match = MADE_UP.fullmatch(value)
    return match is not None and match["word"].lower() not in NO_PASSWORD


def password_like(value: bytes) -> bool:
    """What people type as a password: also a word with a number behind it, a long number, a word with odd signs."""
    if MADE_UP.fullmatch(value):
        return made_up(value)
    if value.isdigit():
        return len(value) >= SHORTEST_PASSWORD
    return (
        random_looking(value) or (LETTER.search(value) and DIGIT.search(value) and ODD_SIGN.search(value)) is not None
    )
