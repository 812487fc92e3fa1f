"""Of all candidates ever confirmed on a held-out set few useless ones pass: Holm's correction, at once and in turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karpathy_self_improve.stats.holm import adjusted, chance_of_a_false_pass, level

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def rejected(p_values: list[float], alpha: float) -> set[int]:
    """Holm's procedure as he wrote it: the smallest first, until one is too large."""
    passed: set[int] = set()
    for index in sorted(range(len(p_values)), key=lambda i: p_values[i]):
        if p_values[index] > alpha / (len(p_values) - len(passed)):
            break
        passed.add(index)
    return passed


@given(p_values, st.sampled_from([0.01, 0.05, 0.3]))
def test_adjusted_p_values_reject_what_the_procedure_rejects(found: list[float], alpha: float) -> None:
    passed = rejected(found, alpha)
    for index, p in enumerate(adjusted(found)):
        if abs(p - alpha) > 1e-12:
            assert (p <= alpha) is (index in passed)


@given(p_values)
def test_adjusting_keeps_the_order_and_never_helps(found: list[float]) -> None:
    corrected = adjusted(found)
    assert all(found[i] <= corrected[i] <= 1 for i in range(len(found)))
    assert sorted(range(len(found)), key=lambda i: (found[i], i)) == sorted(
        range(len(found)), key=lambda i: (corrected[i], found[i], i)
    )


@given(st.lists(st.floats(0, 0.2), max_size=6), st.floats(0, 0.2), st.integers(1, 9))
def test_the_level_is_where_the_procedure_begins_to_pass_the_next_candidate(
    earlier: list[float], p: float, planned: int
) -> None:
    limit = level(earlier, 0.05, planned=planned)
    family = [p, *earlier, *[1.0] * (planned - len(earlier) - 1)]
    if abs(p - limit) > 1e-12:
        assert (p <= limit) is (0 in rejected(family, 0.05))


def test_the_level_falls_with_every_failure_and_not_with_a_success() -> None:
    assert [level([0.4] * k, 0.06) for k in range(4)] == pytest.approx([0.06, 0.03, 0.02, 0.015])
    assert level([0.001], 0.06) == level([0.001, 0.025], 0.06) == 0.06
    assert level([0.001, 0.035], 0.06) == pytest.approx(0.03)
    assert level([], 0.06, planned=3) == level([0.4], 0.06, planned=3) == pytest.approx(0.02)
    assert level([0.4] * 5, 0.06, planned=3) == pytest.approx(0.01)


@pytest.mark.parametrize("planned", [1, 3, 8])
@pytest.mark.parametrize("useful", [0, 1, 4])
def test_useless_candidates_in_a_row_stay_within_the_bound(planned: int, useful: int) -> None:
    rng = np.random.default_rng([20261120, planned, useful])
    rounds, candidates, alpha = 6000, 8, 0.2
    false_passes = 0
    for _ in range(rounds):
        earlier: list[float] = []
        order = rng.permutation(candidates)
        found = False
        for candidate in order:
            p = float(rng.random()) ** (9 if candidate < useful else 1)
            found |= bool(candidate >= useful and p <= level(earlier, alpha, planned=planned))
            earlier.append(p)
        false_passes += found
    bound = chance_of_a_false_pass(candidates, alpha, planned=planned)
    assert false_passes / rounds <= bound + 4 * (bound / rounds) ** 0.5


def test_the_bound_is_alpha_while_the_plan_lasts_and_grows_after() -> None:
    assert [chance_of_a_false_pass(k, 0.05, planned=3) for k in (1, 2, 3)] == [0.05] * 3
    assert chance_of_a_false_pass(4, 0.05, planned=3) == pytest.approx(0.075)
    assert chance_of_a_false_pass(10, 0.05) == pytest.approx(0.1464, abs=1e-4)


@pytest.mark.parametrize("case", [(0.0, 1), (1.0, 1), (0.05, 0)])
def test_impossible_plans_are_refused(case: tuple[float, int]) -> None:
    with pytest.raises(ValueError, match="a level needs"):
        level([], case[0], planned=case[1])
