"""`make setup` on a machine that lacks something ends with a sentence that says what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of commands that stands for a machine: a shell and git, no Python yet."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("bash", "dirname", "git"):
        (commands / name).symlink_to(shutil.which(name) or name)
    return commands


def add_python(machine: Path, name: str, version: str) -> None:
    """A stand-in that reports ``version`` and has no venv module."""
    script = machine / name
    script.write_text(f'#!/bin/sh\ncase "$2" in *version_info*) echo {version};; *) exit 1;; esac\n', encoding="utf-8")
    script.chmod(0o755)


def set_up(machine: Path, tmp_path: Path, **variables: str) -> str:
    """What the script says on its way out of a fresh copy; it must fail and leave no .venv behind."""
    shutil.copytree(ROOT / "scripts", tmp_path / "checkout" / "scripts")
    script = tmp_path / "checkout" / "scripts" / "setup.sh"
    env = {"PATH": str(machine), "HOME": os.environ["HOME"], **variables}
    done = subprocess.run([str(machine / "bash"), str(script)], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert not (tmp_path / "checkout" / ".venv").exists()
    return done.stderr


def test_no_python_at_all(machine: Path, tmp_path: Path) -> None:
    assert set_up(machine, tmp_path).startswith("Python was not found. Install Python 3.11, 3.12 or 3.13")


@pytest.mark.parametrize("version", ["2.7", "3.10", "3.14"])
def test_a_python_too_old_or_too_new(machine: Path, tmp_path: Path, version: str) -> None:
    add_python(machine, "python3", version)
    assert set_up(machine, tmp_path).startswith(f"Python {version} was found, but 3.11, 3.12 or 3.13 is needed.")


def test_a_python_named_by_hand_that_is_not_there(machine: Path, tmp_path: Path) -> None:
    assert set_up(machine, tmp_path, PYTHON="python3.12").startswith("Python was not found as python3.12.")


def test_a_python_without_venv(machine: Path, tmp_path: Path) -> None:
    add_python(machine, "python3.12", "3.12")
    assert "apt-get install python3.12-venv" in set_up(machine, tmp_path)


def test_no_git(machine: Path, tmp_path: Path) -> None:
    (machine / "git").unlink()
    add_python(machine, "python3.12", "3.12")
    assert set_up(machine, tmp_path).startswith("git was not found. Install it")
