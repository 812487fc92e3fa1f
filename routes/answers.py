"""The one shape of every failure: ``{"error", "code", ...ids}`` with the status its family stands for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import BadInput, Conflict, Forbidden, NotFound, RatchetError, Unavailable

_log = logging.getLogger(__name__)
_PATIENCE_S = 10.0  # the existing client gives up after twelve

STATUS: tuple[tuple[type[RatchetError], int], ...] = (
    (BadInput, 400),
    (NotFound, 404),
    (Forbidden, 403),
    (Conflict, 422),  # the only conflict code the existing client tells apart
    (Unavailable, 503),
)


class ErrorBody(BaseModel):
    """What happened and what to do, a stable code, and the rows and names involved."""

    model_config = ConfigDict(extra="allow")

    error: str = Field(description="One or two sentences for a person.")
    code: str = Field(description="Stable; never shown to a person.")


class HostErrorBody(BaseModel):
    """What the host itself answers before a request reaches this plugin."""

    detail: str = Field(description="The host's own words.")


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "Malformed, or out of range."},
    401: {"model": HostErrorBody | ErrorBody, "description": "No token; the host and the stand-alone server say so."},
    403: {"model": ErrorBody, "description": "Only a person with the right to do this may do it."},
    404: {
        "model": ErrorBody | HostErrorBody,
        "description": "No such experiment, scenario, job or profile; the host: no such path, or a disabled plugin.",
    },
    422: {"model": ErrorBody, "description": "Today's state refuses it."},
    429: {"model": ErrorBody, "description": "Too many wrong tokens; the stand-alone server says so."},
    500: {"model": ErrorBody, "description": "A fault of this plugin; the host's log has the details."},
    503: {"model": ErrorBody, "description": "The database, git or the disk does not work right now."},
}
"""The failures every route can answer with, for the OpenAPI document."""


class RatchetRoute(APIRoute):
    """A route whose every failure, request validation included, has our shape; the host's other routes keep theirs.

    It answers in time: what hangs (a git, a locked profile) goes on alone.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _answered_in_time(super().handle, scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def shaped(request: Request) -> Response:
            try:
                return await handle(request)
            except RatchetError as error:
                return failure(status_for(error), error.message, error.code, error.ids)
            except RequestValidationError as error:
                return failure(400, _first_reason(error), BadInput.code)
            except HTTPException as error:
                return failure(error.status_code, str(error.detail), BadInput.code)
            except Exception as error:
                _log.exception("%s %s", request.method, request.url.path)
                text = f"This should not happen: {type(error).__name__}. The host's log has the details."
                return failure(500, text, "internal")

        return shaped


_left_alone: set[asyncio.Task[None]] = set()


async def _answered_in_time(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Runs ``app``; after :data:`_PATIENCE_S` seconds without an answer, gives one that says so, and leaves it alone.

    The whole of it, not only the endpoint, and never cancelled: a thread goes on all the same, and what it works with
    (a context, a lock) must stay its own until it ends.
    """
    begun = asyncio.Event()
    left = False

    async def send_in_time(message: Message) -> None:
        begun.set()
        if left:
            raise OSError("nobody waits for this answer any more")
        await send(message)

    work = asyncio.ensure_future(_run(app, scope, receive, send_in_time))
    answered = asyncio.ensure_future(begun.wait())
    try:
        await asyncio.wait({work, answered}, timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if begun.is_set() or work.done():
            return await asyncio.shield(work)
    finally:
        answered.cancel()
        left = not work.done()
        if left:
            _left_alone.add(work)
            work.add_done_callback(_forget)
    text = "This takes long and goes on by itself. Look what became of it before you ask again."
    return await failure(503, text, "still_working")(scope, receive, send)


def _forget(work: asyncio.Task[None]) -> None:
    _left_alone.discard(work)
    if not work.cancelled():
        work.exception()  # heard, if only by us: nobody is there to be told


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def status_for(error: RatchetError) -> int:
    """The HTTP status of ``error``."""
    return next((status for family, status in STATUS if isinstance(error, family)), 500)


def written(answer: BaseModel) -> Response:
    """An answer as it goes out, for a route that is asked often: FastAPI would look through all of it once more."""
    return Response(answer.model_dump_json(), media_type="application/json")


def failure(status: int, message: str, code: str, ids: Mapping[str, object] | None = None) -> JSONResponse:
    """A failed answer."""
    # A message may quote what was sent, lone surrogates included, which JSON's bytes cannot carry.
    text = message.encode("utf-8", "backslashreplace").decode("utf-8")
    return JSONResponse({"error": text, "code": code, **(ids or {})}, status)


def _first_reason(error: RequestValidationError) -> str:
    """Which part of the request is wrong, and why, without repeating what was sent."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return "The body is not JSON. Correct it and send it again."
    where = ".".join(map(str, first["loc"][1:]))  # without "body", "query" or "path"
    why = first["msg"].removeprefix("Value error, ")
    return f"{where or 'The request'}: {why}. Correct it and send it again."
