"""Routes about who may sign: their public keys, what they are to sign, and a look at held-out scenarios."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ..installation import overview
from ..ratchet.signing import questions, unlocking, words
from ..ratchet.signing.questions import Question
from ..ratchet.window import live_window
from ..reviewing.payload import PREFIX, Purpose
from ..reviewing.reviewers import Reviewer
from .answers import ERRORS, RatchetRoute
from .asking import Labelled, Name, Opened, Principal, Sentence
from .signing import SignatureAsked, UnlockBody

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["reviewers"])

_Number = Annotated[int, Field(ge=1, le=2**53 - 1)]


class Reviewers(BaseModel):
    """``approval`` is the mode that counts; ``trouble`` says why nobody can sign, or nothing is applied, now."""

    approval: str
    reviewers: list[Reviewer]
    fingerprint: str | None
    pinned: str | None
    trouble: str | None


class ChallengeBody(Labelled):
    """What is to be decided, and with which reviewer's public key. A purpose leaves out what it does not have."""

    purpose: Purpose
    signer: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    experiment: _Number | None = None
    profile: Name | None = None
    scenario: _Number | None = None
    decision: Literal["keep", "revert"] | None = None
    reason: Sentence | None = None


class Unlocked(BaseModel):
    ok: Literal[True] = True
    profile: str
    until: str


@router.get("/reviewers")
def list_reviewers(context: Opened) -> Reviewers:
    """Who may sign. Reviewers are added and removed on a terminal only."""
    found = overview.trust(context)
    return Reviewers(
        approval=found.mode,
        reviewers=list(found.reviewers),
        fingerprint=found.fingerprint,
        pinned=found.pinned,
        trouble=found.trouble.message if found.trouble else None,
    )


@router.post("/reviewers/challenge")
def challenge(context: Opened, body: ChallengeBody, principal: Principal) -> SignatureAsked:
    """What to sign, within ten minutes; it is sent back with the decision itself."""
    if body.experiment and body.purpose in (Purpose.APPROVE, Purpose.OVERRIDE):
        live_window.check_prepared(context, body.experiment)
    question = Question(body.purpose, body.experiment, body.profile, body.scenario, body.decision, body.reason)
    asked = questions.ask(context, question, body.signer, body.by(principal))
    return SignatureAsked(
        prefix=PREFIX.decode(),
        payload=asked.payload.text(),
        expires_at=asked.expires_at,
        words=words.in_words(context, asked),
    )


@router.post("/reviewers/unlock")
def unlock(context: Opened, body: UnlockBody, principal: Principal) -> Unlocked:
    """Show the held-out scenarios of a profile for ten minutes, to whoever asks; a reviewer signs it."""
    actor = body.by(principal)
    signed = body.signed(context, Question(Purpose.REVEAL_HOLDOUT, profile=body.profile), actor)
    return Unlocked(profile=body.profile, until=unlocking.unlock(context, body.profile, actor, signed))
