"""How far each target has been told, how much it may still be told this hour, and how its last delivery went."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from .. import clock
from .._db import as_record
from ..ratchet import events
from ..schema.watching import notify_cursors
from ..settings import CommandTarget, HermesTarget, NotifySettings, NotifyTarget, WebhookTarget
from .messages import Message

if TYPE_CHECKING:
    from sqlalchemy import Connection

_AT_ONCE = 5.0  # messages a target that was left alone may get in a row
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 30.0, 3600.0


@dataclass(frozen=True)
class Cursor:
    """One target's row; see the table."""

    target: str
    label: str
    event_id: int
    allowance: float
    allowance_at: str
    sent: int = 0
    sent_at: str | None = None
    failures: int = 0
    last_error: str | None = None
    retry_at: str | None = None

    @property
    def is_due(self) -> bool:
        """Whether it need not be left alone after a failure."""
        return self.retry_at is None or clock.parse(self.retry_at) <= clock.now()

    def refilled(self, settings: NotifySettings) -> Cursor:
        """With what the time since has added to its allowance."""
        seconds = (clock.now() - clock.parse(self.allowance_at)).total_seconds()
        earned = max(seconds, 0.0) * settings.per_hour / 3600
        most = min(_AT_ONCE, settings.per_hour)
        return replace(self, allowance=min(self.allowance + earned, most), allowance_at=clock.stamp())

    def told(self, message: Message) -> Cursor:
        """After a delivery."""
        done = replace(self, event_id=message.event_id, allowance=self.allowance - 1, sent=self.sent + 1)
        return replace(done, sent_at=clock.stamp(), failures=0, last_error=None, retry_at=None)

    def failed(self, why: str) -> Cursor:
        """After a failure; each one in a row doubles the pause."""
        pause = min(_FIRST_PAUSE_S * 2.0 ** min(self.failures, 20), _LONGEST_PAUSE_S)
        retry_at = clock.stamp(clock.now() + timedelta(seconds=pause))
        return replace(self, failures=self.failures + 1, last_error=why, retry_at=retry_at)


def identity(target: NotifyTarget) -> str:
    """A target's name in the store: a digest, because an address may hold a secret."""
    return hashlib.sha256(target.model_dump_json().encode()).hexdigest()


def label(target: NotifyTarget) -> str:
    """A target's name for people: enough to know it by, nothing secret."""
    match target:
        case HermesTarget():
            return f"hermes {target.target}"
        case CommandTarget():
            return f"command {target.argv[0].rsplit('/', 1)[-1]}"
        case WebhookTarget():
            return f"webhook {target.url.split('://')[-1].split('/')[0].rsplit('@', 1)[-1]}"


def load(tx: Connection, target: NotifyTarget) -> Cursor | None:
    """None for a target that was never met."""
    row = tx.execute(select(notify_cursors).where(notify_cursors.c.target == identity(target))).one_or_none()
    return None if row is None else as_record(Cursor, row)


def meet(tx: Connection, targets: Sequence[NotifyTarget]) -> None:
    """Begin with new targets at today's events, and forget those that are gone: coming back they begin anew."""
    names = {identity(target) for target in targets}
    tx.execute(delete(notify_cursors).where(notify_cursors.c.target.not_in(names)))
    newest = newest_event(tx)
    for target in targets:
        if load(tx, target) is None:
            put(tx, Cursor(identity(target), label(target), newest, _AT_ONCE, clock.stamp()))


def newest_event(tx: Connection) -> int:
    """The id of the newest event; 0 when there is none."""
    return int(tx.exec_driver_sql("SELECT coalesce(max(id), 0) FROM events").scalar_one())


def known(tx: Connection) -> set[str]:
    """The targets that have a row."""
    return set(tx.execute(select(notify_cursors.c.target)).scalars())


def put(tx: Connection, cursor: Cursor) -> None:
    tx.execute(delete(notify_cursors).where(notify_cursors.c.target == cursor.target))
    tx.execute(notify_cursors.insert().values(asdict(cursor)))


def note_failure(tx: Connection, cursor: Cursor, why: str) -> Cursor:
    """Write a failure down; the first one in a row is an event."""
    failed = cursor.failed(why)
    put(tx, failed)
    if failed.failures == 1:
        events.emit(tx, "notify.failed", target=failed.label, error=why)
    return failed
