"""What every route answers while Python packages are missing: which, and the command that installs them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from ..installation import dependencies

_METHODS = ["GET", "POST", "PATCH", "DELETE"]


def router_for(error: ImportError) -> APIRouter:
    """A router that answers everything with 503 and the reason."""
    router = APIRouter()

    def answer() -> JSONResponse:
        return JSONResponse({"error": dependencies.explain(error), "code": "dependency_missing"}, 503)

    router.add_api_route("/{path:path}", answer, methods=_METHODS, include_in_schema=False)
    return router
