"""What is handed out to be signed, each once and for ten minutes, and what came back signed and still stands.

A challenge fixes every byte that will be signed. It is used up in the transaction that acts on it: the signature is
stored under the challenge's nonce, which no second row can have.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from .. import clock
from .._db import audit_head
from ..schema.reviewing import challenges, signatures
from . import reviewers
from .keys import verifies
from .payload import INTERACTIVE, Claim, Payload, Purpose, parse
from .refusals import PayloadRefused, SignatureRefused, TooManyAttempts

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MOST_OPEN = 200
_TERMINAL = "os:"
_LOOKED_AT = 20


@dataclass(frozen=True)
class Challenge:
    """What to sign: ``payload.message()``, before ``expires_at``; ``plan_document`` is the text behind its plan."""

    payload: Payload
    expires_at: str
    plan_document: str | None = None


@dataclass(frozen=True)
class Signed:
    """What came back: a payload and the Ed25519 signature of its message, 128 hex digits."""

    payload: Payload
    signature: str

    @classmethod
    def parse(cls, payload: str, signature: str) -> Signed:
        """From what a face received. Raises PayloadRefused."""
        return cls(parse(payload), signature)


@dataclass(frozen=True)
class Redeemed:
    """A signature that was accepted, and the live plan that was laid before its signer, if there was one."""

    payload: Payload
    plan_document: str | None


def issue(
    tx: Connection, claim: Claim, signer: str, principal: str, *, pin: str | None, plan_document: str | None = None
) -> Challenge:
    """Ask the reviewer with the public key ``signer`` to sign ``claim``.

    ``plan_document`` is the text behind ``claim.plan_sha256``, kept so that exactly the plan that was signed is the one
    that is carried out. Raises SignatureRefused when ``signer`` is no reviewer, TooManyAttempts when
    ``principal``, not at a terminal, asked for 200 in the last ten minutes, and what :func:`reviewers.require` raises.
    """
    current, moment = reviewers.require(tx, pin), clock.now()
    if current.member(signer) is None:
        raise SignatureRefused("This key is not a reviewer's. 'hermes ratchet reviewer list' names those who are.")
    if plan_document is not None and _sha256(plan_document) != claim.plan_sha256:
        raise PayloadRefused("The live plan is not the one the claim names.")
    _check_not_flooded(tx, principal, moment)
    head = audit_head(tx)
    payload = Payload(
        claim=claim,
        signer=signer,
        reviewers_sha256=current.fingerprint,
        audit_head=f"{head.id} {head.hash}",
        expires_at=clock.stamp(moment + claim.purpose.lifetime),
        nonce=secrets.token_hex(16),
    )
    row = {
        "nonce": payload.nonce,
        "payload": payload.text(),
        "plan_document": plan_document,
        "principal": principal,
        "created_at": clock.stamp(moment),
        "expires_at": clock.stamp(moment + INTERACTIVE),
    }
    tx.execute(insert(challenges).values(row))
    return Challenge(payload, str(row["expires_at"]), plan_document)


def redeem(tx: Connection, signed: Signed, claim: Claim, principal: str, *, pin: str | None) -> Redeemed:
    """Accept a signature for ``claim``, which the caller made from today's rows, and use its challenge up.

    Raises SignatureRefused (and says which of all the conditions fails) and what :func:`reviewers.require` raises.
    Run it inside :func:`attempts.counted`.
    """
    payload = signed.payload
    found = tx.execute(select(challenges).where(challenges.c.nonce == payload.nonce)).one_or_none()
    if found is None or found.payload != payload.text():
        raise SignatureRefused("Nobody asked for this signature. Ask for what is to be signed, then sign exactly that.")
    if _stored(tx, payload.nonce) is not None:
        raise SignatureRefused("This signature was used already; each one counts once.")
    if found.expires_at < clock.stamp():
        raise SignatureRefused("The ten minutes to sign this are over. Ask for it again.")
    _check_stands(tx, signed, claim, pin)
    _store(tx, signed, principal)
    return Redeemed(payload, found.plan_document)


def standing(tx: Connection, nonce: str, claim: Claim, *, pin: str | None) -> Payload:
    """The stored signature with this nonce, provided that it still lets ``claim`` happen; nothing is taken on trust.

    Raises SignatureRefused saying what changed, and what :func:`reviewers.require` raises.
    """
    found = _stored(tx, nonce)
    if found is None:
        raise SignatureRefused("No signature is stored for it.")
    _check_stands(tx, found, claim, pin)
    return found.payload


def unlocked_until(tx: Connection, profile: str, *, pin: str | None) -> str | None:
    """Until when a reviewer's signature reveals the held-out scenarios of ``profile``; None when none does now."""
    claim = Claim(purpose=Purpose.REVEAL_HOLDOUT, profile=profile)
    table = signatures
    query = (
        select(table.c.nonce)
        .where(table.c.purpose == claim.purpose.value, table.c.profile == profile)
        .order_by(table.c.id.desc())
        .limit(_LOOKED_AT)
    )
    for nonce in tx.execute(query).scalars():
        try:
            return standing(tx, nonce, claim, pin=pin).expires_at
        except SignatureRefused:
            continue
    return None


