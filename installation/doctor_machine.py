"""The doctor's look at the machine: system, Python, packages, git, data directory."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import util

from .. import host
from . import dependencies
from .findings import Finding, note, ok, problem

MIN_GIT = (2, 20)
_SUPPORTED = ("linux", "darwin")


def system() -> Iterator[Finding]:
    if sys.platform in _SUPPORTED:
        yield ok("system", f"{sys.platform} is supported.")
    else:
        yield problem("system", f"{sys.platform} is not supported.", "Use Linux (also WSL 2) or macOS.")


def python() -> Iterator[Finding]:
    """The interpreter that runs the host is the one into which packages must go."""
    version = ".".join(map(str, sys.version_info[:3]))
    if util.find_spec("pip"):
        yield ok("python", f"Python {version} at {sys.executable}, with pip.")
    elif shutil.which("uv"):
        yield ok("python", f"Python {version} at {sys.executable}, without pip; uv is here.")
    else:
        yield note(
            "python",
            f"Python {version} at {sys.executable} has no pip, and uv is not here: no package can be added.",
            f"{shlex.join([sys.executable, '-m', 'ensurepip'])}",
        )


def packages() -> Iterator[Finding]:
    missing = dependencies.unmet()
    if missing:
        names = ", ".join(missing)
        yield problem("dependencies", f"Python packages are missing: {names}.", dependencies.install_command(missing))
    else:
        yield ok("dependencies", "All Python packages are here.")


def git() -> Iterator[Finding]:
    wanted = ".".join(map(str, MIN_GIT))
    how = "Debian, Ubuntu: sudo apt-get install git; macOS: xcode-select --install"
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=20)
    except FileNotFoundError:
        yield problem("git", "git is not installed: no change can be applied.", how)
        return
    except (OSError, subprocess.TimeoutExpired) as error:
        yield problem("git", f"git cannot be run ({error}): no change can be applied.", how)
        return
    version = re.search(r"(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or version is None:
        yield problem("git", f"git does not work: {(done.stderr or done.stdout).strip()[:200]}", how)
    elif (int(version[1]), int(version[2])) < MIN_GIT:
        yield problem("git", f"git {version[0]} is too old; {wanted} or newer is needed.", how)
    else:
        yield ok("git", f"{done.stdout.strip()}.")


def data_directory() -> Iterator[Finding]:
    folder = host.data_dir()
    if not folder.exists():
        yield problem("data_directory", f"{folder} is not there: nothing was set up yet.", "hermes ratchet init")
        return
    shown = shlex.quote(str(folder))
    if folder.stat().st_mode & 0o077:
        yield problem("data_directory", f"{folder} is open to other users.", f"chmod 700 {shown}")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield problem("data_directory", f"{folder} cannot be written by this user.", f"chown -R $(id -un) {shown}")
    else:
        yield ok("data_directory", f"{folder}, for this user only.")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (system, python, packages, git, data_directory)
