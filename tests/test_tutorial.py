"""Every command of docs/tutorial.md, typed one after the other as a newcomer would; two minutes, so for the soak."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_END_AS = {"hermes ratchet evaluate 1": 4}
"""Underpowered, as the page says."""


def commands() -> Iterator[str]:
    """What stands behind each ``$``, with the lines that belong to it; what follows is output."""
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        lines: list[str] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                if lines:
                    yield "\n".join(lines)
                lines = [line[2:]]
            elif lines[-1].endswith("\\") or ("<<'END'" in lines[0] and lines[-1] != "END"):
                lines.append(line)
        yield "\n".join(lines)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@pytest.mark.soak
def test_every_command_of_the_tutorial_works_and_ends_as_told(tmp_path: Path) -> None:
    typed = [command for command in commands() if command != "make setup"]
    assert len(typed) > 25
    script = ["set -m", "trap 'kill $(jobs -p) 2>/dev/null' EXIT"]
    for number, command in enumerate(typed):
        allowed = MAY_END_AS.get(command, 0)
        ended = f'code=$?; [ $code -eq 0 ] || [ $code -eq {allowed} ] || {{ echo "command {number}: $code"; exit 1; }}'
        script += [command, ended]
    text = "\n".join(script).replace("18080", str(free_port()))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HERMES_", "RATCHET_"))}
    done = subprocess.run(
        ["bash", "-c", text],
        cwd=ROOT,
        env={**env, "TMPDIR": str(tmp_path), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for told in ("underpowered", "no apologies", "Verified", "verified", "is reverted"):
        assert told in done.stdout, (told, done.stdout)
