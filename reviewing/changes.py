"""Changes of who may sign: each is signed, checked by the rules of the log, and written in one transaction."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import insert

from .. import clock
from .._db import Store, audit_head
from ..schema.reviewing import reviewer_changes
from . import reviewers
from .keys import SigningKey
from .payload import Claim, Payload, Purpose
from .reviewers import Change, Kind, ReviewerSet

if TYPE_CHECKING:
    from sqlalchemy import Connection


def set_up(store: Store, key: SigningKey, name: str, principal: str) -> ReviewerSet:
    """Make ``key`` the first reviewer. Raises SignatureRefused when there was one before."""
    return _change(store, Kind.SETUP, _bringing_in(key.public_key, name), key, principal)


def add(store: Store, signer: SigningKey, public_key: str, name: str, principal: str) -> ReviewerSet:
    """Add a reviewer. Raises SignatureRefused: ``signer`` is none, or the name or the key is there already."""
    return _change(store, Kind.ADD, _bringing_in(public_key, name), signer, principal)


def rotate(store: Store, signer: SigningKey, public_key: str, name: str, principal: str) -> ReviewerSet:
    """Put a new key in the place of the signer's own. Raises SignatureRefused."""
    claim = replace(_bringing_in(public_key, name), replaces=signer.public_key)
    return _change(store, Kind.ROTATE, claim, signer, principal)


def remove(store: Store, signer: SigningKey, public_key: str, principal: str) -> ReviewerSet:
    """Remove a reviewer. Raises SignatureRefused, also for the last one."""
    claim = Claim(purpose=Purpose.REVIEWER_REMOVE, key=public_key)
    return _change(store, Kind.REMOVE, claim, signer, principal)


def reset(store: Store, key: SigningKey, name: str, principal: str) -> ReviewerSet:
    """Forget all reviewers and begin with ``key``, which nobody else vouches for. It leaves an event and a new
    fingerprint; whatever was signed before and is not applied yet becomes void.
    """
    return _change(store, Kind.RESET, _bringing_in(key.public_key, name), key, principal)


def _bringing_in(public_key: str, name: str) -> Claim:
    return Claim(purpose=Purpose.REVIEWER_ADD, key=public_key, name=name)


def _change(store: Store, kind: Kind, claim: Claim, signer: SigningKey, principal: str) -> ReviewerSet:
    with store.write() as tx:
        before = reviewers.load(tx)
        payload = _draft(tx, before, claim, signer.public_key)
        row = Change(
            before.last_change + 1,
            kind.value,
            payload.text(),
            signer.sign(payload.message()),
            payload.nonce,
            "",
            principal,
            clock.stamp(),
        )
        found = reviewers.after(before, row)
        columns = {name: value for name, value in vars(row).items() if name != "id"}
        tx.execute(insert(reviewer_changes).values({**columns, "fingerprint": found.fingerprint}))
        return reviewers.load(tx)


def _draft(tx: Connection, before: ReviewerSet, claim: Claim, signer: str) -> Payload:
    head = audit_head(tx)
    return Payload(
        claim=claim,
        signer=signer,
        reviewers_sha256=before.fingerprint,
        audit_head=f"{head.id} {head.hash}",
        expires_at=clock.stamp(clock.now() + claim.purpose.lifetime),
        nonce=secrets.token_hex(16),
    )
