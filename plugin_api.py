"""The router the dashboard mounts under ``/api/plugins/karpathy-self-improve``; the routes stand in ``routes/``."""

from __future__ import annotations

from fastapi import APIRouter


def _assembled() -> APIRouter:
    try:
        from .routes import experiments, health, jobs, profiles, scenarios
    except ImportError as error:
        from .routes.missing import router_for

        return router_for(error)
    whole = APIRouter()
    for part in (health, experiments, scenarios, profiles, jobs):
        whole.include_router(part.router)
    return whole


router = _assembled()
