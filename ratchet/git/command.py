"""Runs git: nobody's hooks, monitors or remote helpers take part, and no git outlives its step unseen.

A repository in a profile may be written by the agent, so its configuration is not trusted.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...errors import GitUnavailable

_QUIET_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.fsync=committed,reference",
    "core.splitIndex=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "i18n.commitEncoding=UTF-8",
)
_IDENTITY = {
    "GIT_AUTHOR_NAME": "Hermes Ratchet",
    "GIT_AUTHOR_EMAIL": "ratchet@localhost",
    "GIT_COMMITTER_NAME": "Hermes Ratchet",
    "GIT_COMMITTER_EMAIL": "ratchet@localhost",
}
_QUIET_ENV = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ALLOW_PROTOCOL": "none",  # a missing object is an error, never a reason to run a remote's helper
    "LC_ALL": "C",
}
_TIMEOUT_S = 60.0

Answer = subprocess.CompletedProcess[bytes]


@dataclass(frozen=True)
class Repository:
    """Where a profile's history is kept. ``own``: the profile's repository, with an index of its user."""

    git_dir: Path
    own: bool


def git(
    repository: Repository,
    *arguments: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> Answer:
    """Run one git command on a repository. Raises GitUnavailable, unless ``check`` is off also when git fails."""
    place = {"GIT_DIR": str(repository.git_dir), **(env or {})}
    with _one_at_a_time(repository.git_dir) as held:
        return run(list(arguments), stdin=stdin, env=place, check=check, held=held)


def run(
    arguments: list[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    check: bool = True,
    held: int | None = None,
) -> Answer:
    """Run git; ``held`` is a descriptor that it keeps open as long as it lives. Raises GitUnavailable."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    options = [word for setting in _QUIET_CONFIG for word in ("-c", setting)]
    try:
        done = subprocess.run(
            ["git", *options, *arguments],
            input=stdin,
            capture_output=True,
            env={**clean, **_IDENTITY, **_QUIET_ENV, **(env or {})},
            cwd="/",  # ours may be gone by now, or lie in somebody's work tree
            timeout=_TIMEOUT_S,
            check=False,
            pass_fds=() if held is None else (held,),
        )
    except FileNotFoundError:
        raise GitUnavailable("git is not installed or not on the PATH. Install git, then try again.") from None
    except (subprocess.TimeoutExpired, OSError) as error:
        raise GitUnavailable(f"git could not be run: {error}.") from error
    if check and done.returncode != 0:
        raise GitUnavailable(f"git {arguments[0]} failed: {complaint(done)} Repair the repository, then try again.")
    return done


def line(answer: Answer) -> str:
    """The one line git answered with."""
    return answer.stdout.decode("utf-8", "surrogateescape").strip()


def complaint(answer: Answer) -> str:
    """The line in which git says what is wrong; advice comes after it, warnings before it."""
    lines = answer.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {answer.returncode}"]
    wrong = next((said for said in lines if said.startswith(("fatal:", "error:"))), lines[-1])
    return wrong.rstrip(".") + "."


@contextmanager
def writing(git_dir: Path) -> Iterator[None]:
    """What the system refuses inside this block is raised as GitUnavailable."""
    try:
        yield
    except OSError as error:
        raise GitUnavailable(
            f"{git_dir} cannot be written ({error.strerror}). Free or repair the disk, then try again."
        ) from error


@contextmanager
def _one_at_a_time(git_dir: Path) -> Iterator[int]:
    """A lock that each git we start inherits, so that recovery waits for one that outlived a killed process."""
    deadline = time.monotonic() + _TIMEOUT_S
    with writing(git_dir):
        fd = os.open(git_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with writing(git_dir):
            while not _locked(fd):
                if time.monotonic() > deadline:
                    raise GitUnavailable(f"A git that we started hangs in {git_dir}. End it, then try again.")
                time.sleep(0.002)
        yield fd
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
