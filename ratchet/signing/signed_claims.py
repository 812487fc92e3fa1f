"""What reviewers signed about an experiment, read from the signed texts themselves: the columns beside them may lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import select

from ..._db import as_record, driver
from ...reviewing.keys import verifies
from ...reviewing.payload import Claim, Payload, Purpose, parse
from ...reviewing.refusals import PayloadRefused, ReviewersTampered, SignatureRefused
from ...reviewing.reviewers import Change, ReviewerSet, after
from ...schema.reviewing import reviewer_changes

if TYPE_CHECKING:
    from sqlalchemy import Connection

APPROVING = (Purpose.APPROVE, Purpose.OVERRIDE)
_FIRST_CHANGE = "SELECT payload FROM reviewer_changes ORDER BY id LIMIT 1"
_ABOUT = "SELECT payload, signature FROM signatures WHERE instr(payload, ?) > 0 ORDER BY id"
_APPROVED = (
    "SELECT id, reason FROM experiment_state_transitions WHERE experiment_id = ? AND to_state = 'approved'"
    " ORDER BY id DESC LIMIT 1"
)


def claims(tx: Connection, experiment_id: int, *purposes: Purpose) -> Iterator[Claim]:
    """What somebody who was ever a reviewer signed about an experiment for one of these purposes, oldest first."""
    reviewers = _ever_reviewers(tx)
    # Canonical JSON has no blanks, and a key follows this one.
    for text, signature in driver(tx).execute(_ABOUT, (f'"experiment":{experiment_id},',)).fetchall():
        payload = _readable(text)
        if payload is None or payload.claim.experiment != experiment_id or payload.claim.purpose not in purposes:
            continue
        if payload.signer in reviewers and verifies(payload.signer, payload.message(), signature):
            yield payload.claim


def must_exist(tx: Connection, experiment_id: int) -> bool:
    """Whether the approval of an experiment was given where a reviewer signs, as far as its history and theirs say."""
    step = driver(tx).execute(_APPROVED, (experiment_id,)).fetchone()
    if step is None:
        return False
    first = driver(tx).execute(_FIRST_CHANGE).fetchone()
    change = _readable(first[0]) if first else None
    since = int(change.audit_head.partition(" ")[0]) if change else None
    return str(step[1]).startswith("approved (signed)") or (since is not None and int(step[0]) > since)


def _ever_reviewers(tx: Connection) -> set[str]:
    """The keys that the log of reviewers ever let sign, up to a row that nobody was entitled to write."""
    current, found = ReviewerSet(), set[str]()
    for row in tx.execute(select(reviewer_changes).order_by(reviewer_changes.c.id)):
        try:
            current = after(current, as_record(Change, row))
        except (SignatureRefused, ReviewersTampered):
            break
        found |= {one.public_key for one in current.members}
    return found


def _readable(text: object) -> Payload | None:
    """None for a row that somebody made up: it must not keep a change from being taken back."""
    try:
        return parse(text) if isinstance(text, str) else None
    except PayloadRefused:
        return None
