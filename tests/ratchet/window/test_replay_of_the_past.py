"""Before a plan is trusted it is tried on the profile's own past, where nothing was changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from karpathy_self_improve import clock
from karpathy_self_improve.ratchet import apply, events
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.window import replay
from karpathy_self_improve.ratchet.window.baseline import Past
from karpathy_self_improve.ratchet.window.live_plan import Figures, Measure, PlannedTest
from karpathy_self_improve.stats.calibration import Verdict, WindowPlan, calibrate

SOMEBODY = Actor("somebody", "os:somebody")
OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"
NEW = OLD.replace("Always", "Almost always")
SHAPE = WindowPlan(12, 4, 8, 12, 0.025, 0.25, 0.9)


@pytest.fixture(scope="module")
def tests() -> tuple[PlannedTest, ...]:
    return (PlannedTest(Measure.SUCCESS, SHAPE, calibrate(SHAPE), None, 0.9, ()),)


def days(*outcomes: tuple[int, bool]) -> list[Past]:
    """Sessions, a minute apart, in runs of one outcome; the last one is a minute old."""
    flat = [outcome for count, outcome in outcomes for _ in range(count)]
    start = clock.now() - timedelta(minutes=len(flat))
    return [
        Past(start + timedelta(minutes=n), Figures(f"s{n}", good, 0, 0, None), True, False)
        for n, good in enumerate(flat)
    ]


def between(past: list[Past], index: int) -> datetime:
    return past[index].started_at - timedelta(seconds=1)


def test_bad_days_raise_alarms_without_a_change(tests: tuple[PlannedTest, ...]) -> None:
    past = days((12, True), (12, False), (12, True), (12, True))
    found = replay.replay(past, [], tests, seed=1)
    assert (found.windows, found.alarms, found.alpha) == (3, 1, 0.025)
    assert not found.trustworthy


def test_a_steady_past_raises_none(tests: tuple[PlannedTest, ...]) -> None:
    found = replay.replay(days((60, True)), [], tests, seed=1)
    assert (found.windows, found.alarms, found.trustworthy) == (4, 0, True)


def test_a_window_over_a_change_is_none_of_the_past_without_one(tests: tuple[PlannedTest, ...]) -> None:
    past = days((24, True), (24, False))
    assert replay.replay(past, [], tests, seed=1).alarms == 1
    found = replay.replay(past, [between(past, 24)], tests, seed=1)
    assert (found.windows, found.alarms) == (2, 0)


def test_a_past_too_short_for_one_window_says_nothing(tests: tuple[PlannedTest, ...]) -> None:
    found = replay.replay(days((12, True), (11, False)), [], tests, seed=1)
    assert (found.windows, found.trustworthy) == (0, True)


def test_every_change_of_a_file_cuts_the_past(stage: Any) -> None:
    number = stage.live()
    apply.revert(stage.context, number, SOMEBODY, "changed my mind")
    with stage.context.store.write() as tx:
        events.emit(tx, "file.external_change", profile="default", relpath="SOUL.md")
        events.emit(tx, "file.external_change", profile="another", relpath="SOUL.md")
    with stage.context.store.read() as tx:
        assert len(replay.cuts(tx, "default")) == 3


def bad_days(stage: Any) -> None:
    stage.talk(12, OLD, hours_ago=40)
    stage.talk(12, OLD, answer="no", hours_ago=30)
    stage.talk(12, OLD)


def test_where_the_past_raised_too_many_alarms_a_person_is_asked(stage: Any) -> None:
    bad_days(stage)
    number = stage.live()
    stage.talk(4, NEW, answer="no")
    found = stage.settled(number)
    assert (found.plan.replay.windows, found.plan.replay.alarms, found.plan.asks) == (2, 1, True)
    assert (found.verdict, found.asks, found.experiment.state) == (Verdict.INCONCLUSIVE, True, "live")
    assert found.reason.endswith("raised 1 alarms in 2 windows without a change, so a person decides")


def test_the_operator_may_choose_to_act_all_the_same(stage: Any) -> None:
    stage.settings(when_advisory="revert")
    bad_days(stage)
    number = stage.live()
    stage.talk(4, NEW, answer="no")
    found = stage.observe(number)
    assert (found.verdict, found.plan.asks, found.plan.replay.trustworthy) == (Verdict.REVERTED, False, False)
