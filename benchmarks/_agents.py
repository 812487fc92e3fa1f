"""Simulated agents: errors and costs as they come, and whole sessions whose outcome, errors and cost hang together."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log
from statistics import NormalDist

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
Values = NDArray[np.float64]
Size = tuple[int, int]


@dataclass(frozen=True)
class SkewedCost:
    """Lognormal: the dearest session of a hundred costs ten times the median when ``spread`` is 1.

    A change multiplies the values by ``factor``; ``share(u)`` is then the share of sessions above the level that a
    share ``u`` lay above before.
    """

    name: str
    spread: float
    factor: float

    def draw(self, rng: Generator, size: Size, factor: float = 1.0) -> Values:
        return factor * rng.lognormal(0.0, self.spread, size)

    def share(self, u: float) -> float:
        normal, inside = NormalDist(), min(max(u, 1e-15), 1 - 1e-15)
        return 1 - normal.cdf(normal.inv_cdf(1 - inside) - log(self.factor) / self.spread)


@dataclass(frozen=True)
class ErrorCounts:
    """Negative binomial with variance mean + mean**2 / ``shape``, or Poisson; a change multiplies the mean."""

    name: str
    mean: float
    shape: float | None
    factor: float

    def draw(self, rng: Generator, size: Size, factor: float = 1.0) -> Values:
        return with_lots(rng, draw_counts(rng, np.full(size, factor * self.mean), self.shape))

    def share(self, u: float) -> float:
        before, after = (self._above(self.mean * factor) for factor in (1.0, self.factor))
        return float(np.interp(u, before, after))

    def _above(self, mean: float) -> Values:
        """P(count > j) for j from high to -1: with lots, everything between follows a straight line."""
        return np.concatenate([[0.0], np.cumsum([self._chance(j, mean) for j in range(400, -1, -1)])])

    def _chance(self, j: int, mean: float) -> float:
        if self.shape is None:
            return exp(j * log(mean) - mean - lgamma(j + 1))
        ways = lgamma(j + self.shape) - lgamma(self.shape) - lgamma(j + 1)
        return exp(ways + self.shape * log(self.shape / (self.shape + mean)) + j * log(mean / (self.shape + mean)))


@dataclass(frozen=True)
class Sessions:
    """Sessions of one arm, by window (rows) and order: outcome, error count, cost."""

    success: Flags
    errors: Counts
    cost: Values


@dataclass(frozen=True)
class Agent:
    """Three sessions in ten are hard: they fail twice as often, and have three times the errors and the cost."""

    name: str
    success: float
    errors: float
    shape: float | None
    spread: float

    def sessions(self, rng: Generator, size: Size) -> Sessions:
        hard = rng.random(size) < 0.3
        failing = np.where(hard, 2.0, 0.4 / 0.7) * (1 - self.success)  # all together fail as ``success`` says
        success = rng.random(size) >= failing
        errors = draw_counts(rng, np.where(hard, 3.0, 1.0) * self.errors, self.shape)
        return Sessions(success, errors, np.where(hard, 3.0, 1.0) * rng.lognormal(0.0, self.spread, size))


def draw_counts(rng: Generator, means: Values, shape: float | None) -> Counts:
    if shape is not None:
        means = means * rng.gamma(shape, 1 / shape, means.shape)
    return rng.poisson(means)


def with_lots(rng: Generator, counts: Counts) -> Values:
    """Counts with a lot drawn for each, so that equal ones are ordered by it."""
    return counts + rng.random(counts.shape)
