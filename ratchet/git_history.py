"""A profile's history in git: one commit per change, made beside the user's own work without disturbing it.

Only plumbing is used, with a private index and with hooks, signing, filters and monitors off, because a repository in
a profile may be written by the agent. Own code: GitPython and pygit2 offer no private index with a compare-and-swap
on the ref that also keeps the user's staged work.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import GitRefused, GitUnavailable
from .faults import Point, reached

_QUIET_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.fsync=committed,reference",
    "commit.gpgSign=false",
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
_QUIET_ENV = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_UNFINISHED = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
}
_TIMEOUT_S = 60.0
_INDEX_PATIENCE_S = 3.0


@dataclass(frozen=True)
class Head:
    """The branch that HEAD names, and the commit it is at; None before the first commit."""

    ref: str
    commit: str | None


@dataclass(frozen=True)
class Entry:
    """A file as git stores it."""

    mode: str
    blob: str


@dataclass(frozen=True)
class Repository:
    """Where a profile's history is kept. ``own``: the profile's repository, with an index of its user."""

    git_dir: Path
    own: bool


def find_repository(home: Path, data: Path, profile: str) -> Repository:
    """The profile's own repository when its home is the top of one, else a bare one of ours, created when absent.

    A bigger repository around the home is left alone. Raises GitUnavailable, GitRefused.
    """
    if os.path.lexists(home / ".git"):
        return Repository(_own_git_dir(home), own=True)
    git_dir = data / "git" / f"{profile}.git"
    if not (git_dir / "HEAD").exists():
        _create_bare(git_dir)
    return Repository(git_dir, own=False)


def _own_git_dir(home: Path) -> Path:
    answer = _run(["-C", str(home), "rev-parse", "--is-bare-repository", "--absolute-git-dir"], check=False)
    if answer.returncode != 0:
        raise GitUnavailable(f"The repository in {home} is broken: {_complaint(answer)} Repair it, then try again.")
    bare, git_dir = answer.stdout.decode(errors="surrogateescape").splitlines()
    if bare == "true":
        raise GitRefused(f"The repository in {home} is bare and has no work tree to commit from.")
    return Path(git_dir)


def _create_bare(git_dir: Path) -> None:
    fresh = git_dir.with_name(f"{git_dir.name}.{os.getpid()}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    git_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _run(["init", "--quiet", "--bare", "--template=", str(fresh)])
    _run(["--git-dir", str(fresh), "symbolic-ref", "HEAD", "refs/heads/main"])
    try:
        fresh.rename(git_dir)
    except OSError:  # another process was first
        shutil.rmtree(fresh, ignore_errors=True)


def check_ready(repository: Repository) -> Head:
    """The branch to commit on. Raises GitRefused during a merge and the like or on a detached HEAD."""
    for name, what in _UNFINISHED.items():
        if (repository.git_dir / name).exists():
            raise GitRefused(f"{repository.git_dir} is in the middle of {what}. Finish or abort it, then try again.")
    named = _git(repository, "symbolic-ref", "-q", "HEAD", check=False)
    if named.returncode == 1:
        raise GitRefused(f"{repository.git_dir} is on a detached HEAD. Check out a branch, then try again.")
    if named.returncode != 0:
        raise GitUnavailable(f"The repository {repository.git_dir} is broken: {_complaint(named)}")
    ref = _line(named)
    return Head(ref, resolve(repository, ref))


def resolve(repository: Repository, ref: str) -> str | None:
    """The commit a ref is at; None when it has none yet."""
    found = _git(repository, "rev-parse", "-q", "--verify", f"{ref}^{{commit}}", check=False)
    if found.returncode == 0:
        return _line(found)
    if (repository.git_dir / ref).exists():
        raise GitUnavailable(f"{ref} in {repository.git_dir} points at nothing readable. Repair it, then try again.")
    return None


def entry_at(repository: Repository, commit: str | None, relpath: PurePosixPath) -> Entry | None:
    """The file in a commit; None when it is not there."""
    if commit is None:
        return None
    listed = _git(repository, "ls-tree", "-z", "--full-tree", commit, "--", str(relpath)).stdout
    return Entry(*_fields(listed, 0, 2)) if listed else None


def blob_id(repository: Repository, content: bytes | None) -> str | None:
    """The name git gives to ``content``, byte for byte, without storing it."""
    if content is None:
        return None
    return _line(_git(repository, "hash-object", "--no-filters", "--stdin", stdin=content))


def prepare_commit(
    repository: Repository,
    parent: str | None,
    relpath: PurePosixPath,
    content: bytes | None,
    mode: int | None,
    message: str,
) -> str:
    """Store a commit that changes exactly one file on top of ``parent``; no ref moves yet. Returns its name."""
    with _private_index(repository) as index:
        if parent is not None:
            _git(repository, "read-tree", parent, env=index)
        entry = None
        if content is not None:
            blob = _line(_git(repository, "hash-object", "-w", "--no-filters", "--stdin", stdin=content))
            entry = Entry(_git_mode(mode), blob)
        _set_entry(repository, relpath, entry, index)
        tree = _line(_git(repository, "write-tree", env=index))
    parents = [] if parent is None else ["-p", parent]
    return _line(_git(repository, "commit-tree", tree, *parents, stdin=message.encode("utf-8", "replace")))


def publish(
    repository: Repository,
    head: Head,
    commit: str,
    relpath: PurePosixPath,
    base_blob: str | None,
    token: str,
) -> None:
    """Move the branch from ``head`` to ``commit``, by compare-and-swap, and bring the user's index entry along.

    The user's index is locked meanwhile as git itself does it, so that no commit of theirs can fall between the two
    and take our change back. Raises GitRefused when the branch moved or somebody else holds the index.
    """
    if not repository.own:
        _move_ref(repository, head, commit)
        reached(Point.REF_MOVED)
        return
    with _index_lock(repository, token):
        reached(Point.INDEX_LOCKED)
        updated = _updated_index(repository, head.commit, commit, relpath, base_blob, token)
        reached(Point.INDEX_PREPARED)
        _move_ref(repository, head, commit)
        reached(Point.REF_MOVED)
        if updated:
            os.replace(updated, repository.git_dir / "index")
        reached(Point.INDEX_MOVED)


def settle_index(
    repository: Repository, commit: str, relpath: PurePosixPath, base_blob: str | None, token: str
) -> None:
    """After a kill: finish what :func:`publish` does to the user's index. Does nothing when that was done."""
    drop_index_lock(repository, token)
    if not repository.own:
        return
    parent = resolve(repository, f"{commit}~1")
    with _index_lock(repository, token):
        updated = _updated_index(repository, parent, commit, relpath, base_blob, token)
        if updated:
            os.replace(updated, repository.git_dir / "index")


