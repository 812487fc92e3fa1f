"""Who once named a link of the audit chain: approvals, signatures, commits, and the note beside the database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ... import host
from ..._db import Store, driver
from ...errors import GitRefused, GitUnavailable
from ...reviewing import payload
from ...reviewing.refusals import PayloadRefused
from ..context import Context
from ..git import history
from ..git.command import Repository, git
from . import chain as audit

if TYPE_CHECKING:
    from sqlalchemy import Connection

NOTHING_BESIDE = "0 "
"""What the note beside a database says before the first link, and when somebody emptied it."""

_COMMITS = (
    "SELECT commit_sha FROM file_operations UNION SELECT apply_commit_sha FROM experiments"
    " UNION SELECT revert_commit_sha FROM experiments"
)
_HEAD = re.compile(r"0 |([1-9][0-9]{0,15}) ([0-9a-f]{64})")
_LINE = "%H%x09" + "%x09".join(
    f"%(trailers:key=Ratchet-Audit-{key},valueonly,separator=%x2C)" for key in ("Chain", "Head")
)
_LOG = ("log", "--all", "--no-show-signature", "--fixed-strings", f"--format={_LINE}")


@dataclass(frozen=True)
class Witness:
    """Something outside of the chain that names one of its links, as ``id hash``; ``0 `` before the first link."""

    name: str
    head: str
    commit: str = ""
    """The commit's full name, for one: only what our journal knows of proves that rows were changed."""

    def link(self) -> tuple[int, str]:
        """The id and the hash. Raises ValueError when it names none."""
        found = _HEAD.fullmatch(self.head)
        if found is None:
            raise ValueError(f"{self.name} names no transition")
        return (int(found[1]), found[2]) if found[1] else (0, "")


@dataclass(frozen=True)
class History:
    """What the profiles' repositories say, and which of them could not be asked, and why."""

    witnesses: tuple[Witness, ...] = ()
    unread: tuple[str, ...] = ()


def beside(store: Store) -> Witness:
    """The note beside the database. Read it before the rows: while others write, it may be ahead of them later."""
    head = store.anchor().head
    return Witness("this database", f"{head.id or 0} {head.hash}")


def in_database(tx: Connection) -> Iterator[Witness]:
    """Approvals and all that was ever signed."""
    for number, head in driver(tx).execute("SELECT id, audit_head FROM approvals ORDER BY id"):
        yield Witness(f"approval {number}", str(head))
    for table, what in (("signatures", "signature"), ("reviewer_changes", "reviewer change")):
        for number, text in driver(tx).execute(f"SELECT id, payload FROM {table} ORDER BY id"):
            yield Witness(f"{what} {number}", _signed_head(str(text)))


def own_commits(tx: Connection) -> frozenset[str]:
    """The full names of all commits that our own file operations made."""
    return frozenset(str(row[0]) for row in driver(tx).execute(_COMMITS) if row[0])


def in_history(context: Context) -> History:
    """The commits of this chain in the repositories of all profiles, their own and those that we keep for them."""
    with context.store.read() as tx:
        chain = audit.chain_name(tx)
    witnesses: list[Witness] = []
    unread: list[str] = []
    for name, find in _repositories(context) if chain else ():
        try:
            repository = find()
            witnesses += _commits(repository, chain) if repository else []
        except (GitUnavailable, GitRefused) as error:
            unread.append(f"{name}: {error.message}")
    return History(tuple(witnesses), tuple(unread))


def _signed_head(text: str) -> str:
    try:
        return payload.parse(text).audit_head
    except PayloadRefused:
        return ""


def _repositories(context: Context) -> Iterator[tuple[str, Callable[[], Repository | None]]]:
    for profile in host.profiles():
        yield f"profile '{profile.name}'", partial(history.own_repository, profile.home)
    for git_dir in sorted((context.data / "git").glob("*.git")):
        yield str(git_dir), partial(Repository, git_dir, own=False)


def _commits(repository: Repository, chain: str) -> Iterator[Witness]:
    answer = git(repository, *_LOG, f"--grep=Ratchet-Audit-Chain: {chain}")
    for line in answer.stdout.decode("utf-8", "replace").splitlines():
        commit, _, trailers = line.partition("\t")
        named, _, head = trailers.partition("\t")
        if named == chain:  # and not only spoken of
            yield Witness(f"commit {commit[:12]} in {repository.git_dir}", head, commit)
