"""Entries of a git index: our private one for a commit, and the user's own, brought along without losing their work."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...errors import GitRefused
from .command import Repository, git, writing

_PATIENCE_S = 3.0


@dataclass(frozen=True)
class Entry:
    """A file as git stores it."""

    mode: str
    blob: str


def entry_at(repository: Repository, commit: str | None, relpath: PurePosixPath) -> Entry | None:
    """The file in a commit; None when it is not there."""
    if commit is None:
        return None
    listed = git(repository, "ls-tree", "-z", "--full-tree", commit, "--", str(relpath)).stdout
    return Entry(*_words(listed, 0, 2)) if listed else None


def put(repository: Repository, relpath: PurePosixPath, entry: Entry, env: Mapping[str, str]) -> None:
    """Put one file into the index named by ``env``; ``--index-info`` also works without a work tree."""
    stated = f"{entry.mode} {entry.blob}\t{relpath}\0"
    git(repository, "update-index", "--add", "-z", "--index-info", stdin=stated.encode(), env=env)


def take_out(repository: Repository, relpath: PurePosixPath, commit: str, env: Mapping[str, str]) -> None:
    """Take one file out of that index; "nothing" is as many zeros as any name in this repository is long."""
    stated = f"0 {'0' * len(commit)}\t{relpath}\0"
    git(repository, "update-index", "-z", "--index-info", stdin=stated.encode(), env=env)


@contextmanager
def private(repository: Repository, token: str) -> Iterator[Mapping[str, str]]:
    """The environment that makes git use an index of ours, gone afterwards."""
    path = repository.git_dir / f"ratchet-{token}.private"
    try:
        yield {"GIT_INDEX_FILE": str(path)}
    finally:
        with writing(repository.git_dir):
            path.unlink(missing_ok=True)


def updated(
    repository: Repository,
    parent: str | None,
    commit: str,
    relpath: PurePosixPath,
    base_blob: str | None,
    token: str,
) -> Path | None:
    """A copy of the user's index with the file as in ``commit``; None when what they staged for it must stay."""
    copy, index = repository.git_dir / f"ratchet-{token}.index", repository.git_dir / "index"
    with writing(repository.git_dir):
        for leftover in (copy, Path(f"{copy}.lock")):
            leftover.unlink(missing_ok=True)
        if index.exists():
            shutil.copyfile(index, copy)
    env = {"GIT_INDEX_FILE": str(copy)}
    target, before = entry_at(repository, commit, relpath), entry_at(repository, parent, relpath)
    as_found = Entry(target.mode, base_blob) if target and base_blob else None
    if _staged(repository, relpath, env) not in ([before] if before else [], [as_found]):
        return None
    if target is None:
        take_out(repository, relpath, commit, env)
    else:
        put(repository, relpath, target, env)
    return copy


def install(repository: Repository, copy: Path | None) -> None:
    """Make the copy the user's index; the caller holds the lock."""
    if copy is not None:
        with writing(repository.git_dir):
            os.replace(copy, repository.git_dir / "index")


def check_free(repository: Repository) -> None:
    """Wait a moment for another git at work on the profile's own repository. Raises GitRefused when it stays locked."""
    lock, deadline = _lock(repository), time.monotonic() + _PATIENCE_S
    while repository.own and os.path.lexists(lock):
        _wait_for(lock, deadline)


@contextmanager
def locked(repository: Repository, token: str) -> Iterator[None]:
    """Hold ``index.lock`` as git does; the marker linked to it proves after a kill that the lock is ours.

    Raises GitRefused when somebody else keeps it, GitUnavailable.
    """
    marker, lock, deadline = _marker(repository, token), _lock(repository), time.monotonic() + _PATIENCE_S
    try:
        with writing(repository.git_dir):
            marker.write_text(f"held by hermes ratchet, operation {token}\n", encoding="ascii")
            while not _is_same_file(marker, lock):  # the same after a kill: then it was never let go
                try:
                    os.link(marker, lock)
                except FileExistsError:
                    _wait_for(lock, deadline)
        yield
    finally:
        release(repository, token)


def release(repository: Repository, token: str) -> None:
    """Remove what an operation holds or left behind: the index lock, if it is ours, and its files.

    Raises GitUnavailable.
    """
    with writing(repository.git_dir):
        if _is_same_file(_marker(repository, token), _lock(repository)):
            _lock(repository).unlink(missing_ok=True)
        for leftover in repository.git_dir.glob(f"ratchet-{token}*"):
            leftover.unlink(missing_ok=True)


def _staged(repository: Repository, relpath: PurePosixPath, env: Mapping[str, str]) -> list[Entry]:
    """What the index holds for one file: nothing, one entry, or the sides of a conflict."""
    listed = git(repository, "ls-files", "-s", "-z", "--", f":(top,literal){relpath}", env=env).stdout
    return [Entry(*_words(stated, 0, 1)) for stated in listed.split(b"\0") if stated]


def _words(listed: bytes, *wanted: int) -> list[str]:
    words = listed.split(b"\t", 1)[0].decode("ascii").split()
    return [words[position] for position in wanted]


def _wait_for(lock: Path, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise GitRefused(
            f"{lock} exists: another git command is running there, or one crashed. If none is running, delete that "
            "file; then try again."
        )
    time.sleep(0.02)


def _lock(repository: Repository) -> Path:
    return repository.git_dir / "index.lock"


def _marker(repository: Repository, token: str) -> Path:
    return repository.git_dir / f"ratchet-{token}.lock"


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except FileNotFoundError:
        return False
