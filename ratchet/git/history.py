"""A profile's history in git: one commit per change, made beside the user's own work without disturbing it.

Only plumbing is used. Own code: GitPython and pygit2 offer no private index with a compare-and-swap on the ref that
also keeps the user's staged work.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...errors import GitRefused, GitUnavailable
from ..faults import Point, reached
from . import index as git_index
from .command import Repository, complaint, git, line, run, writing
from .index import Entry, entry_at

_UNFINISHED = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "sequencer": "a cherry-pick or revert of several commits",
}


@dataclass(frozen=True)
class Head:
    """The branch that HEAD names, and the commit it is at; None before the first commit."""

    ref: str
    commit: str | None


@dataclass(frozen=True)
class Place:
    """Where the next commit of a profile goes."""

    repository: Repository
    head: Head


def find_repository(home: Path, data: Path, profile: str) -> Repository:
    """The profile's own repository when its home is the top of one, else a bare one of ours, created when absent.

    A bigger repository around the home is left alone. The caller holds the profile lock. Raises GitUnavailable,
    GitRefused.
    """
    if own := own_repository(home):
        return own
    git_dir = _bare_git_dir(data, profile)
    if not (git_dir / "HEAD").exists():
        _create_bare(git_dir)
    return Repository(git_dir, own=False)


def own_repository(home: Path) -> Repository | None:
    """The profile's own repository, if its home is the top of one. Raises GitUnavailable, GitRefused."""
    return Repository(_own_git_dir(home), own=True) if os.path.lexists(home / ".git") else None


def repository_at(git_dir: Path, data: Path, profile: str) -> Repository:
    """The repository that :func:`find_repository` once found, as it was found then."""
    return Repository(git_dir, own=git_dir.resolve() != _bare_git_dir(data, profile).resolve())


def find_place(home: Path, data: Path, profile: str) -> Place:
    """Where the next commit goes, when one can be made now. Raises GitRefused, GitUnavailable."""
    repository = find_repository(home, data, profile)
    return Place(repository, check_ready(repository))


def find_place_again(home: Path, data: Path, profile: str, applied_in: str | None) -> Place:
    """Where a revert goes: the history of ours that has the change, even when the home has got a repository since.

    ``applied_in`` is the git directory of the change's own commit. Raises GitRefused, GitUnavailable.
    """
    ours = _bare_git_dir(data, profile)
    if applied_in and Path(applied_in).resolve() == ours.resolve() and (ours / "HEAD").exists():
        repository = Repository(ours, own=False)
        return Place(repository, check_ready(repository))
    return find_place(home, data, profile)


def check_ready(repository: Repository) -> Head:
    """The branch to commit on. Raises GitRefused during a merge and the like or on a detached HEAD, GitUnavailable."""
    ref = _branch(repository)
    return Head(ref, _resolve(repository, ref))


def blob_id(repository: Repository, content: bytes | None) -> str | None:
    """The name git gives to ``content``, byte for byte, without storing it."""
    if content is None:
        return None
    return line(git(repository, "hash-object", "--no-filters", "--stdin", stdin=content))


def prepare_commit(
    repository: Repository,
    parent: str | None,
    relpath: PurePosixPath,
    content: bytes | None,
    mode: int | None,
    message: str,
    token: str,
) -> str:
    """Store a commit that changes exactly one file on top of ``parent``; no ref moves yet. Returns its name."""
    with git_index.private(repository, token) as index:
        if parent is not None:
            git(repository, "read-tree", parent, env=index)
        if content is not None:
            blob = line(git(repository, "hash-object", "-w", "--no-filters", "--stdin", stdin=content))
            git_index.put(repository, relpath, Entry(_git_mode(mode), blob), index)
        elif parent is not None:
            git_index.take_out(repository, relpath, parent, index)
        tree = line(git(repository, "write-tree", env=index))
    parents = [] if parent is None else ["-p", parent]
    return line(git(repository, "commit-tree", tree, *parents, stdin=message.encode("utf-8", "replace")))


