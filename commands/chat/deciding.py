"""Deciding in a chat: listed senders reject and take back. Whatever needs a signature leads to the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import ApprovalRefused, Conflict, Forbidden, RatchetError
from ...installation import overview
from ...privacy import sanitize
from ...ratchet import apply as applying
from ...ratchet import experiments
from ...ratchet.signing import consent
from ...ratchet.states import State
from ...ratchet.window import restarts
from ...reviewing.payload import Purpose
from ..session import opened
from .sender import actor, decider
from .text import Reply
from .views import page

if TYPE_CHECKING:
    from ...ratchet.context import Context


def approve(number: int, raw: str) -> Reply:
    """Where to approve it: never here, in no mode, by nobody. Raises UnknownExperiment."""
    with opened() as context:
        found = experiments.get(context, number)
        try:
            with consent.traced(context, actor(), Purpose.APPROVE):
                decider(context.settings, raw)
                _check_signed_mode(context, number)
        except Forbidden as refusal:
            return _refused(context, number, refusal)
        if found.state != State.PROPOSED:
            return Reply(f"Experiment {number} is {found.state}; only a proposed one can be approved.")
        return Reply(
            f"Approving experiment {number} takes a reviewer's signature, which is given on its page:",
            page(context, number),
        )


def _check_signed_mode(context: Context, number: int) -> None:
    if overview.trust(context).mode == consent.UNSIGNED:
        raise ApprovalRefused(
            "Approvals are unsigned here, and such ones are refused in chats: an agent could send them itself. Approve "
            f"in a terminal of your own (hermes ratchet approve {number}) or in the dashboard.",
            experiment_id=number,
        )


def reject(number: int, words: Sequence[str], raw: str) -> Reply:
    """Refuse a proposal, or withdraw an approval. Raises UnknownExperiment."""
    with opened() as context:
        try:
            done = experiments.reject(context, number, decider(context.settings, raw), _reason(words, "rejected"))
        except (Forbidden, Conflict) as refusal:
            return _refused(context, number, refusal)
        return Reply(f"Experiment {number} is {done.state}.")


def revert(number: int, words: Sequence[str], raw: str) -> Reply:
    """Take a live change back. Raises UnknownExperiment, and what :func:`applying.revert` does about files and git."""
    with opened() as context:
        try:
            by = decider(context.settings, raw)
            done = applying.revert(context, number, by, _reason(words, "taken back"), in_chat=True)
        except (Forbidden, Conflict) as refusal:
            return _refused(context, number, refusal)
        what = f"Experiment {number} is {done.state}: {done.profile}/{done.target_relpath} is what it was before."
        return Reply("\n".join([what, *restarts.advice(context, done)]))


def _reason(words: Sequence[str], otherwise: str) -> str:
    """What stays in the audit trail for good."""
    return sanitize(" ".join(words)).text or f"{otherwise} in a chat"


def _refused(context: Context, number: int, refusal: RatchetError) -> Reply:
    return Reply(refusal.message, page(context, number))
