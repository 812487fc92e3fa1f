"""The probability that live sessions hardly exceed the anchor's level more often is that of its two laws."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from karpathy_self_improve.stats.exceedance_noninferiority import noninferiority


def by_scipy(k: int, n0: int, x: int, n: int, margin: float) -> float:
    """The same by adaptive quadrature over the anchor's share, whose density is a plain polynomial."""
    anchor, live = stats.beta(k, n0 - k + 1), stats.beta(x + 0.5, n - x + 0.5)
    middle, width = (k - 0.5) / n0, 1 / np.sqrt(n0 + 1)
    cuts = sorted({0.0, 1.0, 1 - margin} | {min(1.0, max(0.0, middle + j * width)) for j in (-4, -2, -1, 0, 1, 2, 4)})

    def within(u: float) -> float:
        return float(anchor.pdf(u) * live.cdf(min(1.0, u + margin)))

    parts = [integrate.quad(within, a, b, epsabs=1e-12, limit=200)[0] for a, b in pairwise(cuts)]
    return float(sum(parts))


EDGES = [
    (1, 1, 0, 0, 0.1),
    (1, 5, 5, 5, 0.0),
    (5, 5, 0, 5, 0.0),
    (6, 60, 0, 60, 0.15),
    (6, 60, 60, 60, 0.15),
    (2, 20, 3, 10, 0.9),
    (100, 1000, 120, 1000, 0.02),
]


@pytest.mark.parametrize("case", EDGES)
def test_agrees_with_adaptive_quadrature_at_the_edges(case: tuple[int, int, int, int, float]) -> None:
    assert noninferiority(*case) == pytest.approx(by_scipy(*case), abs=1e-9)


def test_agrees_with_adaptive_quadrature_everywhere() -> None:
    rng = random.Random(20261120)
    for _ in range(40):
        n0, n = rng.randrange(1, 130), rng.randrange(1, 130)
        case = (rng.randrange(1, n0 + 1), n0, rng.randrange(n + 1), n, rng.choice([0.0, 0.01, 0.05, 0.15, 0.3]))
        assert noninferiority(*case) == pytest.approx(by_scipy(*case), abs=1e-9), case


def test_fewer_exceedances_and_a_wider_margin_always_help() -> None:
    by_count = [noninferiority(6, 60, x, 30, 0.15) for x in range(31)]
    by_margin = [noninferiority(6, 60, 5, 30, margin) for margin in (0.0, 0.05, 0.1, 0.15, 0.2)]
    assert by_count == sorted(by_count, reverse=True)
    assert by_margin == sorted(by_margin)


@pytest.mark.parametrize(
    "case", [(0, 5, 0, 5, 0.1), (6, 5, 0, 5, 0.1), (2, 5, 6, 5, 0.1), (2, 5, -1, 5, 0.1), (2, 5, 0, 5, 1.0)]
)
def test_impossible_comparisons_of_shares_are_refused(case: tuple[int, int, int, int, float]) -> None:
    with pytest.raises(ValueError, match="impossible comparison"):
        noninferiority(*case)
