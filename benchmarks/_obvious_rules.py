"""The rules one would write down first, looked at after every session like ours, on the same simulated sessions."""

from __future__ import annotations

from functools import cache
from math import comb

import numpy as np
from _windows import Counts, Flags, Values

from karpathy_self_improve.stats import fisher


def ten_points_down(s0: Counts, n0: int, outcomes: Flags, n_min: int) -> Flags:
    """Revert when live success is ten points or more under the baseline's."""
    live = np.cumsum(outcomes, axis=1)[:, n_min - 1 :] / np.arange(n_min, outcomes.shape[1] + 1)
    return (live <= (s0 / n0)[:, None] - 0.1 + 1e-12).any(axis=1)


def fisher_at_05(s0: Counts, n0: int, outcomes: Flags, n_min: int) -> Flags:
    """Revert when Fisher's one-sided p-value is under .05."""
    critical = np.array(
        [[_fisher_critical(a, n0, n) for n in range(n_min, outcomes.shape[1] + 1)] for a in range(n0 + 1)]
    )
    return (np.cumsum(outcomes, axis=1)[:, n_min - 1 :] < critical[s0]).any(axis=1)


@cache
def _fisher_critical(s0: int, n0: int, n: int) -> int:
    """How many of the outcomes 0, 1, 2 ... successes are significant: the mid-p value plus the half it leaves out."""

    def p_value(s: int) -> float:
        return fisher.mid_p(s0, n0, s, n) + comb(n, s) * comb(n0, s0) / (2 * comb(n0 + n, s0 + s))

    return next((s for s in range(n + 1) if p_value(s) >= 0.05), n + 1)


def mann_whitney_at_05(baseline: Values, live: Values, n_min: int) -> Flags:
    """Revert when Mann and Whitney's one-sided p-value (normal approximation) is under .05."""
    n0, n = baseline.shape[1], np.arange(1, live.shape[1] + 1)
    below = np.array([np.searchsorted(before, after) for before, after in zip(np.sort(baseline), live, strict=True)])
    z = (np.cumsum(below, axis=1) - n0 * n / 2) / np.sqrt(n0 * n * (n0 + n + 1) / 12)
    return (z[:, n_min - 1 :] > 1.6449).any(axis=1)


def poisson_test(baseline: Counts, live: Counts, n_min: int, level: float) -> Flags:
    """Revert when the exact test for two Poisson rates says p <= ``level``: given the sum, a count is binomial."""
    before, after = baseline.sum(axis=1), np.cumsum(live, axis=1)
    crossed = np.zeros(len(before), dtype=bool)
    for n in range(n_min, live.shape[1] + 1):
        totals = before + after[:, n - 1]
        highest = -(-int(totals.max()) // 500) * 500
        crossed |= after[:, n - 1] >= _binomial_critical(highest, n / (baseline.shape[1] + n), level)[totals]
    return crossed


@cache
def _binomial_critical(highest: int, share: float, level: float) -> Counts:
    """By total 0..highest: the fewest live events of which P(that many or more) <= ``level``; more than all: none."""
    chances = np.zeros(highest + 2)
    chances[0] = 1.0
    critical = np.empty(highest + 1, dtype=np.int64)
    for total in range(highest + 1):
        tails = np.cumsum(chances[total::-1])[::-1]
        critical[total] = np.count_nonzero(tails > level)
        chances[1:] = chances[1:] * (1 - share) + chances[:-1] * share
        chances[0] *= 1 - share
    return critical
