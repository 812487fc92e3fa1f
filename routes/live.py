"""Routes about live windows: what one will catch, has seen and waits for, and a person's word where it cannot tell."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ..ratchet.signing.questions import Question
from ..ratchet.window import deciding, explanation, live_window
from ..ratchet.window.deciding import Choice
from ..ratchet.window.explanation import Explanation
from ..ratchet.window.live_plan import LivePlan
from ..ratchet.window.memberships import Membership
from ..reviewing.payload import Purpose
from ..stats.calibration import Verdict
from ..stats.together import JointDecision, MeasureLooks
from .answers import ERRORS, RatchetRoute
from .asking import Identifier, Opened, Principal, Sentence
from .signing import SignedBody

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["live"])


class LiveWindow(BaseModel):
    """Where a window stands. Of a proposal whose plan is ready it says what its window would be."""

    experiment_id: int
    state: str
    verdict: Verdict
    badge: str = Field(description="What the verdict rests on, such as 'success, errors and tokens' or 'success only'.")
    reason: str
    asks: bool = Field(description="A person has to decide: POST .../decide.")
    contaminated: str | None = Field(description="What else changed while the window was open.")
    counted: int
    sessions_left: int | None = Field(description="To count until it may be verified; null when nothing waits for any.")
    left_out: int = Field(description="Sessions the change is about that could not be counted.")
    errors: int
    ends_at: datetime | None = Field(description="When it ends undecided; null before the change went live.")
    explanation: Explanation
    decision: JointDecision | None = Field(description="Null when nothing is tested.")
    looks: list[MeasureLooks]
    plan: LivePlan
    sessions: list[Membership]


class DecideBody(SignedBody):
    decision: Choice = Field(description="Keep it, accepted by you; or take it back.")
    reason: Sentence = Field(min_length=1, description="Why; it is signed with the decision.")


class Decided(BaseModel):
    ok: Literal[True] = True
    state: Literal["verified", "reverted"]
    revert_commit_sha: str | None


@router.get("/experiments/{experiment_id}/live")
def live(context: Opened, experiment_id: Identifier) -> LiveWindow:
    """A live window: plan, sessions, verdict so far, and all of it in sentences."""
    found = live_window.status(context, experiment_id)
    return LiveWindow(
        experiment_id=found.experiment.id,
        state=found.experiment.state,
        verdict=found.verdict,
        badge=explanation.badge(found),
        reason=found.reason,
        asks=found.asks,
        contaminated=found.contaminated,
        counted=found.counted,
        sessions_left=found.sessions_left,
        left_out=len(found.left_out),
        errors=found.errors,
        ends_at=found.ends_at,
        explanation=explanation.explain(context, found),
        decision=found.decision,
        looks=list(found.looks),
        plan=found.plan,
        sessions=list(found.members),
    )


@router.post("/experiments/{experiment_id}/decide")
def decide(context: Opened, experiment_id: Identifier, principal: Principal, body: DecideBody) -> Decided:
    """Keep a change whose window was inconclusive, or take it back."""
    actor = body.by(principal)
    question = Question(Purpose.DECIDE, experiment_id, decision=body.decision.value, reason=body.reason)
    signed = body.signed(context, question, actor)
    done = deciding.decide(context, experiment_id, body.decision, body.reason, actor, signed=signed)
    return Decided(
        state="verified" if done.state == "verified" else "reverted", revert_commit_sha=done.revert_commit_sha
    )
