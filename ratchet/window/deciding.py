"""A person decides an inconclusive window: the change stays because they accept it, or it is taken back."""

from __future__ import annotations

from enum import StrEnum

from ... import clock
from ...errors import BadInput, NoEvidence
from ...reviewing.challenges import Signed
from ...reviewing.payload import Claim, Purpose
from ...stats.calibration import Verdict
from .. import apply, events, experiments, states
from ..actor import Actor
from ..context import Context
from ..experiments import Experiment
from ..kept_words import kept
from ..signing import consent
from ..states import State
from . import live_plan

_MAX_REASON = 1_000


class Choice(StrEnum):
    """What can become of it. There is no third: a second window because the first was unclear breaks its error rate."""

    KEEP = "keep"
    REVERT = "revert"


def check_waits(context: Context, experiment_id: int) -> None:
    """Raises NoEvidence unless the experiment waits for a person's decision, UnknownExperiment."""
    _undecided(experiments.get(context, experiment_id))


def decide(
    context: Context,
    experiment_id: int,
    choice: Choice,
    reason: str,
    actor: Actor,
    *,
    signed: Signed | None = None,
    in_chat: bool = False,
) -> Experiment:
    """Keep a live change whose window ended as inconclusive, "accepted by a person", or take it back.

    Raises BadInput without a reason, NoEvidence when the window is not inconclusive, for want of consent what
    :func:`consent.require` does, and what :func:`apply.revert` raises; then the decision stands, and reverting it again
    carries it out.
    """
    claim = _claim(context, experiment_id, choice, reason)
    with consent.attempt(context, actor, Purpose.DECIDE, signed) as tx:
        agreed = consent.require(context, tx, claim, actor, signed, in_chat=in_chat)
        experiment = _undecided(experiments.load(tx, experiment_id))
        said = f"{'accepted' if choice is Choice.KEEP else 'taken back'} by a person ({agreed.mode}): {claim.reason}"
        events.emit(
            tx,
            "window.decided",
            profile=experiment.profile,
            experiment_id=experiment_id,
            decision=choice.value,
            actor=agreed.actor.name,
            reason=claim.reason,
        )
        if choice is Choice.KEEP:
            states.move(tx, experiment_id, State.VERIFIED, agreed.actor, said, {"verified_at": clock.stamp()})
    if choice is Choice.REVERT:
        return apply.revert(context, experiment_id, agreed.actor, said)
    return experiments.get(context, experiment_id)


def _claim(context: Context, experiment_id: int, choice: Choice, reason: str) -> Claim:
    reason = kept(experiments.checked_text(reason, "A reason", _MAX_REASON))
    if not reason.strip():
        raise BadInput("Say why: a decision without evidence needs a reason (--reason).")
    with context.store.read() as tx:
        experiment = _undecided(experiments.load(tx, experiment_id))
        plan_sha256 = live_plan.kept_sha256(tx, experiment_id)
    return consent.about(experiment, Purpose.DECIDE, plan_sha256=plan_sha256, decision=choice.value, reason=reason)


def _undecided(experiment: Experiment) -> Experiment:
    if experiment.state == State.LIVE and experiment.live_verdict == Verdict.INCONCLUSIVE:
        return experiment
    if experiment.state != State.LIVE:
        stands = f"it is {experiment.state}"
    else:
        stands = f"its window is {experiment.live_verdict or 'still open'}"
    raise NoEvidence(
        f"Experiment {experiment.id} is not waiting for a decision: {stands}. A person decides about a live change "
        "whose window was inconclusive.",
        experiment_id=experiment.id,
        state=experiment.state,
    )
