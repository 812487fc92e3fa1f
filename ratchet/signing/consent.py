"""Did a person agree to this? The one place that decides it: by a reviewer's signature, or because none is needed.

None is needed when the operator chose ``approval: unsigned`` at set-up. Once anybody was ever made a reviewer, or a
fingerprint is pinned, that setting is worth nothing, whoever wrote it.

A service that carries out a decision does it so, in one transaction::

    with consent.attempt(context, actor, Purpose.DECIDE, signed) as tx:
        experiment = experiments.load(tx, experiment_id)
        claim = consent.about(experiment, Purpose.DECIDE, plan_sha256=..., decision="keep", reason=reason)
        agreed = consent.require(context, tx, claim, actor, signed)
        ...  # write what follows, by agreed.actor

and lets a face ask for what is to be signed with :func:`ask`, on a claim that was made in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import host
from ...errors import ApprovalRefused, Forbidden, RatchetError, SettingsInvalid
from ...reviewing import attempts, challenges, reviewers
from ...reviewing.challenges import Challenge, Signed
from ...reviewing.payload import Claim, Payload, Purpose
from ...reviewing.refusals import (
    NoReviewer,
    PassphraseRefused,
    PayloadRefused,
    SignatureRefused,
    TooManyAttempts,
    WrongPassphrase,
)
from ...reviewing.reviewers import Reviewer, ReviewerSet
from .. import events
from ..actor import Actor
from ..audit import own_schema
from ..context import Context

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..experiments import Experiment

SIGNED, UNSIGNED = "signed", "unsigned"
_LONGEST_REASON = 300
_ALWAYS_SIGNED = frozenset({Purpose.FORCE, Purpose.REVEAL_HOLDOUT, Purpose.ROTATE_HOLDOUT})
_REFUSALS = (Forbidden, PassphraseRefused, PayloadRefused, TooManyAttempts)


@dataclass(frozen=True)
class Consent:
    """That a person agreed, and how. ``actor`` is the reviewer when it was signed, else whoever asked.

    ``payload`` and ``plan_document`` (the live plan that was laid before the signer) are None when nothing was signed.
    """

    mode: str
    actor: Actor
    payload: Payload | None = None
    plan_document: str | None = None


@dataclass(frozen=True)
class Trust:
    """Who can agree here: the mode that counts, the reviewers, the pinned fingerprint, and what is wrong with them.

    ``configured`` is what the settings say; it differs from ``mode`` when reviewers outrank ``approval: unsigned``.
    """

    mode: str
    configured: str
    reviewers: tuple[Reviewer, ...]
    fingerprint: str | None
    pinned: str | None
    trouble: RatchetError | None


@contextmanager
def attempt(context: Context, actor: Actor, purpose: Purpose, signed: Signed | None) -> Iterator[Connection]:
    """One try to have a decision carried out: a write transaction in which :func:`require` is called.

    A signature is counted as a try (TooManyAttempts when it comes too soon); a refusal of whatever kind leaves a
    trace, while nothing of the transaction stays. No transaction may be open around it. Once it was entered with a
    signature, :func:`require` must be called: a try that nobody checked would count as one that was right.
    """
    with (
        traced(context, actor, purpose, counted=signed is not None),
        _counted(context, actor, purpose, signed),
        context.store.write() as tx,
    ):
        if signed is not None and signed.payload.claim.purpose is not purpose:
            raise SignatureRefused(f"It was signed to {signed.payload.claim.purpose}, not to {purpose}.")
        yield tx


def require(
    context: Context, tx: Connection, claim: Claim, actor: Actor, signed: Signed | None, *, in_chat: bool = False
) -> Consent:
    """A person's consent to ``claim``, which the caller made from today's rows; run it inside :func:`attempt`.

    Uses the signature up. Raises SignatureRefused (there is none, or which of its conditions fails), NoReviewer,
    ReviewersTampered, ReviewersChanged, SettingsInvalid for a pin that cannot be read; where no signature is needed,
    ApprovalRefused from a chat or an agent's tool shell, and NoReviewer for a force and for held-out scenarios.
    """
    if not signature_needed(context, tx):
        if claim.purpose in _ALWAYS_SIGNED:
            raise NoReviewer(
                f"To {claim.purpose} always needs a reviewer's signature, and there is no reviewer. Make one: hermes "
                "ratchet reviewer add NAME",
                **_ids(claim),
            )
        _check_no_agent(claim, in_chat)
        return Consent(UNSIGNED, actor)
    current = _reviewers(context, tx, claim)
    if signed is None:
        raise SignatureRefused(
            f"This needs a reviewer's signature (to {claim.purpose}), and there is none. Decide it in a terminal of "
            "your own, or in the dashboard with a reviewer's key.",
            **_ids(claim),
        )
    redeemed = challenges.redeem(tx, signed, claim, actor.principal, pin=context.pin)
    return Consent(SIGNED, _signer(current, redeemed.payload), redeemed.payload, redeemed.plan_document)


def standing(context: Context, tx: Connection, nonce: str, claim: Claim) -> Payload:
    """The stored signature with this nonce, provided that it still lets ``claim`` happen.

    Raises SignatureRefused saying what changed, and what makes the reviewers unreliable like :func:`require`.
    """
    return challenges.standing(tx, nonce, claim, pin=context.pin)


def ask(context: Context, claim: Claim, signer: str, actor: Actor, *, plan_document: str | None = None) -> Challenge:
    """What the reviewer with the public key ``signer`` is to sign for ``claim``, within ten minutes.

    Raises SignatureRefused when nobody has this key, TooManyAttempts, and like :func:`require`; each leaves a trace.
    """
    with traced(context, actor, claim.purpose), context.store.write() as tx:
        own_schema.check_nothing_added(tx)
        return challenges.issue(tx, claim, signer, actor.principal, pin=context.pin, plan_document=plan_document)


def received(context: Context, actor: Actor, purpose: Purpose, payload: str, signature: str) -> Signed | None:
    """The two texts that a face was handed, read; None where no signature is needed.

    Raises PayloadRefused, and leaves a trace of it.
    """
    with context.store.read() as tx:
        if not signature_needed(context, tx):
            return None
    with traced(context, actor, purpose):
        return Signed.parse(payload, signature)


def about(experiment: Experiment, purpose: Purpose, **further: Any) -> Claim:
    """A claim about an experiment as stored; ``further`` are the fields that its purpose needs besides."""
    return Claim(
        purpose=purpose,
        experiment=experiment.id,
        profile=experiment.profile,
        relpath=experiment.target_relpath,
        base_sha256=experiment.base_sha256,
        candidate_sha256=experiment.candidate_sha256,
        **further,
    )


def signature_needed(context: Context, tx: Connection) -> bool:
    """Whether decisions are signed here; only ``approval: unsigned`` without any trace of a reviewer says no."""
    if context.settings.approval == SIGNED or context.pin is not None:
        return True
    return reviewers.load(tx).last_change > 0


def signers(context: Context) -> ReviewerSet | None:
    """The reviewers of whom one has to sign; None where no signature is needed. Raises like :func:`require`."""
    with context.store.read() as tx:
        return reviewers.require(tx, context.pin) if signature_needed(context, tx) else None


def look(context: Context, tx: Connection) -> Trust:
    """Who can agree here, and what is wrong with that; never raises for what it looks at."""
    current = reviewers.load(tx)
    pinned: str | None = None
    trouble: RatchetError | None = None
    try:
        pinned = context.pin
    except SettingsInvalid as error:
        trouble = error
    needed = trouble is not None or signature_needed(context, tx)
    if needed and trouble is None:
        trouble = current.trouble(pinned)
    fingerprint = current.fingerprint if current.members else None
    mode = SIGNED if needed else UNSIGNED
    return Trust(mode, context.settings.approval, current.members, fingerprint, pinned, trouble)


def note_refusal(context: Context, actor: Actor, purpose: Purpose, refusal: RatchetError) -> None:
    """Leave a trace of a decision that was refused."""
    with context.store.write() as tx:
        events.emit(
            tx,
            "consent.refused",
            profile=_text(refusal.ids.get("profile")),
            experiment_id=_number(refusal.ids.get("experiment_id")),
            purpose=purpose.value,
            actor=actor.name,
            principal=actor.principal,
            code=refusal.code,
            reason=refusal.message[:_LONGEST_REASON],
        )


@contextmanager
def traced(context: Context, actor: Actor, purpose: Purpose, *, counted: bool = False) -> Iterator[None]:
    """Whatever is refused within leaves a trace; ``counted``: failed signatures do so by themselves."""
    try:
        yield
    except _REFUSALS as refusal:
        on_record = counted or isinstance(refusal, WrongPassphrase)  # by attempts.counted
        if isinstance(refusal, TooManyAttempts) or not on_record:
            note_refusal(context, actor, purpose, refusal)
        raise


@contextmanager
def _counted(context: Context, actor: Actor, purpose: Purpose, signed: Signed | None) -> Iterator[None]:
    if signed is None:
        yield  # nothing was guessed
        return
    with attempts.counted(context.store, actor.principal, purpose.value):
        yield


def _check_no_agent(claim: Claim, in_chat: bool) -> None:
    if in_chat or host.inside_agent():
        raise ApprovalRefused(
            "An agent cannot decide about changes of itself: that is refused from chats and from its tool shells. "
            "Decide in the dashboard or in a terminal of your own.",
            **_ids(claim),
        )


def _reviewers(context: Context, tx: Connection, claim: Claim) -> ReviewerSet:
    try:
        return reviewers.require(tx, context.pin)
    except Forbidden as refusal:
        refusal.ids |= _ids(claim)
        raise


def _signer(current: ReviewerSet, payload: Payload) -> Actor:
    names = {one.public_key: one.name for one in current.members}
    return Actor(names[payload.signer], f"reviewer:{payload.signer[:16]}")


def _ids(claim: Claim) -> dict[str, object]:
    found = {"purpose": claim.purpose.value, "profile": claim.profile, "experiment_id": claim.experiment}
    return {name: value for name, value in found.items() if value is not None}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
