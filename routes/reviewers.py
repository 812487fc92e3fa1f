"""Routes about who may sign: their public keys, what they are to sign, and a look at held-out scenarios."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ..installation import overview
from ..ratchet.actor import Actor
from ..ratchet.context import Context
from ..ratchet.signing import questions, unlocking, words
from ..ratchet.signing.questions import Question
from ..ratchet.window import live_window
from ..reviewing.payload import PREFIX, Purpose
from ..reviewing.reviewers import Reviewer
from .answers import ERRORS, RatchetRoute
from .asking import Labelled, Name, Opened, Principal, Sentence
from .signing import SignatureAsked, UnlockBody

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["reviewers"])

_KEY = "^[0-9a-f]{64}$"
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

    purpose: Purpose = Field(description="What the signature is to be for.")
    signer: Annotated[str, Field(pattern=_KEY, description="The public key, in hex.")]
    experiment: _Number | None = Field(None, description="Its number.")
    profile: Name | None = None
    scenario: _Number | None = Field(None, description="Its number.")
    decision: Literal["keep", "revert"] | None = Field(None, description="Of an undecided window.")
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
    question = Question(body.purpose, body.experiment, body.profile, body.scenario, body.decision, body.reason)
    return _to_sign(context, question, body.signer, body.by(principal))


@router.get("/reviewers/challenge")
def challenge_by_address(
    context: Opened,
    principal: Principal,
    purpose: Annotated[Purpose, Query(description="What the signature is to be for.")],
    signer: Annotated[str, Query(pattern=_KEY, description="The public key, in hex.")],
    experiment: Annotated[_Number | None, Query(description="Its number.")] = None,
    profile: Annotated[Name | None, Query(description="Its name.")] = None,
    scenario: Annotated[_Number | None, Query(description="Its number.")] = None,
    decision: Annotated[Literal["keep", "revert"] | None, Query(description="Of an undecided window.")] = None,
    reason: Annotated[Sentence | None, Query(description="Why; a POST keeps it out of addresses.")] = None,
) -> SignatureAsked:
    """The same, for a client that asks with GET."""
    question = Question(purpose, experiment, profile, scenario, decision, reason)
    return _to_sign(context, question, signer, Actor(principal, principal))


def _to_sign(context: Context, question: Question, signer: str, actor: Actor) -> SignatureAsked:
    if question.experiment and question.purpose in (Purpose.APPROVE, Purpose.OVERRIDE):
        live_window.check_prepared(context, question.experiment)
    asked = questions.ask(context, question, signer, actor)
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
