"""Exceedances keep the error rate they promise, whatever the distribution, and end as their exact figures say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from karpathy_self_improve.stats import polya_urn
from karpathy_self_improve.stats.calibration import Verdict, WindowPlan
from karpathy_self_improve.stats.exceedances import ExceedancePlan, level_rank, looks, mid_p
from karpathy_self_improve.stats.polya_urn import calibrate, false_revert_rate, operating_characteristics
from karpathy_self_improve.stats.together import JointDecision, judge_together

TINY = ExceedancePlan(WindowPlan(n0=4, n_min=2, n=3, n_max=4, alpha=0.2, margin=0.3, confidence=0.6), 2, seed=1)
Draw = Callable[[np.random.Generator, int], np.ndarray]
UNCHANGED: dict[str, Draw] = {
    "over-dispersed": lambda rng, n: rng.negative_binomial(0.5, 0.2, n),
    "tied": lambda rng, n: rng.poisson(0.2, n),
    "always the same": lambda rng, n: np.zeros(n),
    "skewed": lambda rng, n: rng.lognormal(0.0, 1.5, n),
}


def judge(
    plan: ExceedancePlan, c: float, baseline: Sequence[float], live: Sequence[float], **options: Any
) -> JointDecision:
    """The verdict where this measure stands alone."""
    measured = looks(plan, c, baseline, live, **{"measure": "errors", **options})
    return judge_together(plan.window, [measured])


def plan(n0: int, n: int, n_max: int, k: int | None = None) -> ExceedancePlan:
    window = WindowPlan(n0=n0, n_min=5, n=n, n_max=n_max, alpha=0.0125, margin=0.15, confidence=0.95)
    return ExceedancePlan(window, k or level_rank(n0), seed=1)


SHAPES = [(20, 10, 20), (40, 20, 40), (60, 30, 60), (100, 50, 100), (60, 60, 60)]


@pytest.mark.parametrize("shape", SHAPES)
def test_unchanged_agents_are_taken_back_no_more_often_than_alpha(shape: tuple[int, int, int]) -> None:
    a_plan = plan(*shape)
    c = calibrate(a_plan)
    assert 0.9 * 0.0125 < false_revert_rate(a_plan, c) <= 0.0125
    assert operating_characteristics(a_plan, c).reverted <= false_revert_rate(a_plan, c)


def test_no_larger_boundary_for_exceedances_would_keep_alpha() -> None:
    a_plan = plan(20, 10, 20)
    c = calibrate(a_plan)
    values = [mid_p(20, a_plan.k, x, n) for n in range(5, 21) for x in range(n + 1)]
    assert false_revert_rate(a_plan, min(value for value in values if value > c)) > 0.0125


def test_an_extension_makes_the_boundary_stricter() -> None:
    assert calibrate(plan(20, 10, 20)) < calibrate(plan(20, 10, 10))


def test_too_few_sessions_for_their_alpha_never_take_back() -> None:
    window = WindowPlan(n0=2, n_min=1, n=1, n_max=1, alpha=0.01, margin=0.15, confidence=0.95)
    hopeless = ExceedancePlan(window, 1, seed=1)
    assert calibrate(hopeless) == 0.0
    assert judge(hopeless, 0.0, [1, 2], [99]).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("shape", SHAPES)
def test_a_version_at_the_margin_is_rarely_verified(shape: tuple[int, int, int]) -> None:
    a_plan = plan(*shape)
    at_margin = operating_characteristics(a_plan, calibrate(a_plan), lambda u: min(1.0, u + 0.15))
    assert at_margin.verified <= 0.10


def test_a_level_at_the_very_top_would_verify_too_often() -> None:
    top = plan(20, 10, 20, k=1)
    assert operating_characteristics(top, calibrate(top), lambda u: min(1.0, u + 0.15)).verified > 0.10


def test_figures_without_a_change_equal_judging_every_possible_order() -> None:
    c = calibrate(TINY)
    assert c > 0
    orders = list(permutations(range(8), 4))  # the live values among eight different ones, in their order
    verdicts = [judge(TINY, c, [v for v in range(8) if v not in live], live).verdict for live in orders]
    ends = operating_characteristics(TINY, c)
    for verdict, probability in (
        (Verdict.REVERTED, ends.reverted),
        (Verdict.VERIFIED, ends.verified),
        (Verdict.INCONCLUSIVE, ends.inconclusive),
    ):
        assert verdicts.count(verdict) / len(orders) == pytest.approx(probability, abs=1e-12)
        assert probability > 0


def test_the_integral_over_levels_gives_the_exact_figures_back() -> None:
    a_plan = plan(60, 30, 60)
    exact, integrated = (operating_characteristics(a_plan, calibrate(a_plan), share) for share in (None, lambda u: u))
    assert integrated.reverted == pytest.approx(exact.reverted, abs=1e-10)
    assert integrated.verified == pytest.approx(exact.verified, abs=1e-10)


@pytest.mark.parametrize("kind", UNCHANGED)
def test_every_distribution_ends_as_the_exact_figures_say(kind: str) -> None:
    """The product's own judge with its own lots, 1500 unchanged agents of each kind."""
    a_plan, runs, rng = plan(20, 10, 20), 1500, np.random.default_rng(20261120)
    c, verdicts = calibrate(a_plan), []
    for seed in range(runs):
        values = UNCHANGED[kind](rng, 40).tolist()
        verdicts.append(judge(ExceedancePlan(a_plan.window, a_plan.k, seed), c, values[:20], values[20:]).verdict)
    ends = operating_characteristics(a_plan, c)
    for verdict, probability in ((Verdict.REVERTED, ends.reverted), (Verdict.VERIFIED, ends.verified)):
        error = np.sqrt(probability * (1 - probability) / runs)
        assert abs(verdicts.count(verdict) / runs - probability) <= 3 * error


