"""Routes about background work: list, look, cancel."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from ..evaluation import jobs
from .answers import ERRORS, RatchetRoute
from .asking import Before, Identifier, Labelled, Limit, Opened, Principal, following
from .rows import JobRow

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["jobs"])

JobState = Literal["queued", "running", "finished", "failed", "cancelled"]


class JobList(BaseModel):
    """A page of jobs, newest first; ``next_before`` asks for the next one."""

    jobs: list[JobRow]
    next_before: int | None


class JobCancelled(BaseModel):
    """``state`` is still ``running`` when the job ends at its next step."""

    ok: Literal[True] = True
    job_id: int
    state: JobState


@router.get("/jobs")
def list_jobs(
    context: Opened,
    state: Annotated[JobState | None, Query(description="Only those in this state.")] = None,
    limit: Limit = 100,
    before: Before = None,
) -> JobList:
    """The jobs, newest first."""
    found = jobs.list_jobs(context, state, limit, before)
    return JobList(jobs=[JobRow.of(job) for job in found], next_before=following(found, limit))


@router.get("/jobs/{job_id}")
def get_job(context: Opened, job_id: Identifier) -> JobRow:
    """One job."""
    return JobRow.of(jobs.get_job(context, job_id))


@router.post("/jobs/{job_id}/cancel")
def cancel(context: Opened, job_id: Identifier, principal: Principal, body: Labelled | None = None) -> JobCancelled:
    """Cancel a queued job at once, a running one at its next step."""
    job = jobs.cancel(context, job_id, (body or Labelled()).by(principal))
    return JobCancelled.model_validate({"job_id": job.id, "state": job.state})
