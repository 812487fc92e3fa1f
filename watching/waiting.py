"""Changes that nobody proposed and nobody has agreed to yet: the status line, the diff, and the agreement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from .. import host
from ..errors import Conflict, Forbidden, NotFound
from ..ratchet import events
from ..ratchet.actor import Actor
from ..ratchet.context import Context
from . import changes, difference, records
from .authorship import Who
from .changes import Change, What
from .commits import committed_by
from .records import Known, of_bytes

_COMMITS_LOOKED_UP = 5


class NoSuchChange(NotFound):
    """There is nothing to acknowledge."""

    code = "no_such_change"


def unacknowledged(context: Context, profile: str) -> list[Change]:
    """For the status line: files that are not as the last experiment, or the last person to agree, left them.

    Where nobody was known as the author, a commit made since may tell. Raises UnknownProfile.
    """
    home = context.home(profile)
    with context.store.read() as tx:
        waiting = [one for one in records.known_files(tx, profile).values() if one.event_id is not None]
    told = {one.event_id: one for one in changes.load(context, [one.event_id for one in waiting if one.event_id])}
    found = [_since_accepted(told[one.event_id], one) for one in waiting if one.event_id in told]
    return list(_with_commits(context, home, sorted(found, key=lambda change: change.event_id)))


def acknowledge(context: Context, profile: str, relpath: str, actor: Actor, *, event_id: int | None = None) -> Change:
    """A person agrees to a file as it is now, so that its status line goes away.

    With ``event_id`` only if nothing came after that change. Raises UnknownProfile, NoSuchChange, Conflict, Forbidden
    inside an agent's shell.
    """
    context.home(profile)
    if host.inside_agent():
        raise Forbidden("Only a person can agree to a change that nobody proposed. Run this in a shell of your own.")
    with context.store.write() as tx:
        known = records.known(tx, profile, relpath)
        if known is None or known.event_id is None:
            raise NoSuchChange(f"No change of '{relpath}' in profile '{profile}' waits for anybody.", profile=profile)
        if event_id not in (None, known.event_id):
            raise Conflict(f"'{relpath}' changed again since (event {known.event_id}). Look at it, then try again.")
        accepted = replace(known, event_id=None, accepted_kind=known.kind, accepted_sha256=known.sha256)
        records.put(tx, accepted)
        facts: dict[str, Any] = {
            "relpath": relpath,
            "event_id": known.event_id,
            "sha256": known.version.sha256,
            "actor": actor.name,
        }
        events.emit(tx, "file.acknowledged", profile=profile, **facts)
    return _since_accepted(changes.load(context, [known.event_id])[0], known)


def diff(context: Context, change: Change) -> str | None:
    """The change as a unified diff for a person's eyes; None where bytes were not kept or the two differ too much."""
    is_plain = (change.old_sha256 or change.what == What.CREATED, change.new_sha256 or change.what == What.DELETED)
    if not all(is_plain):
        return None
    with context.store.read() as tx:
        before, after = (changes.kept(tx, of_bytes(sha256)) for sha256 in (change.old_sha256, change.new_sha256))
    return None if before is None or after is None else difference.unified(before, after, change.relpath)


def _since_accepted(change: Change, known: Known) -> Change:
    """All changes since somebody last agreed, told as one, with the newest one's author."""
    if known.accepted.sha256 == change.old_sha256:
        return change
    what = changes.what(known.accepted, known.version).value
    return replace(change, what=what, old_sha256=known.accepted.sha256, added=None, removed=None)


def _with_commits(context: Context, home: Path, found: list[Change]) -> Iterator[Change]:
    left = _COMMITS_LOOKED_UP
    for change in found:
        if change.author != Who.PERSON_OR_UNKNOWN or not left:
            yield change
            continue
        left -= 1
        with context.store.read() as tx:
            now = changes.kept(tx, of_bytes(change.new_sha256))
        author = committed_by(context, change.profile, home, PurePosixPath(records.path_of(change.relpath)), now)
        yield replace(change, author=author.who.value, facts=author.facts) if author else change
