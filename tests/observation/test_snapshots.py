"""Each session and each log record counts in exactly one window, whoever collects and whatever fails in between."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

from karpathy_self_improve._state_db import SessionsUnavailable
from karpathy_self_improve.errors import BadInput, ProfileBusy, UnknownProfile
from karpathy_self_improve.observation import snapshots
from karpathy_self_improve.observation.log_scan import LogUnavailable, scan
from karpathy_self_improve.observation.snapshots import (
    Rates,
    Snapshot,
    baseline,
    collect,
    list_snapshots,
    newest,
    newest_of_each,
    rates,
)
from karpathy_self_improve.ratchet.context import Context, open_context

DAY = 86_400.0


class Stage:
    """A home with the host's own store of sessions and a log, and windows collected from it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home / "logs" / "agent.log"
        self.log.parent.mkdir(exist_ok=True)
        self.db = SessionDB(db_path=home / "state.db")
        self.context = open_context()
        self.talks = 0
        self.numbers = itertools.count()

    def talk(self, *, over: bool = True, tokens: int = 10, cost: float | None = None, source: str = "cli") -> str:
        self.talks += 1
        name = f"s{self.talks}"
        self.db.create_session(name, source, model="m", system_prompt="prompt")
        self.db.append_message(name, "user", "hello")
        self.use(name, tokens, cost)
        if over:
            self.db.end_session(name, "cli_close")
        return name

    def use(self, name: str, tokens: int, cost: float | None = None) -> None:
        spent: dict[str, Any] = {} if cost is None else {"estimated_cost_usd": cost, "cost_status": "estimated"}
        self.db.update_token_counts(name, input_tokens=tokens, **spent)

    def move(self, name: str, seconds: float) -> None:
        """Have a session begin earlier, or later, than it did."""
        with sqlite3.connect(self.home / "state.db") as database:
            database.execute("UPDATE sessions SET started_at = started_at + ? WHERE id = ?", (seconds, name))
        database.close()

    def write(self, warnings: int = 0, errors: int = 0, logger: str = "agent.x") -> None:
        with self.log.open("a") as file:
            for level in ["WARNING"] * warnings + ["ERROR"] * errors:
                file.write(f"2026-11-20 10:00:00,000 {level} [s1] {logger}: number {next(self.numbers)}\n")

    def collect(self) -> Snapshot:
        return collect(self.context, "default")

    def sessions(self) -> int:
        """How many are new in a window that ends now."""
        return self.collect().sessions_count


@pytest.fixture
def stage(home: Path) -> Iterator[Stage]:
    found = Stage(home)
    yield found
    found.context.store.close()
    found.db.close()


def test_a_window_holds_what_happened_since_the_one_before(stage: Stage) -> None:
    stage.talk(tokens=100, cost=0.5)
    stage.write(warnings=3, errors=2)
    first = stage.collect()
    assert (first.sessions_count, first.warn_count, first.error_count, first.retries) == (1, 3, 2, 0)
    assert (first.tokens, first.cost, first.window_started_at) == (100, 0.5, None)
    stage.talk(tokens=7, cost=0.25)
    stage.talk(tokens=8, cost=0.125)
    stage.write(errors=1, logger="tools.y")
    second = stage.collect()
    assert (second.sessions_count, second.warn_count, second.error_count) == (2, 0, 1)
    assert (second.tokens, second.cost) == (15, 0.375)
    assert (second.from_offset, second.to_offset) == (first.to_offset, stage.log.stat().st_size)
    assert second.window_started_at == first.window_ended_at == first.captured_at
    payload = json.loads(second.payload)
    assert payload["log"]["loggers"] == {"tools.y": {"warnings": 0, "errors": 1}}
    assert payload["log"]["sessions"] == {"s1": {"warnings": 0, "errors": 1}}
    third = stage.collect()
    assert (third.sessions_count, third.warn_count, third.error_count, third.tokens, third.cost) == (0, 0, 0, 0, 0)


def test_what_is_stored_is_what_was_collected(stage: Stage) -> None:
    stage.talk(cost=0.1)
    stage.write(errors=1)
    found = [stage.collect(), stage.collect()]
    assert list_snapshots(stage.context) == found[::-1]
    assert newest(stage.context, "default") == found[1]


def test_a_session_counts_when_it_is_over_and_never_again(stage: Stage) -> None:
    open_one = stage.talk(over=False)
    stage.talk()
    assert [stage.sessions(), stage.sessions()] == [1, 0]
    stage.talk()
    assert [stage.sessions(), stage.sessions()] == [1, 0]
    stage.db.end_session(open_one, "cli_close")
    assert [stage.sessions(), stage.sessions()] == [1, 0]


