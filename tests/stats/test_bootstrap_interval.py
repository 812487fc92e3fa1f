"""The interval holds the true mean about as often as it says, is the same every time, and knows few scenarios vary."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from karpathy_self_improve.stats import bootstrap
from karpathy_self_improve.stats.bootstrap import interval

gains = st.lists(st.sampled_from([-1.0, -2 / 3, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.0]), min_size=2, max_size=30)
unhurried = settings(deadline=None, max_examples=40)


@unhurried
@given(gains, st.randoms(use_true_random=False))
def test_same_values_and_seed_give_the_same_interval_in_any_order(values: list[float], rng: random.Random) -> None:
    first = interval(values, confidence=0.9, resamples=200, seed=3)
    assert first == interval(rng.sample(values, len(values)), confidence=0.9, resamples=200, seed=3)


@unhurried
@given(gains)
def test_the_interval_lies_among_the_values_and_widens_with_confidence(values: list[float]) -> None:
    narrow, wide = (interval(values, confidence=c, resamples=400, seed=1) for c in (0.5, 0.95))
    assert narrow is not None
    assert wide is not None
    assert min(values) - 1e-9 <= wide.low <= narrow.low <= narrow.high <= wide.high <= max(values) + 1e-9


def test_agrees_with_scipys_percentiles_where_scenarios_are_many() -> None:
    values = np.random.default_rng(5).choice([-1 / 3, 0, 1 / 3, 2 / 3], 400, p=[0.1, 0.6, 0.2, 0.1])
    found = interval(values.tolist(), confidence=0.9, resamples=4000, seed=1)
    expected = stats.bootstrap(
        (values,), np.mean, confidence_level=0.9, n_resamples=4000, method="percentile", rng=2
    ).confidence_interval
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.004)


def test_few_scenarios_get_students_width() -> None:
    values = np.random.default_rng(6).normal(size=8).tolist()
    found = interval(values, confidence=0.9, resamples=8000, seed=1)
    student = stats.t.interval(0.9, 7, np.mean(values), stats.sem(values))
    assert found is not None
    assert found.high - found.low == pytest.approx(student[1] - student[0], rel=0.08)


def test_holds_the_true_mean_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(20261120), 0
    chances = [0.05, 0.1, 0.5, 0.2, 0.15]
    values = np.array([-2, -1, 0, 1, 2]) / 3
    for seed in range(600):
        found = interval(rng.choice(values, 20, p=chances).tolist(), confidence=0.9, resamples=300, seed=seed)
        assert found is not None
        held += found.low <= float(values @ chances) <= found.high
    assert 0.87 <= held / 600 <= 0.94


@pytest.mark.parametrize("freedom", [4, 9, 19, 79])
@pytest.mark.parametrize("share", [0.9, 0.95, 0.975])
def test_the_quantile_is_students(freedom: int, share: float) -> None:
    assert bootstrap._t_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=0.02)


@pytest.mark.parametrize("values", [[], [0.5]])
def test_one_scenario_has_no_interval(values: list[float]) -> None:
    assert interval(values, confidence=0.9, resamples=100, seed=1) is None


@pytest.mark.parametrize("case", [(0.0, 10), (1.0, 10), (0.9, 0)])
def test_impossible_intervals_are_refused(case: tuple[float, int]) -> None:
    with pytest.raises(ValueError, match="an interval needs"):
        interval([0.1, 0.2], confidence=case[0], resamples=case[1], seed=1)
