"""A daemon that died without a word is noticed by whoever looks next, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from karpathy_self_improve import clock
from karpathy_self_improve.notifying.watchdog import note_dead_daemon
from karpathy_self_improve.ratchet import lease


@pytest.fixture
def silent(telling: Any) -> Any:
    """A daemon was there, and was last heard of ten minutes ago."""
    telling.configure(telling.command())
    lease.acquire(telling.context, "dead:1:abc")
    be_silent(telling, minutes=10)
    return telling


def be_silent(telling: Any, minutes: float) -> None:
    heard = clock.stamp(clock.now() - timedelta(minutes=minutes))
    with telling.context.store.write() as tx:
        tx.exec_driver_sql("UPDATE leases SET heartbeat_at = ?", (heard,))


def test_it_is_noticed_and_told_once(silent: Any) -> None:
    assert note_dead_daemon(silent.context)
    assert not note_dead_daemon(silent.context)
    silent.round()
    (line,) = silent.told()
    assert "daemon is not heard of" in line


def test_the_next_death_is_told_again(silent: Any) -> None:
    note_dead_daemon(silent.context)
    lease.acquire(silent.context, "next:2:def")
    assert not note_dead_daemon(silent.context)
    be_silent(silent, minutes=20)
    assert note_dead_daemon(silent.context)


def test_one_that_said_goodbye_is_not_dead(silent: Any) -> None:
    lease.release(silent.context, "dead:1:abc")
    assert not note_dead_daemon(silent.context)


def test_one_that_only_slept_is_not_dead_to_itself(silent: Any) -> None:
    assert not note_dead_daemon(silent.context, me="dead:1:abc")


def test_a_successor_notices_sooner(telling: Any) -> None:
    lease.acquire(telling.context, "dead:1:abc")
    be_silent(telling, minutes=1)
    assert not note_dead_daemon(telling.context)
    assert note_dead_daemon(telling.context, silent_s=30, me="next:2:def")


def test_where_there_never_was_one_none_is_dead(telling: Any) -> None:
    assert not note_dead_daemon(telling.context)
