"""The permutation test counts every pattern of signs, whatever the gains, and calls chance what chance does."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from karpathy_self_improve.stats import permutation
from karpathy_self_improve.stats.pairs import GRAINS, Pair
from karpathy_self_improve.stats.permutation import p_value
from karpathy_self_improve.stats.sign_test import mcnemar

few_gains = st.lists(st.integers(-GRAINS, GRAINS), max_size=9)
many_gains = st.lists(st.integers(-3, 3), max_size=60)
unhurried = settings(deadline=None, max_examples=60)


def by_hand(gains: list[int]) -> float:
    """The share of all sign patterns that reach the observed sum."""
    patterns = list(product((-1, 1), repeat=len(gains)))
    reached = sum(sum(s * g for s, g in zip(signs, gains, strict=True)) >= sum(gains) for signs in patterns)
    return reached / len(patterns)


@unhurried
@given(few_gains)
def test_is_the_share_of_all_sign_patterns(gains: list[int]) -> None:
    assert p_value(gains) == by_hand(gains)


def test_agrees_with_scipy() -> None:
    rng = random.Random(20261120)
    for _ in range(20):
        gains = [rng.randrange(-3, 4) for _ in range(rng.randrange(3, 12))]
        found = permutation_test(
            (np.array(gains),), np.sum, permutation_type="samples", alternative="greater", n_resamples=np.inf
        )
        assert p_value(gains) == pytest.approx(found.pvalue, rel=1e-12)


def test_agrees_with_a_million_random_patterns_at_eighty_scenarios() -> None:
    rng = np.random.default_rng(20261120)
    gains = rng.integers(-3, 4, 80) + (rng.random(80) < 0.25)
    sums = sum(rng.integers(0, 2, (50_000, 80)) @ (2 * gains) - gains.sum() >= gains.sum() for _ in range(20))
    share = float(np.mean(sums) / 20)
    exact = p_value(gains.tolist())
    assert 0.001 < exact < 0.2
    assert share == pytest.approx(exact, abs=4 * (exact / 1_000_000) ** 0.5)


@unhurried
@given(many_gains, st.randoms(use_true_random=False))
def test_the_order_and_the_unit_of_the_gains_do_not_matter(gains: list[int], rng: random.Random) -> None:
    shuffled = rng.sample(gains, len(gains))
    assert p_value(gains) == p_value(shuffled) == p_value([840 * gain for gain in gains])


@unhurried
@given(many_gains)
def test_ties_say_nothing(gains: list[int]) -> None:
    assert p_value(gains) == p_value([*gains, 0, 0, 0])


@unhurried
@given(many_gains)
def test_what_speaks_for_one_arm_speaks_against_the_other(gains: list[int]) -> None:
    swapped = [-gain for gain in gains]
    assert p_value(gains) + p_value(swapped) >= 1
    above = p_value([2 * gain for gain in gains] + [1, 1])
    assert above <= p_value([2 * gain for gain in gains] + [1, -1])


@unhurried
@given(many_gains.filter(lambda gains: sum(gains) <= 0))
def test_no_gain_is_never_surprising(gains: list[int]) -> None:
    assert p_value(gains) > 0.5


@unhurried
@given(many_gains, st.data())
def test_a_loss_turned_into_as_large_a_win_always_helps(gains: list[int], data: st.DataObject) -> None:
    losses = [index for index, gain in enumerate(gains) if gain < 0]
    if losses:
        index = data.draw(st.sampled_from(losses))
        better = [*gains[:index], -gains[index], *gains[index + 1 :]]
        assert p_value(better) < p_value(gains) or p_value(better) > 0.999


@unhurried
@given(st.lists(st.integers(-1, 1), max_size=80))
def test_with_one_repeat_it_is_mcnemars_test(gains: list[int]) -> None:
    assert p_value(gains) == mcnemar(gains.count(1), gains.count(-1))


def test_identical_arms_are_called_better_no_oftener_than_the_level_says() -> None:
    """Exactly: over all outcomes of two arms with the same chances, for scenarios of unlike difficulty."""
    chances = (0.1, 0.5, 0.7, 0.9, 0.95)
    for level in (0.05, 0.1, 0.3):
        total = 0.0
        for gains in product((-2, -1, 0, 1, 2), repeat=len(chances)):
            if p_value(gains) <= level:
                total += float(np.prod([_chance(gain, p) for gain, p in zip(gains, chances, strict=True)]))
        assert 0 < total <= level


def _chance(gain: int, p: float) -> float:
    """Of that difference between two arms of two runs each."""
    passes = [(1 - p) ** 2, 2 * p * (1 - p), p**2]
    return sum(passes[k] * passes[k + gain] for k in range(3) if 0 <= k + gain <= 2)


def test_gains_too_many_and_too_unlike_are_rounded_and_stay_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(20261120)
    monkeypatch.setattr(permutation, "_MAX_TOTAL", 40)
    for _ in range(30):
        gains = [rng.randrange(-99, 100) for _ in range(9)]
        unit = sum(abs(gain) for gain in gains) // 40
        assert p_value(gains) == by_hand([round(gain / unit) for gain in gains])


def test_gains_in_a_common_unit_are_not_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(20261120)
    monkeypatch.setattr(permutation, "_MAX_TOTAL", 27)
    for _ in range(30):
        gains = [rng.randrange(-3, 4) for _ in range(9)]
        assert p_value([7 * gain for gain in gains]) == by_hand(gains)


def test_a_thousand_scenarios_need_no_luck() -> None:
    pairs = [Pair(str(i), (True, False, i % 3 > 0), (True, True, i % 5 > 0)) for i in range(1000)]
    assert 0 < p_value([pair.gain for pair in pairs]) < 1e-20


@pytest.mark.parametrize(("gains", "expected"), [([], 1.0), ([0, 0], 1.0), ([5], 0.5), ([1] * 5, 1 / 32)])
def test_small_cases(gains: list[int], expected: float) -> None:
    assert p_value(gains) == expected
