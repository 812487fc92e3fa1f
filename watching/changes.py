"""A change that no experiment made, as it is told: what, when, by whom probably, and how much; never the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ..clock import stamp
from ..errors import StoreCorrupt
from ..ratchet import blobs, events
from ..ratchet.context import Context
from ..ratchet.events import Event
from . import difference
from .authorship import Author
from .listing import Kind
from .records import Version

if TYPE_CHECKING:
    from sqlalchemy import Connection

KIND = "file.external_change"
"""The event that tells of one."""


class What(StrEnum):
    """What happened to the file."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    LINKED = "replaced by a link"
    NOT_PLAIN = "no plain file any more"


@dataclass(frozen=True)
class Change:
    """One change that nobody proposed. ``relpath`` has odd characters escaped.

    The SHA-256 values are None where no plain file was; ``author`` is a guess, ``facts`` its grounds. ``added`` and
    ``removed`` count lines, None where one side's bytes are not at hand. ``changed_at`` is the file system's word.
    """

    event_id: int
    profile: str
    relpath: str
    what: str
    old_sha256: str | None
    new_sha256: str | None
    noticed_at: str
    changed_at: str | None
    author: str
    facts: dict[str, str] = field(default_factory=dict)
    added: int | None = None
    removed: int | None = None


def payload(
    relpath: str, old: Version, new: Version, sides: tuple[bytes | None, bytes | None], author: Author, at_ns: int
) -> dict[str, Any]:
    """What the event says; ``sides`` are the bytes before and after as far as they are at hand."""
    before, after = sides
    found = None if before is None or after is None else difference.summary(before, after)
    return {
        "relpath": relpath,
        "what": what(old, new).value,
        "old_sha256": old.sha256,
        "new_sha256": new.sha256,
        "old_kind": str(old.kind),
        "new_kind": str(new.kind),
        "changed_at": _moment(at_ns),
        "author": author.who.value,
        "facts": author.facts,
        **(asdict(found) if found else {}),
    }


def what(old: Version, new: Version) -> What:
    """What happened between two versions of a file."""
    if new.kind == Kind.ABSENT:
        return What.DELETED
    if new.kind in (Kind.LINK, Kind.HARD_LINK):
        return What.LINKED
    if new.kind != Kind.FILE:
        return What.NOT_PLAIN
    return What.CREATED if old.kind == Kind.ABSENT else What.CHANGED


def from_event(event: Event) -> Change:
    """The change an event tells of."""
    said = event.payload
    return Change(
        event.id,
        event.profile or "",
        said["relpath"],
        said["what"],
        said["old_sha256"],
        said["new_sha256"],
        event.created_at,
        said["changed_at"],
        said["author"],
        said["facts"],
        said.get("added"),
        said.get("removed"),
    )


def load(context: Context, event_ids: Sequence[int]) -> list[Change]:
    """The changes that these events tell of."""
    with context.store.read() as tx:
        found = [event for number in event_ids for event in events.since(tx, number - 1, 1) if event.id == number]
    return [from_event(event) for event in found if event.kind == KIND]


def kept(tx: Connection, version: Version) -> bytes | None:
    """The bytes of a version as far as they were kept; absence is empty, what is no plain file has none."""
    if version.kind == Kind.ABSENT:
        return b""
    try:
        return blobs.load(tx, version.sha256)
    except StoreCorrupt:  # not kept, or not any more what it was
        return None


def _moment(at_ns: int) -> str | None:
    try:
        return stamp(datetime.fromtimestamp(at_ns / 1e9, UTC)) if at_ns else None
    except (ValueError, OverflowError, OSError):  # a file system may claim any year
        return None
