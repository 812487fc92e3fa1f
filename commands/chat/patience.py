"""Carries out a chat's command in a thread of its own, and after a while stops waiting for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context

PATIENCE_S = 20.0
"""Longer than the 15 s for which a profile that is being changed is waited for; the host gives up after 30 s."""
_MOST_AT_ONCE = 8
_BUSY = "Too many commands of chats are being carried out. Try again in a moment."
_LATE = "Still working on this one after {:.0f} seconds. What came of it: /ratchet status"

_free = threading.BoundedSemaphore(_MOST_AT_ONCE)


async def in_time(work: Callable[[], str]) -> str:
    """What ``work`` returns, or, when that takes too long, that it goes on; ``work`` never raises.

    Not by the loop's own executor: its few threads serve the whole gateway, and a loop that ends waits for them.
    """
    if not _free.acquire(blocking=False):
        return _BUSY
    done: Future[str] = Future()
    done.set_running_or_notify_cancel()  # from here on giving up does not reach into the thread
    context = copy_context()

    def carry_out() -> None:
        try:
            done.set_result(context.run(work))
        finally:
            _free.release()

    threading.Thread(target=carry_out, name="ratchet-chat-command", daemon=True).start()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(done), PATIENCE_S)
    except TimeoutError:
        return _LATE.format(PATIENCE_S)
