"""How a file operation begins: with a person's consent where it takes a verified change back, or forces its way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING

from ..errors import FileDrifted, PathRefused
from ..reviewing.challenges import Challenge, Signed
from ..reviewing.payload import Claim, Purpose
from . import experiments
from .actor import Actor
from .context import Context
from .experiments import Experiment
from .journal import Kind, Plan
from .kept_words import kept
from .signing import consent
from .states import State

if TYPE_CHECKING:
    from sqlalchemy import Connection

Opening = AbstractContextManager[tuple["Connection", Actor]]
"""A write transaction to write the plan into, and by whom it then is."""


def ask_force(context: Context, experiment_id: int, signer: str, actor: Actor, reason: str) -> Challenge:
    """What the reviewer with the public key ``signer`` is to sign for a force: the file as it is now is written over.

    Raises UnknownExperiment, PathRefused, PayloadRefused without a reason, and what :func:`consent.ask` does.
    """
    experiment = experiments.get(context, experiment_id)
    found = experiments.current_file(context, experiment.profile, experiment.target_relpath)
    claim = consent.about(experiment, Purpose.FORCE, reason=kept(reason), found_sha256=found.sha256)
    return consent.ask(context, claim, signer, actor)


def ask_revert(context: Context, experiment_id: int, signer: str, actor: Actor, reason: str) -> Challenge:
    """What the reviewer with the public key ``signer`` is to sign to take a verified change back.

    Raises FileDrifted for a file that was edited since: nobody signs what would then be refused.
    """
    experiment = experiments.get(context, experiment_id)
    with suppress(PathRefused):  # somebody put something else in its place: the revert says what
        found = experiments.current_file(context, experiment.profile, experiment.target_relpath)
        if experiment.state == State.VERIFIED and found.sha256 != experiment.candidate_sha256:
            raise edited_since(experiment)
    claim = consent.about(experiment, Purpose.REVERT_VERIFIED, reason=kept(reason))
    return consent.ask(context, claim, signer, actor)


def edited_since(experiment: Experiment) -> FileDrifted:
    """The refusal to take a change back from a file that is not as it left it."""
    return FileDrifted(
        f"{experiment.target_relpath} was edited since experiment {experiment.id} was applied; the edit was kept. "
        "Undo or move that edit, then revert again; or write over it with --force, which a reviewer signs.",
        experiment_id=experiment.id,
    )


def revert_purpose(experiment: Experiment, *, force: bool) -> Purpose | None:
    """What taking ``experiment`` back has to be signed as; None for a live one, which anybody may take back."""
    if force:
        return Purpose.FORCE
    return Purpose.REVERT_VERIFIED if experiment.state == State.VERIFIED else None


def opening(
    context: Context,
    experiment: Experiment,
    plan: Plan,
    reason: str | None,
    signed: Signed | None,
    *,
    forced: bool,
    in_chat: bool = False,
) -> Opening:
    """The transaction in which ``plan`` begins. Entering it raises what :func:`consent.require` does."""
    purpose = Purpose.FORCE if forced else None
    if plan.kind is Kind.REVERT:
        purpose = revert_purpose(experiment, force=forced)
    if purpose is None:
        return _unasked(context, plan.actor)
    further = {"found_sha256": plan.expected_sha256} if forced else {}
    claim = consent.about(experiment, purpose, reason=reason, **further)
    return _agreed(context, claim, plan.actor, signed, in_chat)


@contextmanager
def _unasked(context: Context, actor: Actor) -> Iterator[tuple[Connection, Actor]]:
    with context.store.write() as tx:
        yield tx, actor


@contextmanager
def _agreed(
    context: Context, claim: Claim, actor: Actor, signed: Signed | None, in_chat: bool
) -> Iterator[tuple[Connection, Actor]]:
    with consent.attempt(context, actor, claim.purpose, signed) as tx:
        yield tx, consent.require(context, tx, claim, actor, signed, in_chat=in_chat).actor
