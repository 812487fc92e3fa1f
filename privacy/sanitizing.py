"""The two things to ask: where a text holds secrets, and what it reads like without them and without people in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .assignments import ASSIGNMENTS
from .contexts import ADDRESSES, HEADERS, KEY_BLOCKS
from .findings import Finding, Span, decoded, encoded, findings, merged
from .people import Identity, rules_about
from .rewriting import Change, Rewritten, rewritten
from .rules import Rule
from .scanning import Scanner
from .tokens import TOKENS

SECRETS: tuple[Rule, ...] = (*KEY_BLOCKS, *TOKENS, *HEADERS, *ADDRESSES, *ASSIGNMENTS)

# A placeholder is shorter than what it replaced, and may bring a key word closer to something else. More rounds than
# two take a text made for it.
REPEATS = 8


@dataclass(frozen=True)
class Sanitized:
    """A text with placeholders such as ``<github-token>``, and what stood where in the text it was made from."""

    text: str
    findings: tuple[Finding, ...]


def scan(text: str) -> list[Finding]:
    """The secrets in ``text``, in order. Takes time linear in the text, and any text: also broken Unicode."""
    data = encoded(text)
    return list(findings(data, _for_secrets().spans(data)))


def sanitize(text: str, who: Identity | None = None) -> Sanitized:
    """The text without secrets, e-mail addresses, home folders and the names of ``who`` (this machine and its user).

    Sanitizing the result changes nothing. Everything else stays as it is, to the byte.
    """
    scanner = _for_everything(who or Identity.here())
    data = encoded(text)
    spans = scanner.spans(data)
    without = _replaced(data, spans)
    for _ in range(REPEATS):
        more = scanner.spans(without.data) if spans else []
        if not more:
            break
        spans = merged([*spans, *without.back(more)])
        without = _replaced(data, spans)
    return Sanitized(decoded(without.data) if spans else text, tuple(findings(data, spans)))


def _replaced(data: bytes, spans: Sequence[Span]) -> Rewritten:
    return rewritten(data, 0, len(data), (Change(span.start, span.end, f"<{span.type}>".encode()) for span in spans))


@lru_cache(maxsize=1)
def _for_secrets() -> Scanner:
    return Scanner(SECRETS)


@lru_cache(maxsize=8)
def _for_everything(who: Identity) -> Scanner:
    return Scanner((*SECRETS, *rules_about(who)))
