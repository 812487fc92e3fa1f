"""The two questions there are: asked on a terminal only, and a plain Enter always means no."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CODE = "import sys; from karpathy_self_improve.commands import entry; sys.exit(entry.main(sys.argv[1:]))"


def at_terminal(answer: bytes, *words: str) -> tuple[int, str]:
    """Exit code and screen of a command run on a terminal where somebody types ``answer``."""
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    started = subprocess.Popen([sys.executable, "-P", "-c", CODE, *words], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = b""
    try:
        while chunk := os.read(ours, 4096):
            screen += chunk
    except OSError:  # Linux reports the end of a terminal like this
        pass
    os.close(ours)
    return started.wait(timeout=60), screen.decode()


@pytest.mark.parametrize(("answer", "approval"), [(b"y\n", "unsigned"), (b"\n", "signed"), (b"\x04", "signed")])
def test_who_approves_is_asked_once(ratchet: Any, home: Path, answer: bytes, approval: str) -> None:
    code, screen = at_terminal(answer, "init")
    assert code == 0, screen
    assert "Allow unsigned approvals? [y/N]" in screen
    assert ratchet("status", "--json").document["approval"] == approval


@pytest.mark.parametrize("flags", [("--yes",), ("--approval", "signed"), ("--json",)])
def test_whoever_says_so_is_not_asked(home: Path, flags: tuple[str, ...]) -> None:
    code, screen = at_terminal(b"y\n", "init", *flags)
    assert code == 0
    assert "[y/N]" not in screen


def test_data_is_deleted_only_after_a_yes(ratchet: Any, home: Path) -> None:
    ratchet("init")
    code, screen = at_terminal(b"\n", "uninstall", "--delete-data")
    assert (code, "Nothing was removed." in screen) == (2, True)
    assert (home / "ratchet" / "ratchet.db").exists()
    without_terminal = ratchet("uninstall", "--delete-data")
    assert without_terminal.code == 2
    assert "--yes" in without_terminal.err
    assert (home / "ratchet" / "ratchet.db").exists()
    assert at_terminal(b"y\n", "uninstall", "--delete-data")[0] == 0
    assert not (home / "ratchet").exists()
