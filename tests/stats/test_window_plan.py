"""A window keeps the error rate it promises, and does what its operating characteristics say."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import hypergeom

from karpathy_self_improve.stats import calibration
from karpathy_self_improve.stats.calibration import Verdict, WindowPlan, calibrate, operating_characteristics
from karpathy_self_improve.stats.fisher import mid_p
from karpathy_self_improve.stats.jeffreys import noninferiority
from karpathy_self_improve.stats.together import judge_together, success_looks

RATES = [0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99]
TINY = WindowPlan(n0=6, n_min=2, n=4, n_max=7, alpha=0.1, margin=0.3, confidence=0.7)


def plan(n0: int, n: int, n_max: int) -> WindowPlan:
    return WindowPlan(n0=n0, n_min=5, n=n, n_max=n_max, alpha=0.025, margin=0.15, confidence=0.95)


def by_enumeration(a_plan: WindowPlan, c: float, p0: float, p1: float) -> dict[Verdict, float]:
    """Every possible baseline and window of a tiny plan, judged one by one."""
    ends = dict.fromkeys(Verdict, 0.0)
    for baseline in product([True, False], repeat=a_plan.n0):
        for window in product([True, False], repeat=a_plan.n_max):
            weight = np.prod([p0 if won else 1 - p0 for won in baseline] + [p1 if won else 1 - p1 for won in window])
            looks = success_looks(a_plan, c, sum(baseline), window)
            ends[judge_together(a_plan, [looks]).verdict] += float(weight)
    return ends


# The published table: c, and what is reverted and verified for a change of the success rate from .9 to .8.
TABLE = [
    ((20, 10, 20), 0.0094, 0.09, 0.19),
    ((40, 20, 40), 0.0057, 0.16, 0.21),
    ((60, 30, 60), 0.0046, 0.24, 0.25),
    ((100, 50, 100), 0.0035, 0.36, 0.32),
]


@pytest.mark.parametrize(("shape", "c", "reverted", "verified"), TABLE)
def test_the_published_table_is_reproduced(
    shape: tuple[int, int, int], c: float, reverted: float, verified: float
) -> None:
    a_plan = plan(*shape)
    assert calibrate(a_plan) == pytest.approx(c, abs=2e-4)
    ends = operating_characteristics(a_plan, calibrate(a_plan), 0.9, 0.8)
    assert ends.reverted == pytest.approx(reverted, abs=0.0055)
    assert ends.verified == pytest.approx(verified, abs=0.0055)


@pytest.mark.parametrize("shape", [(12, 8, 12), (20, 12, 12), (20, 10, 20), (60, 30, 60)])
def test_harmless_changes_are_taken_back_no_more_often_than_alpha(shape: tuple[int, int, int]) -> None:
    a_plan = plan(*shape)
    c = calibrate(a_plan)
    assert max(operating_characteristics(a_plan, c, p, p).reverted for p in RATES) <= a_plan.alpha
    assert 0.8 * a_plan.alpha < calibration.false_revert_rate(a_plan, c) <= a_plan.alpha


def test_no_larger_boundary_would_keep_alpha() -> None:
    a_plan = plan(20, 10, 20)
    c = calibrate(a_plan)
    next_attained = min(
        value
        for n in range(5, 21)
        for total in range(20 + n + 1)
        for s in range(max(0, total - 20), min(n, total) + 1)
        if (value := mid_p(total - s, 20, s, n)) > c
    )
    assert calibration.false_revert_rate(a_plan, next_attained) > a_plan.alpha


def test_the_extension_is_paid_for_by_a_stricter_boundary() -> None:
    assert calibrate(plan(20, 10, 20)) < calibrate(plan(20, 10, 10))


def test_a_plan_too_small_for_its_alpha_never_reverts() -> None:
    hopeless = WindowPlan(n0=2, n_min=1, n=1, n_max=1, alpha=0.01, margin=0.15, confidence=0.95)
    c = calibrate(hopeless)
    assert c == 0.0
    decision = judge_together(hopeless, [success_looks(hopeless, c, 2, [False])])
    assert decision.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("p0", "p1"), [(0.8, 0.8), (0.9, 0.3), (0.4, 0.9), (1.0, 0.0)])
def test_operating_characteristics_equal_judging_every_possible_window(p0: float, p1: float) -> None:
    c = calibrate(TINY)
    expected = by_enumeration(TINY, c, p0, p1)
    ends = operating_characteristics(TINY, c, p0, p1)
    assert (ends.reverted, ends.verified, ends.inconclusive) == pytest.approx(
        (expected[Verdict.REVERTED], expected[Verdict.VERIFIED], expected[Verdict.INCONCLUSIVE]), abs=1e-12
    )


@pytest.mark.parametrize(("p0", "p1"), [(0.9, 0.9), (0.9, 0.75), (0.6, 0.6)])
def test_operating_characteristics_agree_with_simulated_windows(p0: float, p1: float) -> None:
    """50,000 windows, written down independently: scipy's tail for every look, numpy's sessions."""
    a_plan, runs = plan(20, 10, 20), 50_000
    c, rng = calibrate(a_plan), np.random.default_rng(20261120)
    s0 = rng.binomial(a_plan.n0, p0, runs)
    wins = np.cumsum(rng.random((runs, a_plan.n_max)) < p1, axis=1)
    end = np.full(runs, "inconclusive", dtype=object)
    for n in range(a_plan.n_max, a_plan.n_min - 1, -1):  # the earliest event is written last and stays
        s = wins[:, n - 1]
        if n in (a_plan.n, a_plan.n_max):
            sure = {(a, b): noninferiority(a, a_plan.n0, b, n, a_plan.margin) for a, b in set(zip(s0, s, strict=True))}
            end[np.array([sure[pair] >= a_plan.confidence for pair in zip(s0, s, strict=True)])] = "verified"
        null = hypergeom(a_plan.n0 + n, s0 + s, n)
        end[null.cdf(s - 1) + null.pmf(s) / 2 <= c + 1e-12] = "reverted"
    ends = operating_characteristics(a_plan, c, p0, p1)
    for name in ("reverted", "verified", "inconclusive"):
        share, probability = np.mean(end == name), getattr(ends, name)
        assert abs(share - probability) <= 3 * np.sqrt(probability * (1 - probability) / runs), name


def test_a_boundary_that_reverts_improvements_is_refused() -> None:
    with pytest.raises(ValueError, match="boundary"):
        operating_characteristics(TINY, 0.7, 0.9, 0.9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n0": 0},
        {"n_min": 0},
        {"n_min": 5},
        {"n_max": 3},
        {"alpha": 0.0},
        {"alpha": 0.5},
        {"margin": 1.0},
        {"confidence": 1.0},
    ],
)
def test_impossible_plans_are_refused(wrong: dict[str, float]) -> None:
    fields = {"n0": 6, "n_min": 2, "n": 4, "n_max": 7, "alpha": 0.1, "margin": 0.3, "confidence": 0.7}
    with pytest.raises(ValueError, match="a plan needs"):
        WindowPlan(**{**fields, **wrong})  # type: ignore[arg-type]
