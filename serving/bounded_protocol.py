"""HTTP connections that cost little before anybody has proved anything: short headers, in time, few that are silent."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_WITHIN_S = 10.0
MOST_SILENT = 100
"""Connections without a whole request; one more, and the oldest of them is closed."""


class BoundedProtocol(H11Protocol):
    """uvicorn's own, which limits a header to 64 KiB, with a limit on how long it may take to arrive."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        silent = [one for one in self.connections if isinstance(one, BoundedProtocol) and one._silence]
        if len(silent) > MOST_SILENT:
            min(silent, key=_waits_until)._give_up()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self not in self.connections:  # it is a WebSocket now
            return
        if self.cycle is None or self.cycle.response_complete:
            self._wait()
        else:
            self._heard()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._heard()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._heard()
        super().connection_lost(exc)

    def _wait(self) -> None:
        """Bytes that are no whole request yet do not buy more time."""
        if self._silence is None:
            self._silence = self.loop.call_later(HEADERS_WITHIN_S, self._give_up)

    def _heard(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _give_up(self) -> None:
        self._heard()
        self.transport.abort()


def _waits_until(one: BoundedProtocol) -> float:
    return one._silence.when() if one._silence else float("inf")