def drop_index_lock(repository: Repository, token: str) -> None:
    """Remove what a killed :func:`publish` left behind: its index lock, if it is ours, and its files."""
    marker, lock = _marker(repository, token), repository.git_dir / "index.lock"
    try:
        if os.path.samefile(marker, lock):
            lock.unlink(missing_ok=True)
    except FileNotFoundError:
        pass  # one of the two was never made, or is gone already
    for leftover in repository.git_dir.glob(f"ratchet-{token}*"):
        leftover.unlink(missing_ok=True)


def contains(repository: Repository, ref: str, commit: str) -> bool:
    """Whether the branch ``ref`` has ``commit`` in its history."""
    return _git(repository, "merge-base", "--is-ancestor", commit, ref, check=False).returncode == 0


def record_as_found(repository: Repository, relpath: PurePosixPath, content: bytes, mode: int | None) -> str | None:
    """In a repository of ours, commit a file as it stands before its first change, so that the diff reads well.

    Returns the branch's commit. The profile's own repository is never touched by this.
    """
    head = check_ready(repository)
    if repository.own or _matches(repository, head.commit, relpath, content):
        return head.commit
    commit = prepare_commit(repository, head.commit, relpath, content, mode, f"Record {relpath} as it stands\n")
    _move_ref(repository, head, commit)
    return commit


def _matches(repository: Repository, commit: str | None, relpath: PurePosixPath, content: bytes) -> bool:
    entry = entry_at(repository, commit, relpath)
    return entry is not None and entry.blob == blob_id(repository, content)


def _move_ref(repository: Repository, head: Head, commit: str) -> None:
    old = head.commit or "0" * len(commit)
    moved = _git(repository, "update-ref", "-m", "ratchet", head.ref, commit, old, check=False)
    if moved.returncode != 0:
        raise GitRefused(f"The branch {head.ref} moved meanwhile or is locked: {_complaint(moved)} Try again.")


