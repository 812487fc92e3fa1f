"""The real host as a process: ``hermes`` runs it in a throw-away home, ``released`` is a repository to install from."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Hermes = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hermes(home: Path) -> Hermes:
    """``hermes("ratchet", "status", python=..., **variables)`` in ``home``; the caller judges exit code and output."""

    def run(*words: str, python: str = sys.executable, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [python, "-P", "-m", "hermes_cli.main", *words]
        env = {**os.environ, "HERMES_HOME": str(home), "NO_COLOR": "1", **variables}
        return subprocess.run(command, env=env, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    return run


@pytest.fixture
def released(copy_of_tree: Path) -> Path:
    """This checkout as somebody would publish it: a git repository of its own, everything in one commit."""
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "everything"]):
        subprocess.run(["git", "-C", str(copy_of_tree), *words], check=True)
    return copy_of_tree