def publish(
    repository: Repository,
    head: Head,
    commit: str,
    relpath: PurePosixPath,
    base: bytes | None,
    token: str,
) -> None:
    """Move the branch from ``head`` to ``commit``, by compare-and-swap, and bring the user's index entry along.

    ``base`` is the file as it was before. The user's index is locked meanwhile as git itself does it, so that no
    commit of theirs can fall between the two and take our change back. Raises GitRefused when the branch moved or
    somebody else holds the index, GitUnavailable.
    """
    if not repository.own:
        _move_ref(repository, head, commit)
        reached(Point.REF_MOVED)
        return
    with git_index.locked(repository, token):
        reached(Point.INDEX_LOCKED)
        if _branch(repository) != head.ref:  # nobody can switch branches from here on
            raise GitRefused(f"{head.ref} in {repository.git_dir} was left just now. Try again.")
        copy = git_index.updated(repository, head.commit, commit, relpath, blob_id(repository, base), token)
        reached(Point.INDEX_PREPARED)
        _move_ref(repository, head, commit)
        reached(Point.REF_MOVED)
        git_index.install(repository, copy)
        reached(Point.INDEX_MOVED)


def settle_index(
    repository: Repository,
    parent: str | None,
    commit: str,
    relpath: PurePosixPath,
    base: bytes | None,
    token: str,
) -> None:
    """After a kill: finish what :func:`publish` does to the user's index. Does nothing when that was done.

    Raises GitRefused, GitUnavailable.
    """
    if not repository.own:
        return
    with git_index.locked(repository, token):
        reached(Point.INDEX_LOCKED)
        copy = git_index.updated(repository, parent, commit, relpath, blob_id(repository, base), token)
        reached(Point.INDEX_PREPARED)
        git_index.install(repository, copy)
        reached(Point.INDEX_MOVED)


def contains(repository: Repository, ref: str, commit: str) -> bool:
    """Whether the branch ``ref`` has ``commit`` in its history. Raises GitUnavailable when that cannot be told."""
    if not repository.git_dir.exists():
        return False
    asked = git(repository, "merge-base", "--is-ancestor", commit, ref, check=False)
    if asked.returncode <= 1:
        return asked.returncode == 0
    is_there = git(repository, "cat-file", "-e", f"{commit}^{{commit}}", check=False).returncode == 0
    if _resolve(repository, ref) and is_there:
        raise GitUnavailable(f"The history of {ref} in {repository.git_dir} cannot be read: {complaint(asked)}")
    return False


def record_as_found(repository: Repository, relpath: PurePosixPath, content: bytes, mode: int | None) -> str | None:
    """In a repository of ours, commit a file as it stands before its first change, so that the diff reads well.

    Returns the branch's commit. The profile's own repository is never touched by this.
    """
    head = check_ready(repository)
    if repository.own or _matches(repository, head.commit, relpath, content):
        return head.commit
    message, token = f"Record {relpath} as it stands\n", "found"
    git_index.release(repository, token)  # of one that was killed here
    commit = prepare_commit(repository, head.commit, relpath, content, mode, message, token)
    _move_ref(repository, head, commit)
    return commit


def _own_git_dir(home: Path) -> Path:
    # Without the ceiling git would take a bigger repository around the home when the one in it is broken.
    only_here = {"GIT_CEILING_DIRECTORIES": str(home.parent)}
    asked = ["-C", str(home), "rev-parse", "--is-bare-repository", "--absolute-git-dir"]
    answer = run(asked, env=only_here, check=False)
    if answer.returncode != 0:
        raise GitUnavailable(f"The repository in {home} is broken: {complaint(answer)} Repair it, then try again.")
    bare, git_dir = answer.stdout.decode(errors="surrogateescape").splitlines()
    if bare == "true":
        raise GitRefused(f"The repository in {home} is bare and has no work tree to commit from.")
    _check_ours(home, Path(git_dir))
    return Path(git_dir)