def test_a_session_that_goes_on_is_no_second_one_but_uses_more(stage: Stage) -> None:
    name = stage.talk(tokens=10, cost=0.5)
    stage.talk()
    assert stage.sessions() == 2
    stage.db.reopen_session(name)
    stage.use(name, 30, 0.25)
    going_on = stage.collect()
    assert (going_on.sessions_count, going_on.tokens, going_on.cost) == (0, 30, 0.25)
    stage.db.end_session(name, "cli_close")
    stage.use(name, 2)
    over_again = stage.collect()
    assert (over_again.sessions_count, over_again.tokens) == (0, 2)
    assert stage.collect().tokens == 0


def test_a_session_stored_late_is_found(stage: Stage) -> None:
    stage.talk()
    assert stage.sessions() == 1
    stage.move(stage.talk(), -3600)
    assert [stage.sessions(), stage.sessions()] == [1, 0]


def test_going_on_with_an_old_session_brings_no_old_one_back(stage: Stage) -> None:
    old = [stage.talk() for _ in range(4)]
    for days, name in zip((-3.0, -2.0, -1.5, -0.9), old, strict=True):
        stage.move(name, days * DAY)
    stage.talk()
    assert stage.sessions() == 5
    stage.db.reopen_session(old[3])
    stage.db.append_message(old[3], "user", "once more")
    assert [stage.sessions(), stage.sessions()] == [0, 0]
    stage.db.end_session(old[3], "cli_close")
    assert [stage.sessions(), stage.sessions()] == [0, 0]


def test_a_session_dated_ahead_hides_no_other(stage: Stage) -> None:
    stage.move(stage.talk(), 400 * DAY)
    assert stage.sessions() == 1
    stage.talk()
    assert [stage.sessions(), stage.sessions()] == [1, 0]


def test_sessions_that_were_away_for_a_while_are_not_counted_again(stage: Stage, tmp_path: Path) -> None:
    stage.talk()
    assert stage.sessions() == 1
    stage.db.close()
    kept = {path: path.read_bytes() for path in stage.home.glob("state.db*")}
    for path in kept:
        path.unlink()
    assert stage.sessions() == 0
    for path, content in kept.items():
        path.write_bytes(content)
    assert stage.sessions() == 0


def test_evaluations_and_cron_jobs_are_left_out_and_said_so(stage: Stage) -> None:
    stage.talk(tokens=5)
    for source in ("ratchet-eval", "cron", "cron"):
        stage.use(stage.talk(tokens=1000, source=source), 1000)
    found = stage.collect()
    assert (found.sessions_count, found.tokens) == (1, 5)
    assert json.loads(found.payload)["sessions"]["left_out"] == {"evaluation": 1, "cron": 2}
    stage.use("s3", 1000)
    again = stage.collect()
    assert (again.tokens, json.loads(again.payload)["sessions"]["left_out"]) == (0, {})


def test_an_unknown_price_is_no_price_of_zero(stage: Stage) -> None:
    stage.talk()
    assert stage.collect().cost is None
    stage.talk()
    stage.talk(cost=0.5)
    mixed = stage.collect()
    assert (mixed.cost, json.loads(mixed.payload)["sessions"]["priced"]) == (0.5, 1)


def test_no_log_is_not_a_log_without_errors(stage: Stage) -> None:
    stage.talk()
    found = stage.collect()
    assert (found.sessions_count, found.error_count, found.warn_count, found.retries) == (1, None, None, None)
    assert (found.from_offset, found.to_offset) == (None, None)


def test_the_same_record_in_errors_log_counts_once(stage: Stage) -> None:
    stage.write(warnings=2, errors=3)
    (stage.log.parent / "errors.log").write_bytes(stage.log.read_bytes())
    found = stage.collect()
    assert (found.warn_count, found.error_count) == (2, 3)


