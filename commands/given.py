"""What a person or a program hands over on standard input."""

from __future__ import annotations

import sys


def standard_input(most: int) -> bytes:
    """At most ``most`` bytes. At a terminal, where nothing would happen by itself, says what to do."""
    if sys.stdin.isatty():
        print("Type or paste it here, and end it with Ctrl-D on a line of its own.", file=sys.stderr, flush=True)
    return sys.stdin.buffer.read(most)
