"""What a person can be asked to sign, and how each question becomes the exact bytes: one claim, from today's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...errors import BadInput
from ...reviewing.challenges import Challenge
from ...reviewing.payload import Claim, Purpose
from .. import approval, beginning, controls, experiments
from ..actor import Actor
from ..context import Context
from ..window import deciding, live_plan
from . import consent


@dataclass(frozen=True)
class Question:
    """What is to be decided: the purpose, and what of the rest it is about. ``scenario`` and ``experiment`` are ids."""

    purpose: Purpose
    experiment: int | None = None
    profile: str | None = None
    scenario: int | None = None
    decision: str | None = None
    reason: str | None = None

    def number(self) -> int:
        """The experiment. Raises BadInput when none is named."""
        if self.experiment is None:
            raise BadInput(f"Which experiment? To {self.purpose} needs one.")
        return self.experiment

    def named_profile(self) -> str:
        """The profile. Raises BadInput when none is named."""
        if self.profile is None:
            raise BadInput(f"Which profile? To {self.purpose} needs one.")
        return self.profile

    def text(self) -> str:
        """The reason. Raises BadInput when there is none."""
        if not (self.reason or "").strip():
            raise BadInput(f"Why? To {self.purpose} needs a reason.")
        return str(self.reason)


def ask(context: Context, question: Question, signer: str, actor: Actor) -> Challenge:
    """What the reviewer with the public key ``signer`` is to sign, within ten minutes.

    Raises BadInput when the question leaves something out, what :func:`consent.ask` does, and what keeps the thing
    itself from being done (IllegalTransition, NotEvaluated, UnknownExperiment, UnknownProfile and so on).
    """
    asked = _ASKED.get(question.purpose)
    if asked is None:
        raise BadInput("Reviewers are added and removed on a terminal only: hermes ratchet reviewer --help")
    return asked(context, question, signer, actor)


def _approval(context: Context, question: Question, signer: str, actor: Actor) -> Challenge:
    override = question.text() if question.purpose is Purpose.OVERRIDE else None
    return approval.ask(context, question.number(), signer, actor, override_reason=override)


def _force(context: Context, question: Question, signer: str, actor: Actor) -> Challenge:
    return beginning.ask_force(context, question.number(), signer, actor, question.text())


def _revert(context: Context, question: Question, signer: str, actor: Actor) -> Challenge:
    return beginning.ask_revert(context, question.number(), signer, actor, question.text())


def _decide(context: Context, question: Question, signer: str, actor: Actor) -> Challenge:
    deciding.check_waits(context, question.number())
    with context.store.read() as tx:
        claim = consent.about(
            experiments.load(tx, question.number()),
            Purpose.DECIDE,
            plan_sha256=live_plan.kept_sha256(tx, question.number()),
            decision=question.decision,
            reason=question.text(),
        )
    return consent.ask(context, claim, signer, actor)


def _resume(context: Context, question: Question, signer: str, actor: Actor) -> Challenge:
    profile = question.named_profile()
    context.home(profile)
    return consent.ask(context, controls.claim_to_resume(profile), signer, actor)


def _reveal(context: Context, question: Question, signer: str, actor: Actor) -> Challenge:
    profile = question.named_profile()
    context.home(profile)
    return consent.ask(context, Claim(purpose=question.purpose, profile=profile), signer, actor)


def _one_held_out(context: Context, question: Question, signer: str, actor: Actor) -> Challenge:
    claim = Claim(purpose=question.purpose, profile=question.named_profile(), scenario=question.scenario)
    return consent.ask(context, claim, signer, actor)


_ASKED: Mapping[Purpose, Callable[[Context, Question, str, Actor], Challenge]] = MappingProxyType(
    {
        Purpose.APPROVE: _approval,
        Purpose.OVERRIDE: _approval,
        Purpose.FORCE: _force,
        Purpose.REVERT_VERIFIED: _revert,
        Purpose.DECIDE: _decide,
        Purpose.RESUME: _resume,
        Purpose.REVEAL_HOLDOUT: _reveal,
        Purpose.ROTATE_HOLDOUT: _reveal,
        Purpose.DELETE_HOLDOUT: _one_held_out,
        Purpose.RESTORE_HOLDOUT: _one_held_out,
        Purpose.UNCRITICAL_HOLDOUT: _one_held_out,
    }
)