def _updated_index(
    repository: Repository,
    parent: str | None,
    commit: str,
    relpath: PurePosixPath,
    base_blob: str | None,
    token: str,
) -> Path | None:
    """A copy of the user's index with our entry in it; None when what they staged for this file must stay."""
    target = entry_at(repository, commit, relpath)
    copy = repository.git_dir / f"ratchet-{token}.index"
    index = repository.git_dir / "index"
    if index.exists():
        shutil.copyfile(index, copy)
    env = {"GIT_INDEX_FILE": str(copy)}
    staged = _staged_blob(repository, relpath, env)
    before = entry_at(repository, parent, relpath)
    if staged not in (base_blob, before.blob if before else None):
        copy.unlink(missing_ok=True)
        return None
    _set_entry(repository, relpath, target, env)
    return copy if copy.exists() else None


def _staged_blob(repository: Repository, relpath: PurePosixPath, env: Mapping[str, str]) -> str | None:
    listed = _git(repository, "ls-files", "-s", "-z", "--", f":(top,literal){relpath}", env=env).stdout
    return _fields(listed, 1)[0] if listed else None


def _set_entry(repository: Repository, relpath: PurePosixPath, entry: Entry | None, env: Mapping[str, str]) -> None:
    """Put one file into the index named by ``env``, or take it out; ``--index-info`` also works without a work tree."""
    line = f"0 {'0' * 40}\t{relpath}" if entry is None else f"{entry.mode} {entry.blob}\t{relpath}"
    _git(repository, "update-index", "--add", "-z", "--index-info", stdin=line.encode() + b"\0", env=env)


@contextmanager
def _index_lock(repository: Repository, token: str) -> Iterator[None]:
    """Hold ``index.lock`` as git does; the marker linked to it proves after a kill that the lock is ours."""
    marker, lock = _marker(repository, token), repository.git_dir / "index.lock"
    marker.write_text(f"held by hermes ratchet, operation {token}\n", encoding="ascii")
    deadline = time.monotonic() + _INDEX_PATIENCE_S
    while True:
        try:
            os.link(marker, lock)
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                marker.unlink(missing_ok=True)
                raise GitRefused(
                    f"{lock} exists: another git command is running there, or one crashed. If none is running, "
                    "delete that file; then try again."
                ) from None
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        for leftover in repository.git_dir.glob(f"ratchet-{token}*"):
            leftover.unlink(missing_ok=True)


def _marker(repository: Repository, token: str) -> Path:
    return repository.git_dir / f"ratchet-{token}.lock"


@contextmanager
def _private_index(repository: Repository) -> Iterator[Mapping[str, str]]:
    path = repository.git_dir / f"ratchet-private-{os.getpid()}-{time.monotonic_ns()}.index"
    try:
        yield {"GIT_INDEX_FILE": str(path)}
    finally:
        path.unlink(missing_ok=True)


def _git_mode(mode: int | None) -> str:
    return "100755" if (mode or 0) & 0o111 else "100644"


def _fields(listed: bytes, *wanted: int) -> list[str]:
    words = listed.split(b"\t", 1)[0].decode("ascii").split()
    return [words[position] for position in wanted]


def _git(
    repository: Repository,
    *arguments: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[bytes]:
    place = {"GIT_DIR": str(repository.git_dir), **(env or {})}
    return _run(list(arguments), stdin=stdin, env=place, check=check)


def _run(
    arguments: list[str], *, stdin: bytes = b"", env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    options = [word for setting in _QUIET_CONFIG for word in ("-c", setting)]
    try:
        done = subprocess.run(
            ["git", *options, *arguments],
            input=stdin,
            capture_output=True,
            env={**clean, **_IDENTITY, **_QUIET_ENV, **(env or {})},
            cwd="/",  # inside no work tree, so that paths are taken as they are written
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise GitUnavailable("git is not installed or not on the PATH. Install git, then try again.") from None
    except (subprocess.TimeoutExpired, OSError) as error:
        raise GitUnavailable(f"git could not be run: {error}.") from error
    if check and done.returncode != 0:
        raise GitUnavailable(f"git {arguments[0]} failed: {_complaint(done)}")
    return done


def _line(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def _complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}."