def _check_stands(tx: Connection, signed: Signed, claim: Claim, pin: str | None) -> None:
    payload, current = signed.payload, reviewers.require(tx, pin)
    if payload.claim != claim:
        different = ", ".join(payload.claim.differs_from(claim))
        raise SignatureRefused(f"What was signed is not what would happen now; different: {different}.")
    if payload.reviewers_sha256 != current.fingerprint or current.member(payload.signer) is None:
        raise SignatureRefused("The reviewers changed since this was signed. Have it signed again.")
    if not verifies(payload.signer, payload.message(), signed.signature):
        raise SignatureRefused("The signature does not belong to this payload and this key.")
    now = clock.now()
    if not clock.stamp(now) <= payload.expires_at <= clock.stamp(now + claim.purpose.lifetime):
        raise SignatureRefused("The signature expired. Have it signed again.")
    if not _in_chain(tx, payload):
        raise SignatureRefused(
            "The history on top of which this was signed is not there any more. Run: hermes ratchet audit verify"
        )


def _in_chain(tx: Connection, payload: Payload) -> bool:
    """Whether the transition that was the newest one is still there, with the same hash."""
    number, _, linked = payload.audit_head.partition(" ")
    if number == "0":
        return payload.claim.experiment is None  # where there is an experiment, there was its proposal
    query = "SELECT hash FROM experiment_state_transitions WHERE id = ?"
    return bool(tx.exec_driver_sql(query, (int(number),)).scalar() == linked)


def _stored(tx: Connection, nonce: str) -> Signed | None:
    found = tx.execute(select(signatures).where(signatures.c.nonce == nonce)).one_or_none()
    if found is None:
        return None
    try:
        signed = Signed.parse(found.payload, found.signature)
    except PayloadRefused as error:
        raise SignatureRefused(f"What is stored was never signed. {error.message}") from None
    if signed.payload.nonce != nonce:
        raise SignatureRefused("The stored signature is that of another payload.")
    return signed


def _store(tx: Connection, signed: Signed, principal: str) -> None:
    claim = signed.payload.claim
    row = {
        "nonce": signed.payload.nonce,
        "purpose": claim.purpose.value,
        "experiment_id": claim.experiment,
        "profile": claim.profile,
        "payload": signed.payload.text(),
        "signature": signed.signature,
        "principal": principal,
        "created_at": clock.stamp(),
    }
    tx.execute(insert(signatures).values(row))


def _check_not_flooded(tx: Connection, principal: str, moment: datetime) -> None:
    """Each principal has a share of their own, and a terminal no limit: nobody locks the reviewer there out.

    A challenge that has yet to come was made up, for the same purpose.
    """
    if principal.startswith(_TERMINAL):
        return
    recent = challenges.c.created_at.between(clock.stamp(moment - INTERACTIVE), clock.stamp(moment))
    query = select(func.count()).select_from(challenges).where(recent, challenges.c.principal == principal)
    if tx.execute(query).scalar_one() >= _MOST_OPEN:
        raise TooManyAttempts("Too many signatures were asked for in the last ten minutes. Wait a little.")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
