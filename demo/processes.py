"""The host's processes in the demonstration: real agent sessions, the daemon, the dashboard."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

from .home import DemoHome, DemoProfile

_READY = re.compile(r"HERMES_DASHBOARD_READY port=(\d+)")
_SESSION_TIMEOUT_S = 120.0
_AT_ONCE = 2
_REFUSED = 3


class DemoFailed(Exception):
    """A step did not do what it should; the message says which and shows what the process printed."""


def ratchet(home: DemoHome, *words: str) -> str:
    """Run ``hermes ratchet ...`` as a person would. Returns what it printed. Raises DemoFailed."""
    return _run(home, "ratchet", *words)


def refused(home: DemoHome, *words: str) -> str:
    """Run ``hermes ratchet ...`` that must be refused by a gate (exit code 3). Returns why. Raises DemoFailed."""
    done = _carried_out(home, "ratchet", *words)
    if done.returncode != _REFUSED:
        raise DemoFailed(f"hermes ratchet {' '.join(words)} was not refused:\n{done.stderr}{done.stdout}")
    return done.stderr.strip()


def talk(home: DemoHome, profile: DemoProfile, start: int, count: int) -> None:
    """``count`` real agent sessions, two at a time, with the profile's questions in turn from number ``start``."""
    questions = list(islice(cycle(profile.questions), start, start + count))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda question: _run(home, "-p", profile.name, "-z", question), questions))


def _run(home: DemoHome, *words: str) -> str:
    done = _carried_out(home, *words)
    if done.returncode != 0:
        raise DemoFailed(f"hermes {' '.join(words)} ended with {done.returncode}:\n{done.stderr}{done.stdout}")
    return done.stdout


def _carried_out(home: DemoHome, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        home.command(*words),
        env=dict(home.environment),
        cwd=home.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SESSION_TIMEOUT_S,
        check=False,
    )


@contextmanager
def daemon(home: DemoHome) -> Iterator[None]:
    """``hermes ratchet daemon`` in the background, its log in ``daemon.log`` of the home; ended with SIGTERM."""
    with _background(home, home.root / "daemon.log", "ratchet", "daemon"):
        yield


@contextmanager
def dashboard(home: DemoHome) -> Iterator[str]:
    """The host's real dashboard on a free port. Gives the page's URL."""
    log = home.root / "dashboard.log"
    with _background(home, log, "dashboard", "--no-open", "--port", "0") as process:
        yield f"http://127.0.0.1:{_port(process, log)}/self-improve"


def _port(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(300):
        found = _READY.search(log.read_text(encoding="utf-8", errors="replace"))
        if found:
            return found[1]
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    raise DemoFailed(f"the dashboard did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")


@contextmanager
def _background(home: DemoHome, log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            home.command(*words),
            env=dict(home.environment),
            cwd=home.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask politely, then insist."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.wait(4)
        except subprocess.TimeoutExpired:
            continue
        return


def commits(git_dirs: Sequence[Path]) -> list[str]:
    """The one-line history of every repository, newest first."""
    lines: list[str] = []
    for git_dir in git_dirs:
        shown = subprocess.run(
            ["git", "--git-dir", str(git_dir), "log", "--format=%h %s"], capture_output=True, text=True, check=True
        )
        lines += [f"{git_dir.stem}: {line}" for line in shown.stdout.splitlines()]
    return lines
