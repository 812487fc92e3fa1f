"""Waits for a model in threads that never keep a process alive: a daemon must be gone soon after it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def begun(work: Callable[[], Result]) -> Future[Result]:
    """``work``, under way in a thread of its own; who no longer wants its result just leaves it."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="judge", daemon=True).start()
    return future


def all_at_once(works: Iterable[Callable[[], Result]]) -> list[Result]:
    """What each gives, in their order. Raises what the first of them raised."""
    return [future.result() for future in [begun(work) for work in works]]
