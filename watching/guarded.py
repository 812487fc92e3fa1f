"""Sees to it that no guarded file changes unseen: what no experiment changed becomes an event and a status line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from .. import clock
from ..ratchet import blobs, events
from ..ratchet.context import Context
from . import authorship, changes, records
from .authorship import NOBODY_KNOWN, Author, Edit, Who
from .changes import Change
from .commits import committed_by
from .listing import Kind
from .records import ABSENT, Known, Standing, Version
from .sightings import Before, Look, Sighting, look, take_stock
from .traces import Traces

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CHANGES_A_LOOK = 20
_FILES_A_TRANSACTION = 100
_BYTES_KEPT = 64 << 20  # of one profile in an hour: whoever rewrites files all day must not fill the disk
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Watched:
    """What one look found. ``files`` are watched; when ``limited`` there are more, which are not."""

    changes: tuple[Change, ...]
    files: int
    limited: bool


def watch(context: Context, profile: str) -> Watched:
    """Look once at every guarded file of a profile; the first look only remembers. Cheap when nothing changed.

    Raises UnknownProfile, DiskFailed, StoreUnavailable.
    """
    found = look(context, profile)
    chosen = _chosen(found)
    prepared = list(_explained(context, profile, chosen))
    purse = _Purse.of(found.before.standing)
    numbers: list[int] = []
    left_over = len(found.sightings) - len(chosen)
    for start in range(0, len(prepared), _FILES_A_TRANSACTION):
        with context.store.write() as tx:
            today = take_stock(tx, profile)
            for sighting, told in prepared[start : start + _FILES_A_TRANSACTION]:
                noted = _note(tx, profile, found.before, today, sighting, told, purse)
                left_over += noted is None
                numbers += noted or []
    _note_standing(context, profile, found, purse, finished=found.finished and not left_over)
    return Watched(tuple(changes.load(context, numbers)), found.names, found.limited)


@dataclass
class _Purse:
    """How many bytes of changed files may still be kept."""

    spent: int
    since: str

    @classmethod
    def of(cls, standing: Standing | None) -> _Purse:
        if standing is None or clock.parse(standing.kept_since) < clock.now() - _HOUR:
            return cls(0, clock.stamp())
        return cls(standing.kept_bytes, standing.kept_since)

    def keep(self, tx: Connection, content: bytes | None) -> None:
        if content is not None and self.spent + len(content) <= _BYTES_KEPT:
            blobs.keep(tx, content)
            self.spent += len(content)


def _chosen(found: Look) -> list[Sighting]:
    """Everything to write now: the first changes, and whatever is no change; the rest is seen again next time."""
    changed = [one.name for one in found.sightings if one.steps]
    later = set(changed[_CHANGES_A_LOOK:])
    return [one for one in found.sightings if one.name not in later]


def _explained(
    context: Context, profile: str, sightings: list[Sighting]
) -> Iterator[tuple[Sighting, list[dict[str, Any]]]]:
    """Each sighting with what its events will say; done before the store is written, because it takes a while."""
    home = context.home(profile)
    traces = Traces(home)
    for one in sightings:
        told: list[dict[str, Any]] = []
        for old, new in one.steps:
            is_last = new == one.version
            at_ns = _changed_ns(home, one) if is_last else 0
            author = _author(context, profile, home, one, at_ns, traces) if is_last else NOBODY_KNOWN
            with context.store.read() as tx:
                sides = (_known_content(tx, old, one), _known_content(tx, new, one))
            told.append(changes.payload(one.name, old, new, sides, author, at_ns))
        yield one, told


def _author(context: Context, profile: str, home: Path, seen: Sighting, at_ns: int, traces: Traces) -> Author:
    guess = authorship.from_traces(Edit(home, PurePosixPath(seen.path), at_ns / 1e9), traces)
    if guess.who is Who.PERSON_OR_UNKNOWN and seen.version.kind in (Kind.FILE, Kind.ABSENT):
        return committed_by(context, profile, home, PurePosixPath(seen.path), seen.content) or guess
    return guess


def _changed_ns(home: Path, seen: Sighting) -> int:
    """When it happened; the folder a file was deleted from remembers that in the file's stead."""
    if seen.changed_ns:
        return seen.changed_ns
    for folder in PurePosixPath(seen.path).parents:
        try:
            return os.stat(home / folder, follow_symlinks=False).st_mtime_ns
        except OSError:
            continue
    return 0


def _note(
    tx: Connection,
    profile: str,
    before: Before,
    today: Before,
    seen: Sighting,
    told: list[dict[str, Any]],
    purse: _Purse,
) -> list[int] | None:
    """Write one sighting down. Returns the ids of its events; None when somebody was at the file meanwhile."""
    operation_id = before.newest.get(seen.name, 0)
    if seen.name in today.under_way or today.newest.get(seen.name, 0) != operation_id:
        return None
    if today.files.get(seen.name) != before.files.get(seen.name):
        return None
    purse.keep(tx, seen.content)
    numbers = [_emit(tx, profile, one) for one in told]
    records.put(tx, _remembered(profile, seen, numbers, operation_id))
    return numbers


def _remembered(profile: str, seen: Sighting, numbers: list[int], operation_id: int) -> Known:
    known = seen.known
    if known is None and not seen.own and not seen.steps:
        return records.first_seen(profile, seen.name, seen.version, seen.stat, operation_id)
    waiting = known.event_id if known else None
    accepted = known.accepted if known else ABSENT
    if seen.own and (waiting is None or seen.own[-1].forced):  # who signs a force has seen what is written over
        accepted = seen.own[-1].new
    waiting = numbers[-1] if numbers else waiting
    is_same = known is not None and known.version == seen.version
    return Known(
        profile,
        seen.name,
        seen.version.kind,
        seen.version.mark,
        seen.stat,
        operation_id,
        known.seen_at if known and is_same else clock.stamp(),
        accepted.kind,
        accepted.mark,
        None if seen.version == accepted else waiting,
    )


def _emit(tx: Connection, profile: str, told: dict[str, Any]) -> int:
    events.emit(tx, changes.KIND, profile=profile, **told)
    return int(tx.exec_driver_sql("SELECT max(id) FROM events").scalar_one())


def _note_standing(context: Context, profile: str, found: Look, purse: _Purse, *, finished: bool) -> None:
    before = found.before.standing
    kept = (before.kept_bytes, before.kept_since) if before and not purse.spent else (purse.spent, purse.since)
    first_operation = before.operation_id if before else found.before.settled_operation
    complete = finished or not found.is_first
    now = Standing(profile, found.scope.fingerprint, int(complete), int(found.limited), first_operation, *kept)
    if now == before:
        return
    with context.store.write() as tx:
        records.put_standing(tx, now)
        if before is None or before.limited != now.limited:
            events.emit(tx, "watch.limited" if found.limited else "watch.started", profile=profile, files=found.names)
        elif before.scope != now.scope:
            events.emit(tx, "watch.scope", profile=profile, old=before.scope, new=now.scope)


def _known_content(tx: Connection, version: Version, seen: Sighting) -> bytes | None:
    return seen.content if version == seen.version else changes.kept(tx, version)
