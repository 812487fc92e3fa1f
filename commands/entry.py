"""The two doors the host opens: ``hermes ratchet ...`` and ``/ratchet ...``. Stdlib only until one is used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

DESCRIPTION = "Improve this agent's prompt files by small, measured, reversible changes."
SLASH_DESCRIPTION = "What the ratchet is doing: status, list, show N"
SLASH_HINT = "[status | list | show N]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take all words of ``hermes ratchet`` as they are; :func:`run` parses them.

    With no prefix character, the host's parser leaves flags to us, ``--help`` and ``--json`` included. So a wrong flag
    is answered in the form that was asked for, and nothing of ours is built in processes that only look us up.
    """
    parser.prefix_chars = "\0"
    parser.add_argument("ratchet_words", nargs=argparse.REMAINDER)


def run(namespace: argparse.Namespace) -> None:
    """Carry a command out. Always raises SystemExit: the host ignores what a handler returns."""
    sys.exit(main(namespace.ratchet_words))


def main(words: Sequence[str]) -> int:
    """Carry out ``hermes ratchet <words>`` and return its exit code."""
    from .cli import main as answer

    return answer(words)


async def slash(raw_args: str) -> str:
    """Answer ``/ratchet <raw_args>`` in a chat; never raises."""
    import asyncio

    from .slash import answer

    return await asyncio.to_thread(answer, raw_args)