def test_what_could_not_be_read_is_counted_later(stage: Stage) -> None:
    stage.talk()
    stage.write(errors=1)
    stage.collect()
    stage.talk()
    stage.write(errors=1)
    stage.db.close()
    sessions = (stage.home / "state.db").read_bytes()
    (stage.home / "state.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(SessionsUnavailable):
        stage.collect()
    (stage.home / "state.db").write_bytes(sessions)
    logs = stage.log.parent
    logs.rename(stage.home / "away")
    logs.write_text("in the way")
    with pytest.raises(LogUnavailable):
        stage.collect()
    logs.unlink()
    (stage.home / "away").rename(logs)
    assert len(list_snapshots(stage.context)) == 1
    found = stage.collect()
    assert (found.sessions_count, found.error_count) == (1, 1)


def test_two_who_collect_at_once_count_nothing_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one stores its window while the first is between reading and storing."""
    stage.talk()
    stage.write(errors=4)
    others: list[Snapshot] = []

    def read_while_another_collects(*asked: Any) -> Any:
        monkeypatch.setattr(snapshots, "scan", scan)
        others.append(stage.collect())
        return scan(*asked)

    monkeypatch.setattr(snapshots, "scan", read_while_another_collects)
    mine = stage.collect()
    assert [(other.sessions_count, other.error_count) for other in others] == [(1, 4)]
    assert (mine.sessions_count, mine.error_count) == (0, 0)
    assert mine.window_started_at == others[0].window_ended_at


def test_who_is_always_overtaken_gives_up_and_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_while_another_collects(*asked: Any) -> Any:
        with monkeypatch.context() as inner:
            inner.setattr(snapshots, "scan", scan)
            stage.collect()
        return scan(*asked)

    monkeypatch.setattr(snapshots, "scan", read_while_another_collects)
    with pytest.raises(ProfileBusy):
        stage.collect()


def test_many_collecting_while_the_host_writes_count_each_record_once(stage: Stage) -> None:
    stop = threading.Event()

    def keep_collecting() -> None:
        context: Context = open_context()
        while not stop.is_set():
            try:
                collect(context, "default")
            except ProfileBusy:
                time.sleep(0.01)
        context.store.close()

    collectors = [threading.Thread(target=keep_collecting) for _ in range(3)]
    for collector in collectors:
        collector.start()
    for number in range(60):
        stage.write(errors=1)
        if number % 20 == 10:
            stage.log.replace(stage.log.with_name(f"agent.log.{3 - number // 20}"))
        if number % 10 == 0:
            stage.talk()
        time.sleep(0.005)
    stop.set()
    for collector in collectors:
        collector.join()
    stage.collect()
    windows = list_snapshots(stage.context, limit=1000)
    assert sum(window.error_count or 0 for window in windows) == 60
    assert sum(window.sessions_count for window in windows) == 6


def test_profiles_are_counted_apart(stage: Stage, home: Path) -> None:
    other = home / "profiles" / "other"
    (other / "logs").mkdir(parents=True)
    (other / "config.yaml").write_text("{}\n")
    (other / "logs" / "agent.log").write_text("2026-11-20 10:00:00,000 ERROR a.b: text\n")
    stage.write(errors=2)
    stage.collect()
    found = collect(stage.context, "other")
    last = stage.collect()
    assert (found.error_count, last.error_count) == (1, 0)
    assert newest_of_each(stage.context) == [last, found]
    assert list_snapshots(stage.context, profile="other") == [found]


def test_an_unknown_profile_is_refused(stage: Stage) -> None:
    with pytest.raises(UnknownProfile):
        collect(stage.context, "nobody")
    assert newest(stage.context, "nobody") is None


def test_pages_of_windows_do_not_overlap(stage: Stage) -> None:
    ids = [stage.collect().id for _ in range(5)]
    first = list_snapshots(stage.context, limit=2)
    rest = list_snapshots(stage.context, limit=100, before=first[-1].id)
    assert [window.id for window in first + rest] == ids[::-1]
    for limit in (0, 1001):
        with pytest.raises(BadInput):
            list_snapshots(stage.context, limit=limit)


def test_a_baseline_is_per_session_and_leaves_the_first_window_out(stage: Stage) -> None:
    stage.talk(tokens=1_000_000)
    stage.write(errors=1000)
    stage.collect()
    assert baseline(stage.context, "default") == Rates(0, 0, None, None, None, None, None)
    stage.talk(tokens=10, cost=0.5)
    stage.write(errors=3, warnings=6)
    stage.collect()
    stage.talk(tokens=20)
    stage.talk(tokens=30)
    stage.collect()
    expected = Rates(windows=2, sessions=3, errors=1.0, warnings=2.0, retries=0.0, tokens=20.0, cost=0.5)
    assert baseline(stage.context, "default") == expected
    stage.talk(tokens=9)
    last = stage.collect()
    assert baseline(stage.context, "default", before=last.id) == expected
    assert rates([last]).tokens == 9
    assert baseline(stage.context, "default", windows=1).sessions == 1


def test_a_window_without_a_log_has_no_part_in_the_rate_of_errors(stage: Stage) -> None:
    stage.talk()
    without = stage.collect()
    stage.talk()
    stage.write(errors=4)
    found = rates([without, stage.collect()])
    assert (found.sessions, found.errors) == (2, 4.0)
