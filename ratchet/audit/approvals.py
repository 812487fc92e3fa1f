"""Was every approval signed? Asked of the rows long after: a link of the chain can be forged, a signature cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..._db import driver
from ...reviewing import reviewers
from ...reviewing.keys import verifies
from ...reviewing.payload import Claim, Purpose, parse
from ...reviewing.refusals import PayloadRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_REVIEWERS = "SELECT payload FROM reviewer_changes ORDER BY id"
_APPROVED = (
    "SELECT t.id, e.id, e.profile, e.target_relpath, e.base_sha256, e.candidate_sha256"
    " FROM experiment_state_transitions t JOIN experiments e ON e.id = t.experiment_id"
    " WHERE t.to_state = 'approved' AND t.id > ? ORDER BY t.id"
)
_SIGNED = (
    "SELECT s.payload, s.signature FROM approvals a JOIN signatures s ON s.nonce = a.nonce"
    " WHERE a.experiment_id = ? AND a.mode = 'signed'"
)
_APPROVING = (Purpose.APPROVE, Purpose.OVERRIDE)


def unsigned_steps(tx: Connection) -> Iterator[tuple[int, str]]:
    """The id of each transition to approved, since there are reviewers, that no reviewer signed; and what is wrong.

    The log of reviewers itself comes first, as transition 0.

    Whoever was ever a reviewer counts: who they were at that moment, the log of reviewers and its fingerprint say.
    """
    if problem := reviewers.load(tx).problem:
        yield 0, f"the log of reviewers was tampered with: {problem}"
    changes = [parse(payload) for (payload,) in driver(tx).execute(_REVIEWERS).fetchall() if _is_payload(payload)]
    if not changes:
        return
    keys = {change.claim.key for change in changes}
    first = int(changes[0].audit_head.partition(" ")[0])
    for step, number, *change in driver(tx).execute(_APPROVED, (first,)).fetchall():
        rows = driver(tx).execute(_SIGNED, (number,)).fetchall()
        if not any(_signs(payload, signature, keys, (number, *change)) for payload, signature in rows):
            yield step, f"experiment {number} became approved without a reviewer's signature"


def _signs(payload: str, signature: str, keys: set[str | None], change: tuple[object, ...]) -> bool:
    if not _is_payload(payload):
        return False
    signed = parse(payload)
    return (
        signed.claim.purpose in _APPROVING
        and _change(signed.claim) == change
        and signed.signer in keys
        and verifies(signed.signer, signed.message(), signature)
    )


def _change(claim: Claim) -> tuple[object, ...]:
    return claim.experiment, claim.profile, claim.relpath, claim.base_sha256, claim.candidate_sha256


def _is_payload(text: str) -> bool:
    try:
        parse(text)
    except PayloadRefused:
        return False
    return True
