"""Runs `hermes ratchet` commands on terminals, each in a fork of this process, which has imported everything already.

Reads one JSON object a line: the words, the environment and the terminal's name. Answers each with its exit code.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import sys
import termios
from typing import Any

from karpathy_self_improve.commands import entry

_BEFOREHAND = ("changes", "reviewer", "scenarios", "setting_up", "operating", "measuring", "following", "progress")


def on_terminal(name: str) -> None:
    """Make the terminal this process's own, and its standard streams."""
    os.setsid()
    terminal = os.open(name, os.O_RDWR)
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for number in (0, 1, 2):
        os.dup2(terminal, number)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")


def carry_out(asked: dict[str, Any]) -> None:
    """Never returns: what a fork inherited is not for it to put in order."""
    code = 70
    try:
        on_terminal(asked["terminal"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        code = entry.main(asked["words"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def main() -> None:
    for name in _BEFOREHAND:
        importlib.import_module(f"karpathy_self_improve.commands.{name}")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            carry_out(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
