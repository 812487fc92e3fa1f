"""No result is neither a pass nor a failure, and swapping the arms turns a gain into the same loss."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karpathy_self_improve.stats.pairs import GRAINS, Pair

runs = st.lists(st.sampled_from([True, False, None]), max_size=10).map(tuple)
results = st.lists(st.booleans(), min_size=1, max_size=10).map(tuple)


@given(results, results)
def test_a_gain_is_the_exact_difference_of_the_pass_rates(
    baseline: tuple[bool, ...], candidate: tuple[bool, ...]
) -> None:
    exact = Fraction(sum(candidate), len(candidate)) - Fraction(sum(baseline), len(baseline))
    assert Fraction(Pair("a", baseline, candidate).gain, GRAINS) == exact


@given(st.lists(st.booleans(), min_size=1, max_size=40).map(tuple), results)
def test_swapping_the_arms_turns_the_gain_round(baseline: tuple[bool, ...], candidate: tuple[bool, ...]) -> None:
    assert Pair("a", baseline, candidate).gain == -Pair("a", candidate, baseline).gain


@given(results, results, st.integers(0, 3))
def test_runs_without_a_result_change_nothing(
    baseline: tuple[bool, ...], candidate: tuple[bool, ...], missing: int
) -> None:
    silent = (None,) * missing
    with_gaps = Pair("a", (*silent, *baseline), (*candidate, *silent))
    assert with_gaps.gain == Pair("a", baseline, candidate).gain
    assert with_gaps.winnable == (not all(baseline))


@given(runs, runs)
def test_a_missing_side_is_no_measurement(
    baseline: tuple[bool | None, ...], candidate: tuple[bool | None, ...]
) -> None:
    pair = Pair("a", baseline, candidate)
    both = any(run is not None for run in baseline) and any(run is not None for run in candidate)
    assert pair.measured is both
    if not both:
        assert not pair.winnable
        with pytest.raises(ValueError, match="leave the pair out"):
            _ = pair.gain
