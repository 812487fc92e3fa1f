"""The route about baselines: what a profile's files scored before each change."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from ..evaluation.gating import baselines
from ..evaluation.gating.baselines import Baseline
from .answers import ERRORS, RatchetRoute
from .asking import Before, Limit, OfProfile, Opened, following

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["evaluation"])


class BaselineList(BaseModel):
    """A page of baselines, newest first; ``models`` is JSON in a string."""

    baselines: list[Baseline]
    next_before: int | None


@router.get("/baselines")
def list_baselines(
    context: Opened, profile: OfProfile = None, limit: Limit = 100, before: Before = None
) -> BaselineList:
    """The baselines of a profile, or of all."""
    found = baselines.list_baselines(context, profile=profile, limit=limit, before=before)
    if profile is not None and not found:
        context.home(profile)  # a misspelt name must not look like an empty list
    return BaselineList(baselines=found, next_before=following(found, limit))
