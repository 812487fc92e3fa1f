"""Who may sign: the reviewers of today, folded from an append-only log in which each change is signed.

The first one is trusted because it is the first. Every later change must be signed by somebody who was a reviewer at
that moment; a reset starts anew, and shows: an event, and another fingerprint than the one that is pinned. A row that
nobody was entitled to write leaves no reviewers at all until such a reset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import select

from .._db import as_record
from ..errors import Forbidden
from ..schema.reviewing import reviewer_changes
from .keys import verifies
from .payload import Claim, Payload, Purpose, is_stamp, parse
from .refusals import NoReviewer, PayloadRefused, ReviewersChanged, ReviewersTampered, SignatureRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_WAY_OUT = "Find out who changed it, then set the reviewers up anew: hermes ratchet reviewer reset"


class Kind(StrEnum):
    """The changes there are. Only the first reviewer and a reset are signed by the key they bring in themselves."""

    SETUP = "setup"
    ADD = "add"
    ROTATE = "rotate"
    REMOVE = "remove"
    RESET = "reset"


@dataclass(frozen=True)
class Reviewer:
    """A person who may sign; ``public_key`` is 64 hex digits."""

    name: str
    public_key: str
    since: str


@dataclass(frozen=True)
class Change:
    """One row of the log. ``fingerprint`` is that of the set after it."""

    id: int
    kind: str
    payload: str
    signature: str
    nonce: str
    fingerprint: str
    principal: str
    created_at: str


@dataclass(frozen=True)
class ReviewerSet:
    """The reviewers after change ``last_change``. With a ``problem``, which names the row, there are none."""

    members: tuple[Reviewer, ...] = ()
    last_change: int = 0
    problem: str | None = None
    used: frozenset[str] = frozenset()

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the members' public keys, 32 bytes each, in ascending order."""
        return hashlib.sha256(b"".join(sorted(bytes.fromhex(one.public_key) for one in self.members))).hexdigest()

    def member(self, public_key: str) -> Reviewer | None:
        return next((one for one in self.members if one.public_key == public_key), None)

    def trouble(self, pin: str | None) -> Forbidden | None:
        """Why this set cannot be relied upon: rows nobody signed, nobody in it, or another set than the pinned one."""
        if self.problem:
            return ReviewersTampered(f"The log of reviewers was tampered with: {self.problem}. {_WAY_OUT}")
        if not self.members:
            return NoReviewer("No reviewer is set up, so nobody can sign. Run: hermes ratchet reviewer add NAME")
        if pin is not None and pin != self.fingerprint:
            return ReviewersChanged(
                f"The reviewers are not those that were pinned: their fingerprint is {self.fingerprint}, pinned is "
                f"{pin}. If you changed them, pin them anew (hermes ratchet install-service) and restart the daemon; "
                "else somebody else did, and 'hermes ratchet reviewer list' shows who can sign now.",
                fingerprint=self.fingerprint,
                pinned=pin,
            )
        return None


class _Unentitled(Exception):
    """What is wrong with one row."""


def load(tx: Connection) -> ReviewerSet:
    """Today's reviewers, every row of the log verified. Never raises for what the rows say: see ``problem``."""
    rows = tx.execute(select(reviewer_changes).order_by(reviewer_changes.c.id))
    found = fold(as_record(Change, row) for row in rows)
    numbered = tx.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'reviewer_changes'").scalar() or 0
    if numbered > found.last_change and not found.problem:
        return ReviewerSet(problem=f"rows {found.last_change + 1} to {numbered} are missing", last_change=numbered)
    return found


def require(tx: Connection, pin: str | None) -> ReviewerSet:
    """Today's reviewers. Raises ReviewersTampered, NoReviewer, ReviewersChanged (when they are not the pinned ones)."""
    found = load(tx)
    if trouble := found.trouble(pin):
        raise trouble
    return found


def fold(rows: Iterable[Change]) -> ReviewerSet:
    """The reviewers that a log leads to."""
    found = ReviewerSet()
    for row in rows:
        if not found.problem and row.id != found.last_change + 1:
            found = _broken(found, row.id - 1, f"rows {found.last_change + 1} to {row.id - 1} are missing")
        if found.problem and row.kind != Kind.RESET:
            continue
        try:
            found = _checked(found, row)
        except _Unentitled as why:
            found = _broken(found, row.id, f"row {row.id} ({row.kind}) {why}")
    return found


