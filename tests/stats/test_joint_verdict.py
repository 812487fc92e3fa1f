"""Any measure may take a change back; verified needs all of them at the same look."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karpathy_self_improve.stats.calibration import Verdict, WindowPlan, calibrate
from karpathy_self_improve.stats.creep import Anchor
from karpathy_self_improve.stats.together import MeasureLooks, judge_together, success_looks

PLAN = WindowPlan(n0=20, n_min=5, n=10, n_max=20, alpha=0.025, margin=0.15, confidence=0.95)
C = calibrate(PLAN)


def measure(name: str, sessions: int, *, crosses_at: int | None = None, shown: tuple[float, ...] = ()) -> MeasureLooks:
    """A measure that crosses at one session and shows non-inferiority with these probabilities at 10 and 20."""
    values = tuple(0.0 if n == crosses_at else 0.5 for n in range(PLAN.n_min, sessions + 1))
    looks = tuple(zip((10, 20), shown, strict=False))
    return MeasureLooks(name, sessions, 0.001, values, looks)


def test_the_first_measure_to_cross_takes_the_change_back() -> None:
    calm, loud = measure("success", 9), measure("cost", 9, crosses_at=7)
    decision = judge_together(PLAN, [calm, loud])
    assert (decision.verdict, decision.sessions, decision.crossed) == (Verdict.REVERTED, 7, ("cost",))


def test_crossing_at_the_verification_look_goes_first() -> None:
    sure = [measure("success", 10, shown=(1.0,)), measure("cost", 10, crosses_at=10, shown=(1.0,))]
    assert judge_together(PLAN, sure).verdict is Verdict.REVERTED


def test_all_measures_must_verify_at_the_same_look() -> None:
    early, late = measure("success", 20, shown=(0.99, 0.9)), measure("cost", 20, shown=(0.9, 0.99))
    decision = judge_together(PLAN, [early, late])
    assert (decision.verdict, decision.unsure) == (Verdict.INCONCLUSIVE, ("success",))
    both = measure("success", 20, shown=(0.99, 0.99))
    assert judge_together(PLAN, [both, late]).verdict is Verdict.VERIFIED
    assert judge_together(PLAN, [both, late]).sessions == 20


def test_an_alarm_counts_while_another_measure_is_waited_for() -> None:
    sure, unsure = measure("success", 15, crosses_at=12, shown=(0.99,)), measure("cost", 15, shown=(0.5,))
    assert judge_together(PLAN, [sure]).verdict is Verdict.VERIFIED
    assert judge_together(PLAN, [sure, unsure]).verdict is Verdict.REVERTED


def test_an_alarm_after_verification_changes_nothing() -> None:
    decision = judge_together(PLAN, [measure("success", 15, crosses_at=12, shown=(0.99,))])
    assert (decision.verdict, decision.sessions) == (Verdict.VERIFIED, 10)


def test_measures_of_different_sessions_are_refused() -> None:
    with pytest.raises(ValueError, match="same sessions"):
        judge_together(PLAN, [measure("success", 9), measure("cost", 8)])
    with pytest.raises(ValueError, match="same sessions"):
        judge_together(PLAN, [])


def test_success_is_verified_against_the_anchor() -> None:
    window = [True] * 8 + [False] * 2
    own, anchored = (success_looks(PLAN, C, 13, window, anchor=anchor) for anchor in (None, Anchor(57, 60)))
    assert judge_together(PLAN, [own]).verdict is Verdict.VERIFIED
    assert judge_together(PLAN, [anchored]).unsure == ("success",)
    assert own.mid_p == anchored.mid_p


@given(s0=st.integers(0, 20), outcomes=st.lists(st.booleans(), min_size=1, max_size=20))
def test_a_plan_that_verifies_once_has_one_verification_look(s0: int, outcomes: list[bool]) -> None:
    short = replace(PLAN, n_max=10)
    looks = success_looks(short, C, s0, outcomes)
    assert [n for n, _ in looks.noninferiority] == ([10] if len(outcomes) >= 10 else [])
