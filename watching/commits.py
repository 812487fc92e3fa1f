"""Whether a changed file is what a commit in the profile's own repository holds, and whose commit that is."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ..errors import RatchetError
from ..ratchet.context import Context
from ..ratchet.git import history, index
from ..ratchet.git.command import Repository, git, line
from .authorship import Author, Who

_MAX_NAME = 80


def committed_by(
    context: Context, profile: str, home: Path, relpath: PurePosixPath, now: bytes | None
) -> Author | None:
    """The commit that the file (``now``; None when it is gone) agrees with; None when there is none, or no telling."""
    if not (home / ".git").exists() or not str(relpath).isprintable():
        return None
    try:
        repository = history.find_repository(home, context.data, profile)
        return _committed(repository, relpath, now)
    except RatchetError:
        return None


def _committed(repository: Repository, relpath: PurePosixPath, now: bytes | None) -> Author | None:
    head = history.check_ready(repository).commit
    entry = index.entry_at(repository, head, relpath)
    if head is None or (entry.blob if entry else None) != history.blob_id(repository, now):
        return None
    literal = {"GIT_LITERAL_PATHSPECS": "1"}
    newest = line(git(repository, "rev-list", "-1", head, "--", str(relpath), env=literal))
    return Author(Who.GIT, {"commit": newest, "name": _author_name(repository, newest)}) if newest else None


def _author_name(repository: Repository, commit: str) -> str:
    """The name in the commit, as far as a screen may show it: anybody can write anything there."""
    for stated in git(repository, "cat-file", "commit", commit).stdout.decode("utf-8", "replace").splitlines():
        if stated.startswith("author "):
            name = stated.removeprefix("author ").split(" <")[0]
            return "".join(c for c in name if c.isprintable())[:_MAX_NAME]
    return ""
