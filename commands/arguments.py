"""The words of ``hermes ratchet``: every command with its flags, its help and examples. Standard library only.

The host takes ``-p`` and ``--profile`` for itself wherever they stand, and glues words together after ``-c`` and
``-r``: a profile is named by ``--target``, and there are no one-letter flags.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import cache

from .words import changing, looking, measuring, reviewing, running
from .words.grammar import PROG, Commands, Parser

_LOOP = """\
Improve this agent's prompt files by small, measured, reversible changes.

one change, from proposal to verdict:
  hermes ratchet init
  hermes ratchet reviewer add ann   (a key for the person who will approve)
  hermes ratchet new --replace "Be brief." "Answer in at most three sentences."
  hermes ratchet evaluate 1         (the proposal against the file as it is)
  hermes ratchet approve 1
  hermes ratchet daemon             (applies, watches, keeps or takes back)
  hermes ratchet status --watch"""
_EXITS = """\
exit codes: 0 done, 1 failed, 2 wrong use, 3 refused, 4 inconclusive.
Every command takes --json, and has its own --help with an example."""
_FIRST_HELP, _JSON = "help", "--json"


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The parsed words; ``handler`` names who carries them out. Raises BadInput; SystemExit(0) after ``--help``."""
    tree = _tree()
    found: argparse.Namespace
    found, unknown = tree.parse_known_args(_asked(words))
    if unknown:
        below = next((parser for name, parser in tree.leaves() if _starts_with(words, name.split())), tree)
        below.error(f"unrecognized arguments: {' '.join(unknown)}")
    return found


def commands() -> Iterator[tuple[str, Parser]]:
    """Every command that does something, as typed, with its parser."""
    return _tree().leaves()


def _asked(words: Sequence[str]) -> list[str]:
    """``help show`` means ``show --help``, no word at all ``--help``, and ``--json show 3`` is ``show 3 --json``."""
    if not words or words[0] == _FIRST_HELP:
        return [*words[1:], "--help"]
    if words[0] == _JSON and len(words) > 1:
        end = words.index("--") if "--" in words else len(words)
        return [*words[1:end], _JSON, *words[end:]]
    return list(words)


def _starts_with(words: Sequence[str], name: Sequence[str]) -> bool:
    return list(words[: len(name)]) == list(name)


@cache
def _tree() -> Parser:
    root = Parser(prog=PROG, usage=f"{PROG} COMMAND [options]", description=_LOOP)
    below = Commands(root)
    running.add_first_steps(below)
    changing.add(below)
    looking.add(below)
    measuring.add(below)
    reviewing.add(below)
    running.add(below)
    root.epilog = f"{below.overview()}\n\n{_EXITS}"
    return root
