"""The socket on which a page hears what happens: the append-only events, from any point on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fastapi import APIRouter, WebSocket, WebSocketDisconnect, status
from pydantic import BaseModel

from .. import host
from ..errors import BadInput, RatchetError
from ..ratchet import events
from ..ratchet.events import Event
from . import contexts
from .asking import ADMITTED

router = APIRouter(tags=["events"])

_BATCH = 500
_POLL_S = 0.5
_MAX_SOCKETS = 64
_open: set[WebSocket] = set()


class Batch(BaseModel):
    """Events oldest first; ``cursor`` is what a next socket begins with to miss none and to hear none twice."""

    events: list[Event]
    cursor: int


@router.websocket("/events")
async def tail(socket: WebSocket) -> None:
    """Sends batches ``{"events": [...], "cursor": N}``: everything after ``since``, then what comes; the first at once.

    Without ``since`` it begins with what comes next. Closes with 1008 when it is not allowed, with 1013 when too many
    are open, and when something is wrong with 1011 after a last ``{"error", "code"}``.
    """
    # The host's middleware, which guards HTTP, does not run for sockets.
    if not (socket.scope.get(ADMITTED) or host.socket_is_allowed(socket)):
        return await socket.close(status.WS_1008_POLICY_VIOLATION)
    await socket.accept()
    if len(_open) >= _MAX_SOCKETS:
        return await socket.close(status.WS_1013_TRY_AGAIN_LATER, "too many sockets are open")
    _open.add(socket)
    try:
        await _follow(socket)
    except WebSocketDisconnect:
        pass
    except RatchetError as error:
        await socket.send_json({"error": error.message, "code": error.code, **error.ids})
        await socket.close(status.WS_1011_INTERNAL_ERROR)
    finally:
        _open.discard(socket)


async def _follow(socket: WebSocket) -> None:
    since = _since(socket.query_params)
    told: int | None = None
    gone = asyncio.ensure_future(_until_gone(socket))
    try:
        while not gone.done():
            if not host.plugin_enabled(host.root()):
                return await socket.close(status.WS_1008_POLICY_VIOLATION, "the plugin is disabled")
            batch = await asyncio.to_thread(_read, since)
            since = batch.cursor
            if since != told:
                await socket.send_text(batch.model_dump_json())
                told = since
            if len(batch.events) < _BATCH:
                await asyncio.wait({gone}, timeout=_POLL_S)
    finally:
        gone.cancel()


async def _until_gone(socket: WebSocket) -> None:
    """Whatever the other side says is not for us; that it left is."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def _read(since: int | None) -> Batch:
    with contexts.lent() as context, context.store.read() as tx:
        if since is None:
            return Batch(events=[], cursor=events.newest_id(tx))
        found = events.since(tx, since, _BATCH)
    return Batch(events=found, cursor=found[-1].id if found else since)


def _since(query: Mapping[str, str]) -> int | None:
    text = query.get("since")
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise BadInput("since must be the number of an event, or 0 for all.")
    return int(text)
