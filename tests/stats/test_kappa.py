"""Agreement figures are the published ones, and undefined ones are None and never 0."""

from __future__ import annotations

import pytest

from karpathy_self_improve.stats.kappa import cohen_kappa, self_agreement


def pairs(both: int, first: int, second: int, neither: int) -> list[tuple[bool, bool]]:
    return [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ((20, 5, 10, 15), 0.4),  # by hand: observed .7, expected .5
        ((45, 15, 25, 15), 3 / 23),  # observed .6, expected .54
        ((25, 35, 5, 35), 7 / 27),  # the same observed agreement, expected .46
        ((10, 0, 0, 10), 1.0),
        ((0, 10, 10, 0), -1.0),
        ((5, 5, 5, 5), 0.0),
    ],
)
def test_kappa_is_agreement_beyond_chance(table: tuple[int, int, int, int], kappa: float) -> None:
    assert cohen_kappa(pairs(*table)) == pytest.approx(kappa)


def test_kappa_is_undefined_without_pairs_and_without_two_ratings() -> None:
    assert cohen_kappa([]) is None
    assert cohen_kappa(pairs(12, 0, 0, 0)) is None


def test_votes_on_one_thing_agree_by_pairs() -> None:
    assert self_agreement([["pass", "pass", "pass"]]) == 1
    assert self_agreement([["pass", "pass", "fail"]]) == pytest.approx(1 / 3)
    assert self_agreement([["pass", "pass"], ["pass", "fail"]]) == 0.5
    assert self_agreement([["pass"], ["fail", "fail"]]) == 1
    assert self_agreement([["pass"]]) is self_agreement([]) is None