def _check_ours(home: Path, git_dir: Path) -> None:
    """A ``.git`` that only points somewhere must be pointed back at, as git does for a linked work tree."""
    pointer = home / ".git"
    if pointer.is_dir() and not pointer.is_symlink():
        return
    back = git_dir / "gitdir"
    if pointer.is_symlink() or not back.is_file() or Path(back.read_text(encoding="utf-8").strip()) != pointer:
        raise GitRefused(f"{pointer} points at {git_dir}, the repository of another folder. Remove it, then try again.")


def _bare_git_dir(data: Path, profile: str) -> Path:
    return data / "git" / f"{profile}.git"


def _create_bare(git_dir: Path) -> None:
    fresh = git_dir.with_name(f"{git_dir.name}.new")
    with writing(git_dir):
        git_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if fresh.exists():
            shutil.rmtree(fresh)
        run(["init", "--quiet", "--bare", "--template=", str(fresh)])
        run(["--git-dir", str(fresh), "symbolic-ref", "HEAD", "refs/heads/main"])
        fresh.rename(git_dir)


def _branch(repository: Repository) -> str:
    for name, what in _UNFINISHED.items():
        if (repository.git_dir / name).exists():
            raise GitRefused(f"{repository.git_dir} is in the middle of {what}. Finish or abort it, then try again.")
    named = git(repository, "symbolic-ref", "-q", "HEAD", check=False)
    if named.returncode == 1:
        raise GitRefused(f"{repository.git_dir} is on a detached HEAD. Check out a branch, then try again.")
    if named.returncode != 0:
        raise GitUnavailable(f"The repository {repository.git_dir} is broken: {complaint(named)} Repair it first.")
    return line(named)


def _resolve(repository: Repository, ref: str) -> str | None:
    """The commit a ref is at; None when it has none yet. Raises GitUnavailable when it points at nothing readable."""
    found = git(repository, "rev-parse", "-q", "--verify", f"{ref}^{{commit}}", check=False)
    if found.returncode == 0:
        return line(found)
    if _names_something(repository, ref):
        raise GitUnavailable(f"{ref} in {repository.git_dir} points at nothing readable. Repair it, then try again.")
    return None


def _names_something(repository: Repository, ref: str) -> bool:
    if git(repository, "rev-parse", "-q", "--verify", ref, check=False).returncode == 0:
        return True
    file = line(git(repository, "rev-parse", "--git-path", ref))
    return repository.git_dir.joinpath(file).exists()


def _matches(repository: Repository, commit: str | None, relpath: PurePosixPath, content: bytes) -> bool:
    entry = entry_at(repository, commit, relpath)
    return entry is not None and entry.blob == blob_id(repository, content)


def _move_ref(repository: Repository, head: Head, commit: str) -> None:
    step = ("update-ref", "-m", "ratchet", head.ref, commit, head.commit or "0" * len(commit))
    moved = git(repository, *step, check=False)
    if moved.returncode != 0 and _drop_stale_locks(repository):
        moved = git(repository, *step, check=False)
    if moved.returncode != 0:
        raise GitRefused(
            f"The branch {head.ref} moved meanwhile or is locked: {complaint(moved)} If this names a lock file and no "
            "git is running, delete that file; then try again."
        )


def _drop_stale_locks(repository: Repository) -> bool:
    """In a repository of ours no other git is running now, so a lock was left by one that was killed with us."""
    if repository.own:
        return False
    stale = [*repository.git_dir.glob("HEAD.lock"), *(repository.git_dir / "refs").rglob("*.lock")]
    with writing(repository.git_dir):
        for lock in stale:
            lock.unlink(missing_ok=True)
    return bool(stale)


def _git_mode(mode: int | None) -> str:
    return "100755" if (mode or 0) & 0o100 else "100644"