def test_a_change_ends_as_the_integral_over_levels_says() -> None:
    """A quarter of the sessions blow up: 1500 windows against the figures."""
    a_plan, runs, rng = plan(20, 10, 20), 1500, np.random.default_rng(20261120)
    c, verdicts = calibrate(a_plan), []
    for _ in range(runs):
        live = rng.random(20) + (rng.random(20) < 0.25)
        verdicts.append(judge(a_plan, c, rng.random(20).tolist(), live.tolist()).verdict)
    ends = operating_characteristics(a_plan, c, lambda u: u + 0.25 * (1 - u))
    assert ends.reverted > 0.2
    for verdict, probability in ((Verdict.REVERTED, ends.reverted), (Verdict.VERIFIED, ends.verified)):
        error = np.sqrt(probability * (1 - probability) / runs)
        assert abs(verdicts.count(verdict) / runs - probability) <= 3 * error


def test_a_thousand_sessions_neither_overflow_nor_vanish() -> None:
    window = WindowPlan(n0=50, n_min=1200, n=1200, n_max=1200, alpha=0.0125, margin=0.15, confidence=0.95)
    long = ExceedancePlan(window, 5, seed=1)
    c = calibrate(long)
    exact, integrated = operating_characteristics(long, c), operating_characteristics(long, c, lambda u: u)
    assert 0.01 < exact.reverted <= 0.0125
    assert integrated.reverted == pytest.approx(exact.reverted, abs=1e-9)
    assert operating_characteristics(long, c, lambda u: 1.0).reverted == pytest.approx(1.0, abs=1e-9)
    assert operating_characteristics(long, c, lambda u: 0.0).verified == pytest.approx(1.0, abs=1e-9)


def test_a_boundary_that_reverts_improvements_in_cost_is_refused() -> None:
    with pytest.raises(ValueError, match="boundary"):
        polya_urn.false_revert_rate(TINY, 0.7)


def test_a_share_beyond_all_sessions_is_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        operating_characteristics(TINY, 0.1, lambda u: 2 * u)
