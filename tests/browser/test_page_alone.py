"""Our page on our own server, in a real Chromium: the link opens it, and without the token there is nothing to see."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import open_context

FLAGS = """
    --headless --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --virtual-time-budget=15000 --enable-logging=stderr --dump-dom
"""
Look = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "server-token"


@pytest.fixture
def alone(home: Path, token_file: Path) -> Iterator[str]:
    """The address of ``hermes ratchet serve`` on ``home`` with one proposal in it."""
    context = open_context()
    base = experiments.current_file(context, "default", "SOUL.md").content
    candidate = experiments.replaced_text(base, "briefly", "very briefly")
    experiments.propose(context, "default", "SOUL.md", candidate, "answers ran long", Actor("somebody", "os:somebody"))
    context.store.close()
    output = home / "serve.out"
    words = ["ratchet", "serve", "--port", "0", "--token-file", str(token_file)]
    with output.open("wb") as out:
        command = [sys.executable, "-P", "-m", "hermes_cli.main", *words]
        env = {**os.environ, "HERMES_HOME": str(home)}
        server = subprocess.Popen(command, env=env, cwd="/", stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(r"Listening on (\S+)/ ", output.read_text(errors="replace"))):
            assert time.monotonic() < deadline, output.read_text(errors="replace")
            time.sleep(0.1)
        yield found[1]
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def look(chromium: str, tmp_path: Path) -> Look:
    """The page as it stands once its scripts have run, on stdout; what the browser complained of, on stderr."""

    def dump(address: str) -> subprocess.CompletedProcess[str]:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [chromium, *FLAGS.split(), *sandbox, f"--user-data-dir={tmp_path / 'browser'}", address]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)

    return dump


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", page[page.index("<body") :]))


def test_the_link_with_the_token_opens_the_page(alone: str, token_file: Path, look: Look) -> None:
    token = token_file.read_text().strip()
    shown = look(f"{alone}/#token={token}")
    for words in ("SOUL.md", "proposed", "answers ran long"):
        assert words in text_of(shown.stdout)
    assert token not in shown.stdout
    assert "Content Security Policy" not in shown.stderr


@pytest.mark.parametrize("address", ["/", "/self-improve", f"/#token={'x' * 43}"])
def test_without_the_token_the_page_asks_for_it(alone: str, look: Look, address: str) -> None:
    page = text_of(look(f"{alone}{address}").stdout)
    assert "This server asks for its token." in page
    assert "answers ran long" not in page
