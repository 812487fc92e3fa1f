"""Routes about a profile: its figures, pausing it, resuming it."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from .. import host
from ..evaluation.judging.judge import JUDGE, PROPOSER
from ..installation import overview
from ..installation.overview import ProfileOverview
from ..ratchet import controls
from ..ratchet.context import Context
from ..ratchet.signing import unlocking
from ..ratchet.signing.questions import Question
from ..reviewing.payload import Purpose
from .answers import ERRORS, RatchetRoute
from .asking import Opened, Principal, ProfileName, ReasonBody
from .signing import SignedBody

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["profiles"])


class ScenarioCounts(BaseModel):
    train: int
    holdout: int


class ExperimentCounts(BaseModel):
    proposed: int
    approved: int
    live: int
    verified: int
    reverted: int
    rejected: int


class ProfileFigures(BaseModel):
    """Scores and times are null before there was any; model names, of the root home's settings, without a choice."""

    profile: str
    paused: bool
    configured: bool
    target_relpath: str
    profile_root: str
    proposer_model: str | None
    judge_model: str | None
    live_sessions_target: int
    scenario_counts: ScenarioCounts
    experiment_counts: ExperimentCounts
    latest_baseline_score: float | None
    last_collection_at: str | None
    last_proposal_at: str | None
    last_verification_at: str | None
    holdout_unlocked_until: str | None = Field(description="While it lasts, held-out scenarios are shown whole.")


class ProfilePaused(BaseModel):
    ok: Literal[True] = True
    profile: str
    paused: bool


class ProfileStatus(ProfileFigures):
    """``state`` is paused, backing off, live, approved, proposed or idle: the first that fits."""

    state: str
    in_flight: int | None = Field(description="The experiment that is approved or live.")


class ProfileList(BaseModel):
    """Every profile of this machine, the default one first."""

    profiles: list[ProfileStatus]


@router.get("/profiles")
def list_profiles(context: Opened) -> ProfileList:
    """Every profile with its status and figures."""
    return ProfileList(profiles=[_status(context, found) for found in overview.look(context).profiles])


@router.get("/profiles/{profile}")
def get_profile(context: Opened, profile: ProfileName) -> ProfileFigures:
    """One profile with its figures."""
    (found,) = overview.look(context, profile).profiles
    return _figures(context, found)


def _status(context: Context, found: ProfileOverview) -> ProfileStatus:
    flight = found.in_flight.id if found.in_flight else None
    return ProfileStatus(**dict(_figures(context, found)), state=found.standing.value, in_flight=flight)


def _figures(context: Context, found: ProfileOverview) -> ProfileFigures:
    judge = host.auxiliary_route(JUDGE)
    return ProfileFigures(
        profile=found.profile,
        paused=bool(found.control.paused),
        configured=host.plugin_enabled(found.home),
        target_relpath="SOUL.md",
        profile_root=str(found.home),
        proposer_model=(host.auxiliary_route(PROPOSER) or host.main_route()).model or None,
        judge_model=judge.model if judge else None,
        live_sessions_target=context.settings.window.n,
        scenario_counts=ScenarioCounts(**found.scenario_counts),
        experiment_counts=ExperimentCounts(**found.experiment_counts),
        latest_baseline_score=found.baseline_score,
        last_collection_at=found.last_collection_at,
        last_proposal_at=found.last_proposal_at,
        last_verification_at=found.last_verification_at,
        holdout_unlocked_until=unlocking.shown_until(context, found.profile),
    )


@router.post("/profiles/{profile}/pause")
def pause(context: Opened, profile: ProfileName, principal: Principal, body: ReasonBody | None = None) -> ProfilePaused:
    """Stop everything that changes this profile, except taking back a live change that failed."""
    asked = body or ReasonBody()
    done = controls.pause(context, profile, asked.by(principal), asked.reason or "")
    return ProfilePaused(profile=done.profile, paused=bool(done.paused))


@router.post("/profiles/{profile}/resume")
def resume(
    context: Opened, profile: ProfileName, principal: Principal, body: SignedBody | None = None
) -> ProfilePaused:
    """Let changes go on; a reviewer signs it, where reviewers are set up."""
    asked = body or SignedBody()
    actor = asked.by(principal)
    signed = asked.signed(context, Question(Purpose.RESUME, profile=profile), actor)
    done = controls.resume(context, profile, actor, signed)
    return ProfilePaused(profile=done.profile, paused=bool(done.paused))
