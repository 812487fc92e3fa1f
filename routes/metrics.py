"""Routes about a profile's figures per window of time: list them, the newest of each profile, take in what is new."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ..observation import snapshots
from ..observation.snapshots import Snapshot
from .answers import ERRORS, RatchetRoute
from .asking import Before, Limit, Name, OfProfile, Opened, following

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["metrics"])


class Metrics(BaseModel):
    """Newest first. ``payload`` is JSON in a string; figures are null where they are unknown."""

    metrics: list[Snapshot]


class MetricsPage(Metrics):
    """Newest first; ``next_before`` asks for the next page."""

    next_before: int | None


class CollectBody(BaseModel):
    profile: Name


class Collected(BaseModel):
    collected: int = Field(description="How many windows were stored: one.")
    snapshots: list[Snapshot]


@router.get("/metrics")
def list_metrics(context: Opened, profile: OfProfile = None, limit: Limit = 100, before: Before = None) -> MetricsPage:
    """The windows of a profile, or of all."""
    found = snapshots.list_snapshots(context, profile=profile, limit=limit, before=before)
    if profile is not None and not found:
        context.home(profile)  # a misspelt name must not look like an empty list
    return MetricsPage(metrics=found, next_before=following(found, limit))


@router.get("/metrics/latest")
def latest_metrics(context: Opened) -> Metrics:
    """The newest window of every profile that has one."""
    return Metrics(metrics=snapshots.newest_of_each(context))


@router.post("/metrics/collect")
def collect(context: Opened, body: CollectBody) -> Collected:
    """Take in what sessions and log of a profile have that is new, as one more window."""
    return Collected(collected=1, snapshots=[snapshots.collect(context, body.profile)])
