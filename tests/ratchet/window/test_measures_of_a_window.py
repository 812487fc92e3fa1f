"""Errors, tokens and cost take a change back, and keep it from being verified, as success does."""

from __future__ import annotations

from typing import Any

import pytest

from karpathy_self_improve.stats.calibration import Verdict

OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"
NEW = OLD.replace("Always", "Almost always")
ALL = ["success", "errors", "cost"]


@pytest.mark.parametrize(
    ("worse", "measure", "level"),
    [
        ({"errors": 3, "tokens": 50}, "errors", "errors above the baseline's 0 in 4 of 4 sessions"),
        ({"tokens": 900}, "tokens", "tokens above the baseline's 111 in 4 of 4 sessions"),
    ],
)
def test_what_rises_is_taken_back_though_every_session_succeeds(
    stage: Any, worse: dict[str, int], measure: str, level: str
) -> None:
    stage.settings(measures=ALL)
    for n in range(12):
        stage.talk(1, OLD, tokens=101 + n)
    number = stage.live()
    stage.talk(4, NEW, **worse)
    found = stage.observe(number)
    assert found.verdict is Verdict.REVERTED
    assert found.decision.crossed == (measure,)
    assert found.reason.startswith(level)


def test_a_cost_that_rises_is_taken_back(stage: Any) -> None:
    stage.settings(measures=ALL)
    for n in range(12):
        stage.talk(1, OLD, tokens=100, dollars=0.01 + n / 1000)
    number = stage.live()
    stage.talk(4, NEW, tokens=1, dollars=1.0)
    found = stage.observe(number)
    assert (found.verdict, found.decision.crossed) == (Verdict.REVERTED, ("cost",))
    assert "cost above the baseline's $0.0200" in found.reason


def test_a_change_is_verified_only_when_every_measure_allows_it(stage: Any) -> None:
    stage.settings(measures=["success", "errors"])
    for n in range(12):
        stage.talk(1, OLD, errors=n % 4)
    number = stage.live()
    stage.talk(5, NEW, errors=0)
    stage.talk(3, NEW, errors=5)
    stage.talk(4, NEW, errors=1)
    found = stage.observe(number)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.decision.unsure == ("errors",)
    assert found.reason == "12 sessions could neither alarm nor rule a loss out (errors)"


def test_a_better_version_is_verified_by_all_measures(stage: Any) -> None:
    stage.settings(measures=ALL)
    for n in range(12):
        stage.talk(1, OLD, errors=2 + n % 4, tokens=500 + n)
    number = stage.live()
    stage.talk(8, NEW, tokens=300)
    found = stage.settled(number)
    assert (found.verdict, found.plan.badge) == (Verdict.VERIFIED, "success, errors and tokens")
    assert found.experiment.state == "verified"
    assert "8 of 8 sessions succeeded, 0.9" in found.reason


def test_without_a_signal_a_change_is_verified_by_errors_and_cost_only(stage: Any) -> None:
    stage.settings(signal=[], measures=ALL)
    for n in range(12):
        stage.talk(1, OLD, answer=None, errors=2 + n % 4, tokens=500 + n)
    number = stage.live()
    stage.talk(8, NEW, answer=None, tokens=300)
    found = stage.settled(number)
    assert (found.verdict, found.counted, found.experiment.live_score) == (Verdict.VERIFIED, 8, None)
    assert found.plan.badge == "errors and tokens only"


def test_the_extension_is_used_as_planned_and_no_further(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(6, NEW)
    stage.talk(2, NEW, answer="no")
    assert stage.observe(number).reason == "8 of 12 sessions counted"
    stage.talk(20, NEW)
    found = stage.settled(number)
    assert found.decision.sessions == 12
    assert len(found.figures) == 12
    stage.talk(20, NEW)
    assert stage.observe(number).decision == found.decision
