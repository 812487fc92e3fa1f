"""Passphrases: generated ones of six words, and a low estimate of how hard a person's own one is to guess.

words.txt holds 2,048 common English words of three to seven letters, so that each word drawn is worth 11 bits and six
are worth 66. At 128 MiB and a third of a second per guess that is out of reach; at five words it would hardly be less.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections import Counter
from functools import lru_cache
from pathlib import Path

from .refusals import PassphraseRefused

GENERATED_WORDS = 6
WORD_BITS = 11.0
LEAST_BITS = 60.0
"""A person's own passphrase must reach this by :func:`estimated_bits`: six words, or twelve or so mixed characters."""

_LONGEST = 1_024
_CHUNK = 7
_LETTER_BITS = 5.5
_OTHER_BITS = {True: 3.3, False: 5.0}  # a digit; another sign
_PARTS = re.compile(r"[^\W\d_]+|[\W\d_]")


@lru_cache(maxsize=1)
def words() -> tuple[str, ...]:
    """The list that generated passphrases are drawn from."""
    return tuple(Path(__file__).with_name("words.txt").read_text(encoding="ascii").split())


def generate() -> str:
    """Six different words from the system's random source, joined by spaces: 65.99 bits."""
    return " ".join(secrets.SystemRandom().sample(words(), GENERATED_WORDS))


def check_strong(passphrase: str) -> None:
    """Raises PassphraseRefused for a passphrase that is too easy to guess, or has more than 1,024 characters."""
    if len(passphrase) > _LONGEST:
        raise PassphraseRefused(f"A passphrase has at most {_LONGEST} characters.")
    if estimated_bits(passphrase) < LEAST_BITS:
        raise PassphraseRefused(
            "This passphrase is too easy to guess. Take six different words with spaces between them, or have one "
            "generated."
        )


def estimated_bits(passphrase: str) -> float:
    """A low estimate, for what a person may have thought of rather than drawn.

    A run of letters counts as words: 11 bits for each new stretch of up to seven letters, less when it has only few
    different letters. Of other signs each counts twice at most, and not when it repeats or continues the one before.
    """
    total, seen, before = 0.0, set[str](), ""
    counted = Counter[str]()
    for part in _PARTS.findall(normal(passphrase)):
        if part[0].isalpha():
            folded = part.casefold()
            fresh = {folded[at : at + _CHUNK] for at in range(0, len(folded), _CHUNK)} - seen
            total += sum(min(WORD_BITS, _LETTER_BITS * len(set(chunk))) for chunk in fresh)
            seen |= fresh
        elif not part.isspace() and counted[part] < 2 and not (before and abs(ord(part) - ord(before)) <= 1):
            counted[part] += 1
            total += _OTHER_BITS[part.isdigit()]
        before = part if len(part) == 1 else ""
    return total


def normal(passphrase: str) -> str:
    """NFKC: the same keys pressed on another system give the same passphrase."""
    return unicodedata.normalize("NFKC", passphrase)
