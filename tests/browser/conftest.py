"""A real Chromium and the host's real dashboard, for pages that must load where people see them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "karpathy-self-improve"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = """
    --headless --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --virtual-time-budget=15000 --dump-dom
"""

Look = Callable[[str], str]


def _installed() -> str | None:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(ON_MACOS) if ON_MACOS.exists() else None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's command; on a Debian machine without one, and as root, it is installed first."""
    if not _installed() and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    found = _installed()
    if found is None:
        pytest.fail("No Chromium is here. Install it (Debian: the package chromium) and run the tests again.")
    return found


@pytest.fixture
def dashboard(home: Path) -> Iterator[str]:
    """The address of ``hermes dashboard``, running on ``home`` with our page in its plugins folder."""
    (home / "plugins").mkdir()
    (home / "plugins" / PLUGIN).symlink_to(ROOT)
    log = home / "dashboard.out"
    command = [sys.executable, "-P", "-m", "hermes_cli.main", "dashboard", "--no-open", "--port", "0"]
    env = {**os.environ, "HERMES_HOME": str(home)}
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=env, cwd=home, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{_port(server, log)}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _port(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        if ready := re.search(r"HERMES_DASHBOARD_READY port=(\d+)", log.read_text(errors="replace")):
            return ready[1]
        time.sleep(0.1)
    raise AssertionError(f"the dashboard did not start: {log.read_text(errors='replace')}")


@pytest.fixture
def look(chromium: str, dashboard: str, tmp_path: Path) -> Look:
    """``look("/self-improve")``: the page as it stands in the browser once its scripts have run, as HTML."""

    def dump(path: str) -> str:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [chromium, *FLAGS.split(), *sandbox, f"--user-data-dir={tmp_path / 'browser'}"]
        done = subprocess.run([*command, f"{dashboard}{path}"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return dump
