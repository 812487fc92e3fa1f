"""The mid-p value is Fisher's, exactly."""

from __future__ import annotations

import random

import pytest
from scipy.stats import fisher_exact, hypergeom

from karpathy_self_improve.stats.fisher import mid_p


def test_agrees_with_the_hypergeometric_distribution() -> None:
    rng = random.Random(20261120)
    for _ in range(500):
        n0, n = rng.randrange(1, 200), rng.randrange(1, 200)
        s0, s = rng.randrange(n0 + 1), rng.randrange(n + 1)
        null = hypergeom(n0 + n, s0 + s, n)
        assert mid_p(s0, n0, s, n) == pytest.approx(null.cdf(s - 1) + null.pmf(s) / 2, abs=1e-12, rel=1e-11)


def test_lies_half_the_observed_table_below_the_usual_p_value() -> None:
    p_value = fisher_exact([[11, 9], [57, 3]], alternative="less").pvalue
    assert mid_p(57, 60, 11, 20) == pytest.approx(p_value - hypergeom(80, 68, 20).pmf(11) / 2, rel=1e-11)


def test_a_better_live_rate_is_never_evidence_of_harm() -> None:
    assert mid_p(10, 20, 10, 10) > 0.99
    assert mid_p(20, 20, 10, 10) == 0.5


def test_thousands_of_sessions_neither_overflow_nor_vanish() -> None:
    null = hypergeom(6000, 5300, 3000)
    assert mid_p(2700, 3000, 2600, 3000) == pytest.approx(null.cdf(2599) + null.pmf(2600) / 2, rel=1e-9)


@pytest.mark.parametrize("counts", [(-1, 5, 0, 5), (6, 5, 0, 5), (0, 5, -1, 5), (0, 5, 6, 5)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="between 0 and the sessions"):
        mid_p(*counts)
