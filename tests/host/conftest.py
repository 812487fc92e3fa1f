"""The real host as a process: ``hermes`` runs it in a throw-away home, ``released`` is a repository to install from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from karpathy_self_improve.demo.scripted_model import ScriptedModel

Hermes = Callable[..., subprocess.CompletedProcess[str]]
Say = Callable[..., str]
Gateway = Callable[[], AbstractContextManager[Say]]
GATEWAY = Path(__file__).with_name("gateway_process.py")


@pytest.fixture
def hermes(home: Path) -> Hermes:
    """``hermes("ratchet", "status", python=..., **variables)`` in ``home``; the caller judges exit code and output."""

    def run(*words: str, python: str = sys.executable, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [python, "-P", "-m", "hermes_cli.main", *words]
        env = {**os.environ, "HERMES_HOME": str(home), "NO_COLOR": "1", **variables}
        return subprocess.run(command, env=env, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    return run


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """The scripted model server, running."""
    with ScriptedModel() as server:
        yield server


@pytest.fixture
def configured(home: Path, model: ScriptedModel) -> Callable[..., None]:
    """``configured(approval="unsigned")`` writes the home's config.yaml: the scripted model, and our settings."""

    def write(**settings: Any) -> None:
        plugins = {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": settings}}
        document = {"model": model.model_settings(), "plugins": plugins}
        (home / "config.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")

    return write


@pytest.fixture
def gateway(home: Path) -> Gateway:
    """``with gateway() as say``: a gateway of the real host; ``say(chat, text)`` gives what it answers there.

    The sender in chat 1 is ``user-1``; ``internal`` makes it an event of the host's own.
    """

    @contextmanager
    def running() -> Iterator[Say]:
        env = {**os.environ, "HERMES_HOME": str(home), "GATEWAY_ALLOW_ALL_USERS": "true"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with (home / "gateway-process.log").open("w") as log:
            process = subprocess.Popen([sys.executable, "-P", str(GATEWAY)], env=env, cwd=home, stderr=log, **pipes)  # type: ignore[call-overload]

        def say(chat: str, text: str, internal: bool = False) -> str:
            message = {"chat": chat, "user": f"user-{chat}", "text": text, "internal": internal}
            print(json.dumps(message), file=process.stdin, flush=True)
            line = process.stdout.readline()
            assert line, (home / "gateway-process.log").read_text(encoding="utf-8")
            return str(json.loads(line)["answer"])

        try:
            yield say
        finally:
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

    return running


@pytest.fixture
def released(copy_of_tree: Path) -> Path:
    """This checkout as somebody would publish it: a git repository of its own, everything in one commit."""
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "everything"]):
        subprocess.run(["git", "-C", str(copy_of_tree), *words], check=True)
    return copy_of_tree
