"""How a reviewer's signature reaches a route: made in the browser, or here, with the key file and its passphrase."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from ..ratchet.actor import Actor
from ..ratchet.context import Context
from ..ratchet.signing import consent, signers
from ..ratchet.signing.questions import Question
from ..reviewing.challenges import Signed
from ..reviewing.payload import MAX_BYTES
from .asking import Labelled, Name, Sentence

_LONGEST_SIGNATURE = 1_000
"""More than a signature has: one of a wrong length is refused where refusals leave a trace."""


class SignedBody(Labelled):
    """Either ``payload`` and ``signature``, or ``reviewer`` and ``passphrase``; neither where none is needed.

    A passphrase with a ``payload`` signs exactly that payload, which is what its owner was shown; without one, whatever
    is to be signed at this moment.
    """

    payload: Annotated[str, Field(max_length=MAX_BYTES)] | None = Field(
        None, description="What POST /reviewers/challenge gave, unchanged."
    )
    signature: Annotated[str, Field(max_length=_LONGEST_SIGNATURE)] | None = Field(
        None, description="The Ed25519 signature of its message, 128 hex digits."
    )
    reviewer: Name | None = Field(None, description="Whose key file on this machine signs instead.")
    passphrase: Annotated[SecretStr, Field(max_length=1_000)] | None = Field(
        None, description="What opens that key file; used for this one signature and kept nowhere."
    )

    def signed(self, context: Context, question: Question, actor: Actor) -> Signed | None:
        """The signature that came, or that the passphrase makes; None when nothing of both was sent."""
        if self.signature is not None or (self.payload is not None and self.passphrase is None):
            return consent.received(context, actor, question.purpose, self.payload or "", self.signature or "")
        if self.passphrase is None:
            return None
        opener = self.passphrase.get_secret_value()
        return signers.sign_here(context, question, self.reviewer, opener, actor, shown=self.payload)


class ApproveBody(SignedBody):
    override_reason: Sentence | None = Field(None, description="Why to approve without a finished evaluation.")
    candidate_sha256: str | None = Field(
        None, description="Of the candidate that was looked at; when it is another one by now, nothing is approved."
    )


class ForceBody(SignedBody):
    """A force is signed for exactly this reason."""

    reason: Sentence | None = None
    force: bool | None = Field(None, description="Over a person's edit; a reviewer must sign it.")


class UnlockBody(SignedBody):
    profile: Name


class SignatureAsked(BaseModel):
    """``prefix`` and then ``payload``, as UTF-8, are the bytes to sign, before ``expires_at``; see docs/signing.md."""

    prefix: str
    payload: str
    expires_at: str
    words: str = Field(
        description="What the signature lets happen: the change, what it was measured at, the live plan."
    )
