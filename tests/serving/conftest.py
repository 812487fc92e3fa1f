"""The stand-alone server: its application in this process, and the real command in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "karpathy-self-improve"
API = f"/api/plugins/{PLUGIN}"
TOKEN = "t" * 40
HERMES = (sys.executable, "-P", "-m", "hermes_cli.main", "ratchet", "serve")
ALONE = (sys.executable, "-P", "-m", "karpathy_self_improve.serving")
"""The same without the host's own start."""


@pytest.fixture
def served(home: Path) -> Path:
    """A home whose operator chose unsigned approvals, with a second profile ``coder``."""
    return furnished(home)


def furnished(home: Path) -> Path:
    settings = f"plugins:\n  enabled: [{PLUGIN}]\n  entries:\n    {PLUGIN}: {{approval: unsigned}}\n"
    coder = home / "profiles" / "coder"
    coder.mkdir(parents=True)
    for place in (home, coder):
        (place / "config.yaml").write_text(settings, encoding="utf-8")
        (place / "SOUL.md").write_text("# Soul\n\nYou help. Be brief.\n", encoding="utf-8")
    return home


@pytest.fixture
def alone(served: Path) -> Any:
    """A client of the stand-alone application, without a token unless the test sends one."""
    from starlette.testclient import TestClient

    from karpathy_self_improve.serving.app import build
    from karpathy_self_improve.serving.run import Options, policy

    return TestClient(build(policy(Options(), TOKEN)), base_url="http://127.0.0.1:9120")


@dataclass(frozen=True)
class Server:
    """A running ``hermes ratchet serve``."""

    address: str
    token_file: Path
    process: subprocess.Popen[bytes]
    output: Path


Start = Callable[..., Server]


@pytest.fixture
def start(served: Path, tmp_path: Path) -> Iterator[Start]:
    """``start("--port", "0", **variables)``: the real command; ended with the test."""
    yield from starting(served, tmp_path)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that leave it as it is."""
    place = tmp_path_factory.mktemp("running")
    (place / "hermes").mkdir()
    servers = starting(furnished(place / "hermes"), place)
    yield next(servers)(command=ALONE)
    next(servers, None)


def starting(home: Path, place: Path) -> Iterator[Start]:
    """What starts servers of ``home``, which end when the next one is asked for."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*words: str, **options: Any) -> Server:
        output = place / f"serve{len(running)}.out"
        command = [*options.pop("command", HERMES), "--port", "0", *words]
        env = {**os.environ, "HERMES_HOME": str(home), "XDG_CONFIG_HOME": str(place / "config")}
        env.update(options.pop("env", {}))
        with output.open("wb") as out:
            process = subprocess.Popen(
                command, env=env, cwd="/", stdout=out, stderr=out, stdin=subprocess.DEVNULL, **options
            )
        running.append(process)
        found = heard(process, output)
        return Server(found[1], Path(found[2]), process, output)

    yield begin
    for process in running:
        process.terminate()
        process.wait(timeout=30)


def heard(process: subprocess.Popen[bytes], output: Path) -> re.Match[str]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"Listening on (\S+)/ \(token: (.+)\)", output.read_text(errors="replace")):
            return found
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {output.read_text(errors='replace')}")
