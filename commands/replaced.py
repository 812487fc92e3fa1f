"""Tells whoever typed a reason or a note what of it was replaced before it was kept."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator

from .plain import visible

_WORDS = ("reason", "override", "why", "note")


def tell(args: Namespace) -> None:
    """Say on stderr which types of secrets and personal data became placeholders; the texts are not repeated."""
    told = "; ".join(dict.fromkeys(_found(args)))
    if told:
        print(visible(f"Replaced by placeholders before it was kept: {told}."), file=sys.stderr)


def _found(args: Namespace) -> Iterator[str]:
    for flag in _WORDS:
        text = getattr(args, flag, None)
        if isinstance(text, str) and text.strip():
            from ..privacy import sanitize

            clean = sanitize(text.encode("utf-8", "backslashreplace").decode("utf-8"))
            yield from (f"{one.type} in --{flag}, line {one.line}" for one in clean.findings)
