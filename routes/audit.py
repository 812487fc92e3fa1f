"""Routes about the audit trail: its steps, and whether it still is what it was."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from ..ratchet.audit import chain, trail
from ..ratchet.audit.chain import Transition
from ..ratchet.audit.trail import Verdict
from .answers import ERRORS, RatchetRoute
from .asking import Before, Limit, Opened, following

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["audit"])


class TransitionList(BaseModel):
    """A page of steps, newest first, each with the hash that chains it to the one before."""

    transitions: list[Transition]
    next_before: int | None


@router.get("/audit")
def list_transitions(context: Opened, limit: Limit = 100, before: Before = None) -> TransitionList:
    """The steps of all experiments, newest first."""
    found = chain.list_transitions(context, limit=limit, before=before)
    return TransitionList(transitions=found, next_before=following(found, limit))


@router.get("/audit/verify")
def verify(context: Opened) -> Verdict:
    """Check the whole chain in the database; the terminal command also asks the profiles' repositories."""
    return trail.verify_store(context.store)
