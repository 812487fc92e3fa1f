"""Compares what stands under the guarded names now with what was last seen, and takes out what we did ourselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from .. import clock
from ..errors import DiskFailed, PathRefused
from ..ratchet.blobs import digest
from ..ratchet.context import Context
from ..ratchet.files.guarded_file import read_file
from . import records
from .listing import Found, Kind, Listing, find, list_guarded
from .records import ABSENT, Known, Own, Standing, Version
from .scope import Scope

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MAX_BYTES_READ = 64 << 20
_RACY_NS = 2_000_000_000  # a file changed this recently may change again without its times showing it
_PAUSE = timedelta(seconds=60)

Step = tuple[Version, Version]


@dataclass(frozen=True)
class Before:
    """What the store knows of a profile when a look begins."""

    standing: Standing | None
    files: dict[str, Known]
    own: dict[str, list[Own]]
    newest: dict[str, int]
    under_way: dict[str, int]

    @property
    def settled_operation(self) -> int:
        """Up to this id no file operation is still to be accounted for; 0 when there was none."""
        return min([max(self.newest.values(), default=0), *(number - 1 for number in self.under_way.values())])


@dataclass(frozen=True)
class Sighting:
    """One file that needs a second look: what it was, what it is, and the steps between that nobody proposed."""

    name: str
    path: str
    known: Known | None
    version: Version
    content: bytes | None
    stat: str
    changed_ns: int
    own: tuple[Own, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Look:
    """What one look at a profile found. ``is_first``: files never seen before are taken as they are.

    ``names`` is how many are watched, ``limited`` whether there were more; ``finished`` when none was left for later.
    """

    before: Before
    scope: Scope
    sightings: tuple[Sighting, ...]
    is_first: bool
    names: int
    limited: bool
    finished: bool


def look(context: Context, profile: str) -> Look:
    """Compare a profile's files with the store. Raises UnknownProfile, DiskFailed when the home cannot be read."""
    home, scope = context.home(profile), Scope(context.settings.changes)
    with context.store.read() as tx:
        before = take_stock(tx, profile)
    is_first = before.standing is None or not before.standing.complete or before.standing.scope != scope.fingerprint
    try:
        started_ns = time.time_ns()
        listing = list_guarded(home, scope)
        suspects = [one for one in _all(home, before, listing) if _is_suspect(*one, before)]
    except OSError as error:
        raise DiskFailed(f"The home of profile '{profile}' cannot be read: {error.strerror}.") from error
    seen, left = _read_all(home, scope, suspects, started_ns)
    judged = (_judge(one, before, is_first) for one in seen)
    needed = tuple(one for one in judged if _is_news(one))
    return Look(before, scope, needed, is_first, len(listing.found), listing.limited, finished=not left)


def take_stock(tx: Connection, profile: str) -> Before:
    """What the store knows of a profile."""
    return Before(
        records.standing(tx, profile),
        records.known_files(tx, profile),
        records.own_changes(tx, profile),
        records.newest_operations(tx, profile),
        records.under_way(tx, profile),
    )


def _all(home: Path, before: Before, listing: Listing) -> Iterator[tuple[str, Found]]:
    """Every name that is there, then every name that was known and is not listed any more."""
    listed = {records.shown(path): found for path, found in listing.found.items()}
    yield from listed.items()
    for name in sorted((before.files.keys() | before.own.keys()) - listed.keys()):
        path, known = records.path_of(name), before.files.get(name)
        is_guarded = listing.scope.holds(path)
        if is_guarded or (known and known.kind in (Kind.LINK, Kind.UNREADABLE) and listing.scope.enters(path)):
            found = find(home, path, listing.scope)
            if found and found.kind is Kind.OTHER and not is_guarded:  # the folder that a link stood for is back
                found = Found(path, Kind.ABSENT)
            if found:
                yield name, found


def _is_suspect(name: str, found: Found, before: Before) -> bool:
    """Whether more must be known about a file than its facts."""
    known = before.files.get(name)
    if known is None or name in before.own:
        return True
    if found.kind is Kind.FILE:
        return known.kind != Kind.FILE or not known.stat or known.stat != found.stat
    return known.version != Version(found.kind, found.mark)


def _read_all(
    home: Path, scope: Scope, suspects: list[tuple[str, Found]], started_ns: int
) -> tuple[list[Sighting], int]:
    """The suspects read, and how many were left for the next look."""
    seen: list[Sighting] = []
    budget = _MAX_BYTES_READ
    for place, (name, found) in enumerate(suspects):
        budget -= found.size if found.kind is Kind.FILE else 0
        if budget < 0:
            return seen, len(suspects) - place
        try:
            version, content = _read(home, scope, found)
        except PathRefused:  # it became something else just now: the next look sees what
            continue
        is_settled = version.kind == Kind.FILE and started_ns - found.changed_ns > _RACY_NS
        stat = found.stat if is_settled else ""
        seen.append(Sighting(name, found.relpath, None, version, content, stat, found.changed_ns))
    return seen, 0


def _read(home: Path, scope: Scope, found: Found) -> tuple[Version, bytes | None]:
    if found.kind is not Kind.FILE:
        return Version(found.kind, found.mark), None
    try:
        content = read_file(home, PurePosixPath(found.relpath), scope.limits.max_file_bytes).content
    except DiskFailed:
        return Version(Kind.UNREADABLE, digest(found.stat.encode())), None
    return records.of_bytes(digest(content)), content


def _judge(seen: Sighting, before: Before, is_first: bool) -> Sighting:
    """The same with its past: our own operations explain some of it, the rest are steps that nobody proposed."""
    known, own = before.files.get(seen.name), tuple(before.own.get(seen.name, ()))
    if known is None and not own and is_first:
        return seen
    current, steps = known.version if known else ABSENT, list[Step]()
    for operation in own:
        if operation.expected != current:
            steps.append((current, operation.expected))
        current = operation.new
    if seen.version != current:
        steps.append((current, seen.version))
    return replace(seen, known=known, own=own, steps=tuple(steps))


def _is_news(seen: Sighting) -> bool:
    """Whether anything is to be written; a file that changes all the time is told of once in a while."""
    known = seen.known
    if known is None or seen.own:
        return True
    if seen.steps and known.event_id is not None:
        return clock.parse(known.seen_at) < clock.now() - _PAUSE
    return bool(seen.steps) or seen.stat != known.stat
