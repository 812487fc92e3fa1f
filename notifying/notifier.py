"""Keeps all targets told without ever keeping its caller waiting: one short-lived thread per target with news."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from ..ratchet.context import Context
from ..settings import NotifyTarget
from . import cursors, delivery, messages
from .cursors import Cursor
from .failures import Undelivered

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TargetState:
    """How it stands with one target. ``waiting`` events are still to be told, in one line or several."""

    label: str
    waiting: int
    sent: int
    sent_at: str | None
    failures: int
    last_error: str | None
    retry_at: str | None


@dataclass(frozen=True)
class Trial:
    """What came of a test message; ``error`` is None when it was delivered."""

    label: str
    error: str | None


class Notifier:
    """One per daemon. What is not told yet stands in the events table, so nothing queues up in memory."""

    def __init__(self) -> None:
        self._at_work: dict[str, threading.Thread] = {}

    def poke(self, context: Context) -> None:
        """Start telling whoever has something to be told. Returns at once. Raises StoreUnavailable."""
        for target in _with_news(context):
            name = cursors.identity(target)
            running = self._at_work.get(name)
            if running is None or not running.is_alive():
                self._at_work[name] = threading.Thread(target=_tell, args=(context, target), daemon=True)
                self._at_work[name].start()

    def finish(self, seconds: float) -> bool:
        """Wait for deliveries under way, at most that long. Returns whether all of them ended."""
        deadline = time.monotonic() + seconds
        for thread in self._at_work.values():
            thread.join(max(deadline - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._at_work.values())


def tell_now(context: Context) -> list[TargetState]:
    """One round for all targets, for a process that then ends. Returns how each stands. Raises StoreUnavailable."""
    notifier = Notifier()
    notifier.poke(context)
    notifier.finish(4 * context.settings.notify.timeout_s)  # at most three messages each, and the writing between
    return standing(context)


def standing(context: Context) -> list[TargetState]:
    """How each configured target stands. Raises StoreUnavailable."""
    with context.store.read() as tx:
        rows = [(target, cursors.load(tx, target)) for target in _targets(context)]
        counts = [len(delivery.pending(tx, row, context.settings.notify)) if row else 0 for _, row in rows]
    return [_state(target, row, count) for (target, row), count in zip(rows, counts, strict=True)]


def try_targets(context: Context) -> list[Trial]:
    """Send each target a test message, one after the other."""
    settings, trials = context.settings.notify, list[Trial]()
    for target in _targets(context):
        try:
            delivery.send(target, messages.trial(settings.dashboard_url), settings)
        except Undelivered as error:
            trials.append(Trial(cursors.label(target), error.message))
        else:
            trials.append(Trial(cursors.label(target), None))
    return trials


def _with_news(context: Context) -> list[NotifyTarget]:
    settings, targets = context.settings.notify, _targets(context)
    with context.store.read() as tx:
        is_met = cursors.known(tx) == {cursors.identity(target) for target in targets}
        news = [target for target in targets if delivery.messages_due(tx, target, settings)]
        behind = [target for target in targets if delivery.is_far_behind(tx, target, settings)]
    if not is_met or behind:
        with context.store.write() as tx:
            cursors.meet(tx, targets)
            for target in behind:
                delivery.catch_up(tx, target, settings)
    return news


def _targets(context: Context) -> list[NotifyTarget]:
    """The configured targets, each once."""
    return list({cursors.identity(target): target for target in context.settings.notify.targets}.values())


def _tell(context: Context, target: NotifyTarget) -> None:
    try:
        delivery.deliver(context, target)
    except Exception as error:  # the store, the disk, the end of the process: the next poke tries again
        log.warning("%s: %s", cursors.label(target), error)


def _state(target: NotifyTarget, row: Cursor | None, waiting: int) -> TargetState:
    if row is None:
        return TargetState(cursors.label(target), 0, 0, None, 0, None, None)
    return TargetState(row.label, waiting, row.sent, row.sent_at, row.failures, row.last_error, row.retry_at)
