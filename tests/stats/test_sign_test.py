"""McNemar's test is exact, its power is exact, and fewer wins than it takes convince nobody."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from karpathy_self_improve.stats.sign_test import MOST_SCENARIOS, mcnemar, power, scenarios_needed, wins_needed

counts = st.integers(0, 200)


@given(counts, counts)
def test_agrees_with_scipys_binomial_test(wins: int, losses: int) -> None:
    tosses = wins + losses
    expected = binomtest(wins, tosses, alternative="greater").pvalue if tosses else 1.0
    assert mcnemar(wins, losses) == pytest.approx(expected, rel=1e-9)


@given(counts, counts)
def test_more_wins_help_and_more_losses_harm(wins: int, losses: int) -> None:
    assert mcnemar(wins + 1, losses) <= mcnemar(wins, losses)
    assert mcnemar(losses + wins + 1, losses) < mcnemar(losses + wins, losses)
    assert mcnemar(wins, losses + 1) >= mcnemar(wins, losses)


@pytest.mark.parametrize(("level", "wins"), [(0.1, 4), (0.05, 5), (0.03125, 5), (0.025, 6), (0.005, 8), (0.5, 1)])
def test_so_many_wins_convince_and_one_fewer_does_not(level: float, wins: int) -> None:
    assert wins_needed(level) == wins
    assert mcnemar(wins, 0) <= level < mcnemar(wins - 1, 0)


@pytest.mark.parametrize("chances", [(0.5, 0.1), (0.3, 0.3), (0.9, 0.1), (1.0, 0.0), (0.0, 0.0)])
def test_power_is_the_sum_over_all_outcomes(chances: tuple[float, float]) -> None:
    win, loss = chances
    by_outcome = {1: win, -1: loss, 0: 1 - win - loss}
    for scenarios in (0, 1, 5, 7):
        expected = 0.0
        for outcome in product(by_outcome, repeat=scenarios):
            chance = 1.0
            for one in outcome:
                chance *= by_outcome[one]
            expected += chance * (mcnemar(outcome.count(1), outcome.count(-1)) <= 0.1)
        assert power(scenarios, win, loss, 0.1) == pytest.approx(expected, abs=1e-12)


def test_scenarios_needed_are_enough_and_one_fewer_is_not() -> None:
    for win, loss in [(0.2, 0.0), (0.3, 0.1), (0.9, 0.1)]:
        needed = scenarios_needed(win, loss, 0.05, 0.8)
        assert needed is not None
        assert power(needed, win, loss, 0.05) >= 0.8 > power(needed - 1, win, loss, 0.05)


def test_what_no_number_of_scenarios_can_show_needs_none() -> None:
    assert scenarios_needed(1.0, 0.0, 0.05, 0.99) == 5
    assert scenarios_needed(0.001, 0.0, 0.05, 0.8) is None
    assert power(MOST_SCENARIOS, 0.5, 0.3, 0.05) > 0.99


@pytest.mark.parametrize("chances", [(-0.1, 0.1, 0.05), (0.6, 0.5, 0.05), (0.5, 0.1, 0.0), (0.5, 0.1, 1.0)])
def test_impossible_chances_are_refused(chances: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="impossible"):
        power(10, *chances)


def test_impossible_counts_and_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="impossible"):
        power(MOST_SCENARIOS + 1, 0.5, 0.1, 0.05)
    with pytest.raises(ValueError, match="counts"):
        mcnemar(-1, 3)
    with pytest.raises(ValueError, match="between 0 and 1"):
        wins_needed(0.0)
