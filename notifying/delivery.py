"""Delivers to one target what it has not been told yet: each event once, many at once as a single line.

The cursor moves after a delivery: a process killed in between tells the same event again rather than never.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..ratchet.context import Context
from ..settings import CommandTarget, HermesTarget, NotifySettings, NotifyTarget, WebhookTarget
from . import cursors, messages, programs, webhook
from .cursors import Cursor
from .failures import Undelivered
from .messages import Message, Subject

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MOST_EVENTS = 500
_ONE_BY_ONE = 3
_UNINTERESTING = 2_000
_FAILURES = "coalesce(json_extract(payload, '$.failures'), 0)"
# A profile that keeps failing is told of at its first, second, fourth, eighth ... failure in a row.
_WORTH_TELLING = (
    "CASE WHEN kind <> 'daemon.failure' OR NOT json_valid(payload) THEN 1"
    f" ELSE ({_FAILURES} & ({_FAILURES} - 1)) = 0 END"
)


def send(target: NotifyTarget, message: Message, settings: NotifySettings) -> None:
    """One attempt. Raises Undelivered."""
    match target:
        case HermesTarget():
            programs.send_by_host(target.target, message, settings.timeout_s)
        case CommandTarget():
            programs.run_command(target.argv, message, settings.timeout_s)
        case WebhookTarget():
            webhook.post(target.url, message, settings.webhook_hosts, settings.timeout_s)


def deliver(context: Context, target: NotifyTarget) -> None:
    """Tell a target what is due; a failure is written down and tried again later. Raises StoreUnavailable."""
    settings = context.settings.notify
    with _alone(context, target) as is_alone:
        if not is_alone:
            return
        with context.store.read() as tx:
            cursor, due = cursors.load(tx, target), messages_due(tx, target, settings)
        for message in due:
            cursor = cursor and _attempt(context, target, message, cursor.refilled(settings))
            if cursor is None or cursor.failures:
                return


def messages_due(tx: Connection, target: NotifyTarget, settings: NotifySettings) -> list[Message]:
    """What a target is to be told now; nothing while it is left alone or has had enough for the moment."""
    cursor = cursors.load(tx, target)
    if cursor is None or not cursor.is_due:
        return []
    waiting, allowance = pending(tx, cursor, settings), cursor.refilled(settings).allowance
    if not waiting or allowance < 1:
        return []
    if len(waiting) <= min(_ONE_BY_ONE, allowance):
        return [messages.about(event, settings.dashboard_url) for event in waiting]
    return [messages.summary(waiting, settings.dashboard_url)]


def pending(tx: Connection, cursor: Cursor, settings: NotifySettings) -> list[Subject]:
    """The events a target has yet to be told of, oldest first, at most 500."""
    marks = ", ".join("?" for _ in settings.events)
    rows = tx.exec_driver_sql(
        "SELECT id, kind, profile, experiment_id FROM events"
        f" WHERE id > ? AND kind IN ({marks}) AND {_WORTH_TELLING} ORDER BY id LIMIT {_MOST_EVENTS}",
        (cursor.event_id, *settings.events),
    )
    return [Subject(*row) for row in rows]


def is_far_behind(tx: Connection, target: NotifyTarget, settings: NotifySettings) -> bool:
    """Whether a long stretch of events, none of them worth telling, is read again and again."""
    cursor = cursors.load(tx, target)
    if cursor is None or cursors.newest_event(tx) - cursor.event_id <= _UNINTERESTING:
        return False
    return not pending(tx, cursor, settings)


def catch_up(tx: Connection, target: NotifyTarget, settings: NotifySettings) -> None:
    """Move the cursor of a target that :func:`is_far_behind` to today."""
    cursor = cursors.load(tx, target)
    if cursor and is_far_behind(tx, target, settings):
        cursors.put(tx, replace(cursor, event_id=cursors.newest_event(tx)))


def _attempt(context: Context, target: NotifyTarget, message: Message, cursor: Cursor) -> Cursor:
    try:
        send(target, message, context.settings.notify)
    except Undelivered as error:
        why = error.message
    except Exception as error:
        why = f"It failed in a way that was not foreseen ({type(error).__name__})."
    else:
        told = cursor.told(message)
        with context.store.write() as tx:
            cursors.put(tx, told)
        return told
    with context.store.write() as tx:
        return cursors.note_failure(tx, cursor, why)


@contextmanager
def _alone(context: Context, target: NotifyTarget) -> Iterator[bool]:
    """Whether no other process tells this target at the moment."""
    folder = context.data / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(folder / f"notify-{cursors.identity(target)[:16]}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(fd)
