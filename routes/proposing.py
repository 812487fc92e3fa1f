"""The route that asks the proposer for a change; the daemon carries it out."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ..proposal import requests
from ..proposal.skips import Skipped
from .answers import ERRORS, RatchetRoute, written
from .asking import DEFAULT_FILE, Opened, Principal, ProposeBody

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["proposing"])


class ProposalQueued(BaseModel):
    """The experiment and its score are null: neither is there before the job has run."""

    experiment_id: int | None = None
    offline_score: float | None = None
    job_id: int


class ProposalSkipped(BaseModel):
    skipped: Literal[True] = True
    reason: str


@router.post(
    "/propose",
    status_code=202,
    response_model=ProposalQueued,
    responses={200: {"model": ProposalSkipped, "description": "Nothing is asked for now, and why."}},
)
def propose(context: Opened, body: ProposeBody, principal: Principal) -> Response:
    """Ask the proposer for one small change; a request for the same file that is open already is answered again."""
    try:
        job = requests.ask(context, body.profile, body.target_relpath or DEFAULT_FILE, body.by(principal))
    except Skipped as skipped:
        return written(ProposalSkipped(reason=skipped.message))
    queued = written(ProposalQueued(job_id=job.id))
    queued.status_code = 202
    return queued
