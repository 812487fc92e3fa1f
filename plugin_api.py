"""The router the dashboard mounts under ``/api/plugins/karpathy-self-improve``; the routes stand in ``routes/``."""

from __future__ import annotations

from fastapi import APIRouter


def _assembled() -> APIRouter:
    try:
        from .routes import (
            audit,
            baselines,
            events,
            experiments,
            exports,
            feedback,
            health,
            jobs,
            labels,
            live,
            metrics,
            profiles,
            proposing,
            review,
            reviewers,
            scenario_files,
            scenarios,
        )
    except ImportError as error:
        from .routes.missing import router_for

        return router_for(error)
    whole = APIRouter()
    parts = (
        health,
        metrics,
        experiments,
        review,
        reviewers,
        live,
        scenario_files,  # before those that take a number in the same place
        scenarios,
        profiles,
        proposing,
        jobs,
        feedback,
        labels,
        baselines,
        audit,
        exports,
        events,
    )
    for part in parts:
        whole.include_router(part.router)
    return whole


router = _assembled()
