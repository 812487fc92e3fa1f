"""Live values are held against a level of the baseline by rank alone, ties by lots that anybody can draw again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nhypergeom

from karpathy_self_improve.stats.calibration import Verdict, WindowPlan
from karpathy_self_improve.stats.exceedances import ExceedancePlan, above, level, level_rank, looks, mid_p
from karpathy_self_improve.stats.polya_urn import calibrate
from karpathy_self_improve.stats.together import JointDecision, judge_together

WINDOW = WindowPlan(n0=20, n_min=5, n=10, n_max=20, alpha=0.0125, margin=0.15, confidence=0.95)
PLAN = ExceedancePlan(WINDOW, level_rank(20), seed=7)
C = calibrate(PLAN)
BASELINE = [float(value) for value in range(20)]  # the level is 18, the second largest


def judge(
    plan: ExceedancePlan, c: float, baseline: Sequence[float], live: Sequence[float], **options: Any
) -> JointDecision:
    """The verdict where this measure stands alone."""
    measured = looks(plan, c, baseline, live, **{"measure": "errors", **options})
    return judge_together(plan.window, [measured])


def test_the_level_is_the_kth_largest_of_the_baseline() -> None:
    assert level(PLAN, BASELINE[::-1]) == 18
    assert above(PLAN, BASELINE, [17.5, 18.5, 19.0, -1.0]) == (False, True, True, False)


def test_a_tenth_of_the_baseline_and_at_least_two_lie_above() -> None:
    assert [level_rank(n0) for n0 in (1, 5, 20, 40, 60, 100)] == [1, 2, 2, 4, 6, 10]


def test_only_ranks_matter() -> None:
    live = [3.0, 18.5, 40.0, 17.0]
    stretched = [math.exp(value) for value in BASELINE], [math.exp(value) for value in live]
    assert above(PLAN, *stretched) == above(PLAN, BASELINE, live)


def test_lots_are_the_same_every_time_and_others_under_another_seed() -> None:
    flat, live = [0.0] * 20, [0.0] * 40
    other = ExceedancePlan(WINDOW, PLAN.k, seed=8)
    assert above(PLAN, flat, live) == above(PLAN, flat, live)
    assert above(PLAN, flat, live) != above(other, flat, live)


def test_a_tied_session_keeps_its_lot_when_more_sessions_come() -> None:
    flat = [0.0] * 20
    assert above(PLAN, flat, [0.0] * 8) == above(PLAN, flat, [0.0] * 20)[:8]


def test_equal_values_exceed_as_often_as_unequal_ones() -> None:
    """A session in which nothing ever goes wrong is a tie with all others; the urn's law must still hold."""
    seeds, n = 3000, 6
    flat, live = [0.0] * 20, [0.0] * n
    counts = [sum(above(ExceedancePlan(WINDOW, 5, seed), flat, live)) for seed in range(seeds)]
    law = nhypergeom(20 + n, n, 5)  # live values drawn before the fifth baseline value, from the top
    for x in range(n + 1):
        share, probability = np.mean(np.equal(counts, x)), law.pmf(x)
        assert abs(share - probability) <= 3.5 * np.sqrt(probability * (1 - probability) / seeds), x


@pytest.mark.parametrize(("n0", "k", "n"), [(20, 2, 10), (60, 6, 60), (5, 5, 7), (1, 1, 1)])
def test_the_mid_p_value_is_that_of_the_urn(n0: int, k: int, n: int) -> None:
    law = nhypergeom(n0 + n, n, k)
    for x in range(n + 1):
        assert mid_p(n0, k, x, n) == pytest.approx(law.sf(x) + law.pmf(x) / 2, abs=1e-12)


def test_a_rise_is_taken_back_at_the_first_look_that_shows_it() -> None:
    decision = judge(PLAN, C, BASELINE, [99.0] * 20, measure="cost")
    assert decision.verdict is Verdict.REVERTED
    assert (decision.sessions, decision.crossed) == (5, ("cost",))
    assert judge(PLAN, C, BASELINE, [99.0] * 4).verdict is Verdict.UNDECIDED


def test_a_fall_is_verified_and_never_taken_back() -> None:
    decision = judge(PLAN, C, BASELINE, [-1.0] * 20)
    assert (decision.verdict, decision.sessions) == (Verdict.VERIFIED, 10)


def test_what_stays_unclear_is_inconclusive_at_the_end() -> None:
    unclear = [99.0, 0.0, 0.0, 0.0] * 5
    assert judge(PLAN, C, BASELINE, unclear[:10]).verdict is Verdict.UNDECIDED
    assert judge(PLAN, C, BASELINE, unclear).verdict is Verdict.INCONCLUSIVE


def test_verification_compares_with_the_anchor_and_taking_back_with_the_baseline() -> None:
    cheap, dear = [0.0, *[-5.0] * 19], [99.0] * 20
    live = [1.0] * 10
    assert judge(PLAN, C, BASELINE, live).verdict is Verdict.VERIFIED
    assert judge(PLAN, C, BASELINE, live, anchor=cheap).verdict is Verdict.UNDECIDED
    assert judge(PLAN, C, BASELINE, live, anchor=dear).verdict is Verdict.VERIFIED
    own, against = (looks(PLAN, C, BASELINE, live, measure="cost", anchor=a) for a in (None, cheap))
    assert own.mid_p == against.mid_p


@given(live=st.lists(st.integers(0, 25), max_size=23), cut=st.integers(0, 23))
def test_more_values_never_change_a_verdict(live: list[int], cut: int) -> None:
    earlier, later = judge(PLAN, C, BASELINE, live[:cut]), judge(PLAN, C, BASELINE, live)
    if earlier.verdict is not Verdict.UNDECIDED:
        assert later == earlier


@pytest.mark.parametrize(
    ("baseline", "live", "anchor"),
    [(BASELINE[:19], [1.0], None), (BASELINE, [math.nan], None), ([math.nan] * 20, [1.0], None), (BASELINE, [1.0], [])],
)
def test_what_cannot_be_ranked_is_refused(
    baseline: Sequence[float], live: Sequence[float], anchor: Sequence[float] | None
) -> None:
    with pytest.raises(ValueError, match=r"baseline sessions|ranked"):
        judge(PLAN, C, baseline, live, anchor=anchor)


@pytest.mark.parametrize("k", [0, 21])
def test_a_level_outside_the_baseline_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match="rank"):
        ExceedancePlan(WINDOW, k, seed=1)
