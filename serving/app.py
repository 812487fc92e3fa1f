"""The application of the stand-alone server: the dashboard's router under the same path, and the same page."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from .. import host, plugin_api
from ..installation import package
from ..routes.answers import failure
from ..settings import PLUGIN
from .admission import Policy
from .guard import Guard

API = f"/api/plugins/{PLUGIN}"
PRINCIPAL = "server"
_DIST = Path(__file__).resolve().parents[1] / "dashboard" / "dist"
_PAGE = "server.html"
_FILES = {
    "server.js": "text/javascript",
    "server.css": "text/css",
    "index.js": "text/javascript",
    "style.css": "text/css",
}


def build(policy: Policy) -> ASGIApp:
    """The whole of it, guarded by ``policy``."""
    app = FastAPI(
        title="karpathy-self-improve",
        version=package.version(),
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(HTTPException, _in_our_shape)
    app.include_router(plugin_api.router, prefix=API)
    for path in ("/", "/self-improve"):  # the second is the dashboard's: links in messages lead there
        app.add_api_route(path, _page, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/page/{name}", _file, methods=["GET", "HEAD"], include_in_schema=False)
    return Guard(app, policy, PRINCIPAL, _enabled)


def _enabled() -> bool:
    return host.plugin_enabled(host.root())


def _page() -> FileResponse:
    return FileResponse(_DIST / _PAGE, media_type="text/html")


def _file(name: str) -> FileResponse:
    if name not in _FILES:
        raise HTTPException(404, "There is no such file.")
    return FileResponse(_DIST / name, media_type=_FILES[name])


async def _in_our_shape(_: Request, error: Exception) -> JSONResponse:
    """What FastAPI says of unknown paths and wrong methods."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return failure(status, f"{getattr(error, 'detail', error)}", "not_found" if status == 404 else "bad_input")
