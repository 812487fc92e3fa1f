"""Failed signatures and passphrases cost time: each one is kept, and every further one doubles the wait.

A try is written down before it is made, so that neither many processes at once nor a killed one gets a guess for free.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, or_, select, update

from .. import clock
from .._db import Store
from ..errors import RatchetError
from ..schema.reviewing import signature_attempts
from .refusals import KeyUnusable, PayloadRefused, SignatureRefused, TooManyAttempts, WrongPassphrase

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

_FAILURES = (SignatureRefused, WrongPassphrase, KeyUnusable, PayloadRefused)
_LONGEST_REASON = 300


class Outcome(StrEnum):
    """How a try ended; one that has no outcome counts as refused. Withdrawn: it failed for another reason."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Limit:
    """So many failures are free; then one second, doubled by each further failure up to the longest wait."""

    free: int
    longest_s: int

    def wait(self, failures: int) -> timedelta:
        """How long after the newest of ``failures`` the next try may come."""
        if failures <= self.free:
            return timedelta(0)
        return timedelta(seconds=min(2 ** min(failures - self.free - 1, 30), self.longest_s))


PER_PRINCIPAL = Limit(free=3, longest_s=900)
"""Counted since the principal last succeeded, at most a day back."""

IN_TOTAL = Limit(free=20, longest_s=60)
"""Counted over the last hour, whoever failed. The shorter wait keeps a stranger from locking the reviewer out."""

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


@contextmanager
def counted(store: Store, principal: str, purpose: str) -> Iterator[None]:
    """Around one try to sign or to open a key: refuses it when it comes too soon, and keeps how it ended.

    Raises TooManyAttempts. Opens transactions of its own, so none may be open around it.
    """
    number = _begin(store, principal, purpose)
    try:
        yield
    except _FAILURES as error:
        _end(store, number, Outcome.REFUSED, error)
        raise
    except RatchetError as error:
        _end(store, number, Outcome.WITHDRAWN, error)
        raise
    _end(store, number, Outcome.ACCEPTED)


def check(store: Store, principal: str) -> None:
    """Whether a try would be let in now: nobody should have to type what is refused anyway. Raises TooManyAttempts."""
    with store.read() as tx:
        _check(tx, principal, clock.now())


def _begin(store: Store, principal: str, purpose: str) -> int:
    moment = clock.now()
    with store.write() as tx:
        _check(tx, principal, moment)
        row = {"principal": principal, "purpose": purpose, "started_at": clock.stamp(moment)}
        return int(tx.execute(insert(signature_attempts).values(row)).lastrowid)


def _check(tx: Connection, principal: str, moment: datetime) -> None:
    wait = max(_wait_of(tx, principal, moment), _wait_of_all(tx, moment))
    if wait > timedelta(0):
        seconds = int(wait.total_seconds()) + 1
        raise TooManyAttempts(
            f"Too many signatures or passphrases failed. Try again in {seconds} s; if it was not you, look at "
            "hermes ratchet reviewer list.",
            retry_after_s=seconds,
        )


def _end(store: Store, number: int, outcome: Outcome, error: RatchetError | None = None) -> None:
    ended = {"outcome": outcome.value, "ended_at": clock.stamp()}
    reason = error.message[:_LONGEST_REASON] if error else None
    with store.write() as tx:
        tx.execute(update(signature_attempts).where(signature_attempts.c.id == number).values(**ended, reason=reason))


def _wait_of(tx: Connection, principal: str, moment: datetime) -> timedelta:
    table = signature_attempts
    theirs = table.c.principal == principal
    succeeded = select(func.coalesce(func.max(table.c.id), 0)).where(theirs, table.c.outcome == Outcome.ACCEPTED.value)
    return _wait(tx, PER_PRINCIPAL, moment, _DAY, theirs, table.c.id > succeeded.scalar_subquery())


def _wait_of_all(tx: Connection, moment: datetime) -> timedelta:
    return _wait(tx, IN_TOTAL, moment, _HOUR)


def _wait(tx: Connection, limit: Limit, moment: datetime, horizon: timedelta, *among: ColumnElement[bool]) -> timedelta:
    """What is left of the wait after the newest failure, never longer than the limit's longest."""
    table = signature_attempts
    failed = or_(table.c.outcome.is_(None), table.c.outcome == Outcome.REFUSED.value)
    # A try that has yet to come was made up, to lock the reviewer out until then.
    recent = table.c.started_at.between(clock.stamp(moment - horizon), clock.stamp(moment))
    ended = func.max(func.coalesce(table.c.ended_at, table.c.started_at))
    query = select(func.count(), ended).where(failed, recent, *among)
    failures, newest = tx.execute(query).one()
    full = limit.wait(failures)
    return min(full, clock.parse(min(newest, clock.stamp(moment))) + full - moment) if failures else full
