"""Routes about what persons say of real sessions: say it, list it."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ..ratchet import feedback
from ..ratchet.feedback import LONGEST_NOTE, Feedback
from .answers import ERRORS, RatchetRoute
from .asking import Before, Labelled, Limit, Name, OfProfile, Opened, Principal, following

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["feedback"])


class FeedbackBody(Labelled):
    profile: Name
    session_id: Name = Field(description="Of any part of the conversation, as the host names it.")
    good: bool = Field(description="Whether it went well.")
    note: str | None = Field(None, max_length=LONGEST_NOTE, description="Why.")


class FeedbackKept(BaseModel):
    """``session_id`` is that of the conversation's first part, under which it counts."""

    ok: Literal[True] = True
    feedback_id: int
    profile: str
    session_id: str
    good: bool


class FeedbackList(BaseModel):
    """A page, newest first; of a session the newest counts."""

    feedback: list[Feedback]
    next_before: int | None


@router.post("/feedback", status_code=201)
def give(context: Opened, body: FeedbackBody, principal: Principal) -> FeedbackKept:
    """Say how a real session went; it outweighs what is measured of that session."""
    kept = feedback.give(context, body.profile, body.session_id, body.good, body.note, body.by(principal))
    return FeedbackKept(feedback_id=kept.id, profile=kept.profile, session_id=kept.session_id, good=body.good)


@router.get("/feedback")
def list_feedback(
    context: Opened, profile: OfProfile = None, limit: Limit = 100, before: Before = None
) -> FeedbackList:
    """What was said of sessions."""
    found = feedback.list_feedback(context, profile=profile, limit=limit, before=before)
    if profile is not None and not found:
        context.home(profile)  # a misspelt name must not look like an empty list
    return FeedbackList(feedback=found, next_before=following(found, limit))
