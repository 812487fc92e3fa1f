"""Guessing costs time: failures are kept across processes, each further one doubles the wait, no guess is free."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from karpathy_self_improve import clock
from karpathy_self_improve._db import open_store
from karpathy_self_improve.errors import ProfilePaused, RatchetError
from karpathy_self_improve.reviewing import attempts
from karpathy_self_improve.reviewing.refusals import SignatureRefused, TooManyAttempts, WrongPassphrase

ME, OTHER = "os:me", "dashboard"


class Clock:
    """The time of this process, moved by hand."""

    def __init__(self) -> None:
        self.moment = datetime.fromisoformat("2026-11-20T10:00:00+00:00")

    def now(self) -> datetime:
        return self.moment

    def pass_(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(clock, "now", made.now)
    return made


def attempt(desk: Any, error: RatchetError | None = None, principal: str = ME) -> None:
    with suppress(type(error) if error else ()), attempts.counted(desk.store, principal, "unlock"):
        if error:
            raise error


WRONG = WrongPassphrase("This is not the passphrase.")


def waits(desk: Any, principal: str = ME) -> int:
    """Seconds that the next try has to wait; 0 when it may go ahead. The try itself is withdrawn."""
    try:
        attempt(desk, ProfilePaused("only asking"), principal)
    except TooManyAttempts as error:
        return int(error.ids["retry_after_s"]) - 1
    return 0


def test_three_failures_are_free_and_each_further_one_doubles_the_wait(desk: Any, time: Clock) -> None:
    found = []
    for _ in range(15):
        attempt(desk, WRONG)
        found.append(waits(desk))
        time.pass_(found[-1])
    assert found == [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_before_the_wait_is_over_even_the_right_passphrase_is_refused(desk: Any, time: Clock) -> None:
    for _ in range(4):
        attempt(desk, WRONG)
    with pytest.raises(TooManyAttempts), attempts.counted(desk.store, ME, "unlock"):
        pytest.fail("it was tried")
    time.pass_(1)
    attempt(desk)


def test_success_starts_the_count_anew(desk: Any, time: Clock) -> None:
    for _ in range(3):
        attempt(desk, WRONG)
    attempt(desk)
    attempt(desk, WRONG)
    assert waits(desk) == 0


def test_a_new_process_remembers(desk: Any, time: Clock) -> None:
    for _ in range(6):
        attempt(desk, SignatureRefused("no"))
        time.pass_(waits(desk))
    attempt(desk, SignatureRefused("no"))
    again = open_store(desk.store.path)
    with pytest.raises(TooManyAttempts), attempts.counted(again, ME, "approve"):
        pytest.fail("it was tried")
    again.close()


def test_who_is_killed_in_the_middle_has_failed(desk: Any, time: Clock) -> None:
    for _ in range(4):
        attempts.counted(desk.store, ME, "unlock").__enter__()
    assert waits(desk) == 1


def test_many_at_once_get_no_more_guesses_than_one_after_the_other(desk: Any, time: Clock) -> None:
    tried = []

    def guess(number: int) -> None:
        with suppress(TooManyAttempts, WrongPassphrase), attempts.counted(desk.store, ME, "unlock"):
            tried.append(number)
            raise WRONG

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(24)))
    assert len(tried) == 4


def test_what_fails_for_another_reason_is_no_failed_attempt(desk: Any, time: Clock) -> None:
    for _ in range(10):
        attempt(desk, ProfilePaused("paused"))
    assert waits(desk) == 0
    assert desk.events("signature.refused") == []


def test_others_wait_only_when_very_many_fail_and_never_long(desk: Any, time: Clock) -> None:
    for number in range(40):
        attempt(desk, WRONG, f"os:user{number}")
        time.pass_(waits(desk, OTHER))
    attempt(desk, WRONG, "os:user40")
    assert waits(desk, OTHER) == 60
    time.pass_(3_601)
    assert waits(desk, OTHER) == 0


def test_every_failure_leaves_a_trace_with_its_reason(desk: Any, time: Clock) -> None:
    attempt(desk, SignatureRefused("The signature expired."))
    (event,) = desk.events("signature.refused")
    assert event.payload == {"principal": ME, "purpose": "unlock", "reason": "The signature expired."}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM signature_attempts",
        "UPDATE signature_attempts SET outcome = 'accepted'",
        "UPDATE signature_attempts SET started_at = '2000'",
        "UPDATE signature_attempts SET id = 7",
        "REPLACE INTO signature_attempts (id, principal, purpose, started_at) VALUES (1, 'x', 'x', 'x')",
    ],
)
def test_the_database_keeps_failures_as_they_were(desk: Any, statement: str) -> None:
    attempt(desk, WRONG)
    raw = desk.stranger()
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(statement)
    raw.close()


def test_failures_from_the_future_lock_nobody_out(desk: Any, time: Clock) -> None:
    with desk.store.write() as tx:
        for _ in range(25):
            tx.exec_driver_sql(
                "INSERT INTO signature_attempts (principal, purpose, started_at)"
                " VALUES (?, 'unlock', '9999-01-01T00:00:00.000000+00:00')",
                (ME,),
            )
    assert waits(desk) == 0
