"""What the offline gate means for the proposer's own experiments: what does not pass is rejected, and nobody is asked.

A person's proposal is never rejected here; who wrote a change may put up with a gate that cannot tell.
"""

from __future__ import annotations

from typing import Any

from ..errors import IllegalTransition, ProfileBusy
from ..evaluation.gating import reports
from ..ratchet import experiments
from ..ratchet.actor import Actor
from ..ratchet.context import Context
from ..ratchet.states import State
from ..stats.gate import GateVerdict
from . import drafts
from .drafts import Draft

GATE = Actor("gate", "ratchet")


def settle(context: Context) -> list[int]:
    """Draw the consequence of every finished evaluation of a draft. Returns the experiments that were rejected."""
    with context.store.read() as tx:
        waiting = drafts.evaluated(tx)
    return [number for draft in waiting if (number := _settle(context, draft)) is not None]


def _settle(context: Context, draft: Draft) -> int | None:
    number = draft.experiment_id or 0
    report = reports.latest(context, number)
    if report is None:
        return None
    if report["verdict"] == GateVerdict.PASSED:
        _mark(context, draft, "passed", None)
        return None
    reason = _reason(report)
    try:
        rejected = _reject(context, number, reason)
    except ProfileBusy:  # next time; the others need not wait for it
        return None
    _mark(context, draft, "failed_gate", reason)
    return number if rejected else None


def _reason(report: dict[str, Any]) -> str:
    """The gate's own words, which name no held-out scenario."""
    told = " ".join(str(reason["words"]) for reason in report["reasons"][:1])
    return f"The gate says: {report['verdict']}. {told}".strip()


def _reject(context: Context, number: int, reason: str) -> bool:
    """False when a person was quicker, whatever they decided."""
    if experiments.get(context, number).state != State.PROPOSED:
        return False
    try:
        experiments.reject(context, number, GATE, reason)
    except IllegalTransition:
        return False
    return True


def _mark(context: Context, draft: Draft, status: str, reason: str | None) -> None:
    with context.store.write() as tx:
        drafts.mark(tx, draft, status, reason)
