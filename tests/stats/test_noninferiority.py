"""The non-inferiority probability is that of two Jeffreys posteriors, to well under a millionth."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from karpathy_self_improve.stats.jeffreys import noninferiority


def by_scipy(s0: int, n0: int, s: int, n: int, margin: float) -> float:
    """The same integral by adaptive quadrature, over the angle: Jeffreys densities are finite there."""
    anchor, log_beta = stats.beta(s0 + 0.5, n0 - s0 + 0.5), special.betaln(s + 0.5, n - s + 0.5)

    def inferior(angle: float) -> float:
        wins, losses = special.xlogy(2 * s, np.sin(angle)), special.xlogy(2 * (n - s), np.cos(angle))
        return 2 * np.exp(wins + losses - log_beta) * anchor.sf(np.sin(angle) ** 2 + margin)

    top, middle = np.arcsin(np.sqrt(1 - margin)), np.arcsin(np.sqrt((s + 0.5) / (n + 1)))
    width = 0.5 / np.sqrt(n + 1)
    cuts = sorted({0.0, top} | {min(top, max(0.0, middle + k * width)) for k in (-8, -3, -1, 0, 1, 3, 8)})
    parts = [integrate.quad(inferior, low, high, epsabs=1e-11)[0] for low, high in pairwise(cuts)]
    return float(1 - sum(parts))


EDGES = [
    (0, 0, 0, 0, 0.15),
    (20, 20, 10, 10, 0.15),
    (0, 5, 0, 5, 0.1),
    (60, 60, 60, 60, 0.15),
    (0, 60, 60, 60, 0.0),
    (60, 60, 0, 60, 0.0),
    (1, 1, 1, 1, 0.9),
    (900, 1000, 880, 1000, 0.02),
    (1000, 1000, 1000, 1000, 0.001),
]


@pytest.mark.parametrize("case", EDGES)
def test_agrees_with_adaptive_quadrature_at_the_edges(case: tuple[int, int, int, int, float]) -> None:
    assert noninferiority(*case) == pytest.approx(by_scipy(*case), abs=1e-9)


def test_agrees_with_adaptive_quadrature_everywhere() -> None:
    rng = random.Random(20261120)
    for _ in range(40):
        n0, n = rng.randrange(1, 130), rng.randrange(1, 130)
        case = (rng.randrange(n0 + 1), n0, rng.randrange(n + 1), n, rng.choice([0.0, 0.01, 0.05, 0.15, 0.3]))
        assert noninferiority(*case) == pytest.approx(by_scipy(*case), abs=1e-9), case


def test_equal_evidence_without_a_margin_is_a_coin_toss() -> None:
    assert noninferiority(27, 30, 27, 30, 0.0) == pytest.approx(0.5, abs=1e-12)


def test_more_live_successes_and_a_wider_margin_always_help() -> None:
    by_successes = [noninferiority(54, 60, s, 30, 0.15) for s in range(31)]
    by_margin = [noninferiority(54, 60, 25, 30, margin) for margin in (0.0, 0.05, 0.1, 0.15, 0.2)]
    assert by_successes == sorted(by_successes)
    assert by_margin == sorted(by_margin)


@pytest.mark.parametrize("case", [(6, 5, 0, 5, 0.1), (0, 5, 6, 5, 0.1), (-1, 5, 0, 5, 0.1), (0, 5, 0, 5, 1.0)])
def test_impossible_comparisons_are_refused(case: tuple[int, int, int, int, float]) -> None:
    with pytest.raises(ValueError, match="impossible comparison"):
        noninferiority(*case)