def after(before: ReviewerSet, change: Change) -> ReviewerSet:
    """The set that ``change`` would lead to, whatever fingerprint it states. Raises SignatureRefused, and why."""
    if before.problem and change.kind != Kind.RESET:
        raise ReviewersTampered(f"The log of reviewers was tampered with: {before.problem}. {_WAY_OUT}")
    try:
        return _entitled(before, change)
    except _Unentitled as why:
        raise SignatureRefused(f"This change of reviewers {why}.") from None


def _broken(before: ReviewerSet, last_change: int, problem: str) -> ReviewerSet:
    return ReviewerSet((), last_change, problem, before.used)


def _checked(before: ReviewerSet, row: Change) -> ReviewerSet:
    found = _entitled(before, row)
    if row.fingerprint != found.fingerprint:
        raise _Unentitled("states another fingerprint than its set has")
    return found


def _entitled(before: ReviewerSet, row: Change) -> ReviewerSet:
    payload = _signed(before, row)
    return ReviewerSet(_members(before, row, payload), row.id, None, before.used | {payload.nonce})


def _signed(before: ReviewerSet, row: Change) -> Payload:
    """The row's payload, after everything that does not depend on the kind of change was checked."""
    try:
        payload = parse(row.payload)
    except PayloadRefused as error:
        raise _Unentitled(f"holds no payload: {error.message}") from None
    if not verifies(payload.signer, payload.message(), row.signature):
        raise _Unentitled("is not signed by the key it names")
    if payload.nonce != row.nonce or payload.nonce in before.used:
        raise _Unentitled("repeats a signature that was used before")
    if payload.reviewers_sha256 != before.fingerprint:
        raise _Unentitled("was signed for another set of reviewers")
    if not is_stamp(row.created_at) or row.created_at > payload.expires_at:
        raise _Unentitled("was written after its signature had expired")
    return payload


def _members(before: ReviewerSet, row: Change, payload: Payload) -> tuple[Reviewer, ...]:
    claim, signer = payload.claim, before.member(payload.signer)
    _check_purpose(row, claim)
    if row.kind in (Kind.SETUP, Kind.RESET):
        return _founded(before, row, payload)
    if signer is None:
        raise _Unentitled("is not signed by a reviewer")
    if row.kind == Kind.REMOVE:
        return _without(before, str(claim.key))
    if before.member(str(claim.key)):
        raise _Unentitled("adds a key that is there already")
    if row.kind == Kind.ROTATE:
        return _rotated(before, row, claim, signer)
    if any(one.name == claim.name for one in before.members):
        raise _Unentitled("adds a name that is there already")
    return (*before.members, _newcomer(row, claim))


def _check_purpose(row: Change, claim: Claim) -> None:
    purpose = Purpose.REVIEWER_REMOVE if row.kind == Kind.REMOVE else Purpose.REVIEWER_ADD
    rotates = row.kind == Kind.ROTATE
    if claim.purpose is not purpose or (claim.replaces is not None) != rotates or row.kind not in list(Kind):
        raise _Unentitled("was signed for something else")


def _newcomer(row: Change, claim: Claim) -> Reviewer:
    return Reviewer(str(claim.name), str(claim.key), row.created_at)


def _founded(before: ReviewerSet, row: Change, payload: Payload) -> tuple[Reviewer, ...]:
    if payload.signer != payload.claim.key:
        raise _Unentitled("is not signed by the key it brings in")
    if row.kind == Kind.SETUP and before.last_change:
        raise _Unentitled("is a second first reviewer")
    return (_newcomer(row, payload.claim),)


def _rotated(before: ReviewerSet, row: Change, claim: Claim, signer: Reviewer) -> tuple[Reviewer, ...]:
    if claim.replaces != signer.public_key or claim.name != signer.name:
        raise _Unentitled("replaces the key of somebody else")
    return (*(one for one in before.members if one is not signer), _newcomer(row, claim))


def _without(before: ReviewerSet, public_key: str) -> tuple[Reviewer, ...]:
    rest = tuple(one for one in before.members if one.public_key != public_key)
    if len(rest) == len(before.members):
        raise _Unentitled("removes somebody who is no reviewer")
    if not rest:
        raise _Unentitled("would remove the last reviewer; rotate the key instead, or reset")
    return rest
