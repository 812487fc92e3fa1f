"""Scenarios that disagree with themselves are found, named and measured, and a quiet A/A run is no proof of calm."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from karpathy_self_improve.stats.flips import flip_rate, wilson
from karpathy_self_improve.stats.pairs import Pair

runs = st.lists(st.sampled_from([True, False, None]), max_size=5).map(tuple)


@given(runs, runs)
def test_a_scenarios_rate_is_the_share_of_its_disagreeing_pairs_of_runs(
    first: tuple[bool | None, ...], second: tuple[bool | None, ...]
) -> None:
    known = [run for run in (*first, *second) if run is not None]
    pairs = list(combinations(known, 2))
    found = flip_rate([Pair("a", first, second)])
    if not pairs:
        assert found is None
        return
    assert found is not None
    assert found.rate == pytest.approx(sum(x != y for x, y in pairs) / len(pairs))
    assert [flaky.scenario for flaky in found.flaky] == (["a"] if len(set(known)) == 2 else [])


def test_flaky_scenarios_are_named_the_worst_first_and_silent_ones_left_out() -> None:
    found = flip_rate(
        [
            Pair("steady", (True, True), (True, True)),
            Pair("bent", (True, True), (True, False)),
            Pair("coin", (True, False), (True, False)),
            Pair("silent", (None, None), (True, None)),
        ]
    )
    assert found is not None
    assert [(flaky.scenario, flaky.runs) for flaky in found.flaky] == [("coin", 4), ("bent", 4)]
    assert (found.scenarios, found.left_out) == (3, ("silent",))
    assert found.rate == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)


def test_the_rate_is_not_biased_by_few_runs() -> None:
    rng = random.Random(20261120)
    pairs = [Pair(str(i), (rng.random() < 0.9,), (rng.random() < 0.9,)) for i in range(20_000)]
    found = flip_rate(pairs)
    assert found is not None
    assert found.rate == pytest.approx(2 * 0.9 * 0.1, abs=0.012)


def test_the_interval_holds_the_true_rate_at_least_as_often_as_it_says() -> None:
    rng, held = random.Random(20261120), 0
    true = sum(2 * p * (1 - p) for p in (0.99, 0.9, 0.5, 0.02, 0.98)) / 5
    for _ in range(500):
        chances = [(0.99, 0.9, 0.5, 0.02, 0.98)[i % 5] for i in range(20)]
        pairs = [
            Pair(str(i), tuple(rng.random() < p for _ in range(3)), tuple(rng.random() < p for _ in range(3)))
            for i, p in enumerate(chances)
        ]
        found = flip_rate(pairs)
        assert found is not None
        held += found.interval.low <= true <= found.interval.high
    assert held >= 475


@given(st.integers(0, 50), st.integers(1, 50), st.sampled_from([0.8, 0.9, 0.95]))
def test_the_interval_is_wilsons(flips: int, more: int, confidence: float) -> None:
    expected = binomtest(flips, flips + more).proportion_ci(confidence, method="wilson")
    found = wilson(flips / (flips + more), flips + more, confidence)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_no_flip_among_few_scenarios_leaves_room_for_some() -> None:
    found = flip_rate([Pair(str(i), (True,) * 3, (True,) * 3) for i in range(10)])
    assert found is not None
    assert found.rate == 0
    assert found.interval.low == pytest.approx(0)
    assert found.interval.high > 0.2


def test_nothing_that_ran_twice_has_no_rate() -> None:
    assert flip_rate([]) is None
    assert flip_rate([Pair("a", (True,), (None,))]) is None


@pytest.mark.parametrize("case", [(0.1, 0, 0.9), (1.1, 5, 0.9), (0.1, 5, 1.0)])
def test_impossible_intervals_are_refused(case: tuple[float, int, float]) -> None:
    with pytest.raises(ValueError, match="no interval"):
        wilson(*case)
