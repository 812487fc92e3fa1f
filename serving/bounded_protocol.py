"""HTTP connections that cost little before anybody has proved anything: short headers, in time, few per address."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from .callers import caller

HEADERS_WITHIN_S = 10.0
MOST_SILENT = 100
"""Connections without a whole request; one more, and the oldest of whoever has most of them is closed."""
MOST_OF_ONE = 50
"""Connections of one address; one more, and its oldest silent one is closed, which may be that one."""


class BoundedProtocol(H11Protocol):
    """uvicorn's own, which limits a header to 64 KiB, with a limit on how long it may take to arrive."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        silent = [one for one in self.connections if isinstance(one, BoundedProtocol) and one._silence]
        callers = Counter(map(_caller, self.connections))
        if callers[_caller(self)] > MOST_OF_ONE:
            min((one for one in silent if _caller(one) == _caller(self)), key=_waits_until)._give_up()
        elif len(silent) > MOST_SILENT:
            most = Counter(map(_caller, silent)).most_common(1)[0][0]
            min((one for one in silent if _caller(one) == most), key=_waits_until)._give_up()

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


def _caller(connection: Any) -> str:
    return caller((connection.client or ("",))[0])


def _waits_until(one: BoundedProtocol) -> float:
    return one._silence.when() if one._silence else float("inf")
