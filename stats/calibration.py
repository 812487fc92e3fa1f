"""A live window fixed ahead: how strict its boundary must be, what it will catch and miss, and what it says so far."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import comb, exp, isqrt, lgamma, log, pi, sin, sqrt
from typing import NamedTuple

from .creep import Anchor
from .jeffreys import noninferiority


class Verdict(StrEnum):
    """What a window concludes. "No alarm" is not "verified"."""

    REVERTED = "reverted"
    VERIFIED = "verified"
    INCONCLUSIVE = "inconclusive"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class WindowPlan:
    """Everything a window is decided by, fixed before its first live session.

    ``n0`` baseline sessions; a look after every live session from ``n_min`` to ``n_max``; verification at ``n`` and, if
    that was not enough, at ``n_max``. ``alpha`` bounds the chance of taking back a change that did nothing;
    ``confidence`` is demanded for a loss below ``margin`` in success rate. Raises ValueError for an impossible plan.
    """

    n0: int
    n_min: int
    n: int
    n_max: int
    alpha: float
    margin: float
    confidence: float

    def __post_init__(self) -> None:
        if not (self.n0 >= 1 and 1 <= self.n_min <= self.n <= self.n_max):
            raise ValueError(f"a plan needs n0 >= 1 and 1 <= n_min <= n <= n_max, not {self}")
        if not (0 < self.alpha < 0.5 and 0 <= self.margin < 1 and 0.5 <= self.confidence < 1):
            raise ValueError(f"a plan needs 0 < alpha < 1/2, 0 <= margin < 1, 1/2 <= confidence < 1, not {self}")


@dataclass(frozen=True)
class OperatingCharacteristics:
    """Exact probabilities of the three ends of a plan, for one true success rate before and one after the change."""

    reverted: float
    verified: float
    inconclusive: float


def calibrate(plan: WindowPlan) -> float:
    """The largest boundary ``c`` for ``mid_p <= c`` that keeps the plan's alpha; 0.0 when no boundary does.

    Without a change, whatever the success rate, a window of this plan ever crosses ``c`` at one of the looks
    ``n_min..n_max`` with probability at most ``alpha``, as if none of them had ended in "verified". Found by exact
    dynamic programming over (s0, n, s), so it takes seconds when the sessions go into the hundreds; kept once known.
    """
    return _largest_constant(_Looks(plan.n0, plan.n_min, plan.n_max), plan.alpha)


def false_revert_rate(plan: WindowPlan, c: float) -> float:
    """Probability of ever crossing ``c`` without a change, at the success rate where that is most likely."""
    return _crossing_rate(_Looks(plan.n0, plan.n_min, plan.n_max), c)


def operating_characteristics(
    plan: WindowPlan, c: float, p0: float, p1: float, *, anchor: Anchor | None = None
) -> OperatingCharacteristics:
    """How the plan ends when the success rate is ``p0`` before and ``p1`` after the change, sessions independent.

    With an ``anchor``, given its counts; without one the baseline, still to be drawn, is its own anchor.
    Raises ValueError unless both are probabilities and 0 <= c <= 1/2.
    """
    if not (0 <= p0 <= 1 and 0 <= p1 <= 1):
        raise ValueError(f"success rates are probabilities, not {p0} and {p1}")
    boundary = _boundary(_Looks(plan.n0, plan.n_min, plan.n_max), c)
    baseline = _binomial(plan.n0, p0)
    references = [anchor or Anchor(s0, plan.n0) for s0 in range(plan.n0 + 1)]
    ends = [_ends(plan, references[s0], boundary[s0], baseline[s0], p1) for s0 in range(plan.n0 + 1)]
    return OperatingCharacteristics(*(sum(column) for column in zip(*ends, strict=True)))


class _Looks(NamedTuple):
    """The part of a plan that its boundary depends on."""

    n0: int
    n_min: int
    n_max: int


def _ends(
    plan: WindowPlan, anchor: Anchor, crossing: Sequence[int], weight: float, p1: float
) -> tuple[float, float, float]:
    """Mass that ends reverted, verified and inconclusive, out of the ``weight`` of one baseline and its boundary."""
    reverted = verified = 0.0
    row = [weight]
    for n in range(1, plan.n_max + 1):
        row = [stay * (1 - p1) + rise * p1 for stay, rise in zip([*row, 0.0], [0.0, *row], strict=True)]
        if n >= plan.n_min:
            lost = crossing[n - plan.n_min]
            reverted += sum(row[:lost])
            row[:lost] = [0.0] * lost
        if n in (plan.n, plan.n_max):
            enough = _enough_to_verify(plan, anchor, n)
            verified += sum(row[enough:])
            row[enough:] = [0.0] * len(row[enough:])
    return reverted, verified, sum(row)


def _enough_to_verify(plan: WindowPlan, anchor: Anchor, n: int) -> int:
    """The fewest successes in ``n`` live sessions that verify; ``n`` + 1 when none do. More successes always help."""

    def probability(s: int) -> float:
        return noninferiority(anchor.successes, anchor.sessions, s, n, plan.margin)

    return bisect_left(range(n + 1), plan.confidence, key=probability)


def _boundary(looks: _Looks, c: float) -> list[list[int]]:
    """By baseline successes and look: how many of the outcomes 0, 1, 2 ... live successes cross ``c``.

    The mid-p value rises with the live successes, so those that cross are always the lowest. Raises ValueError for a
    ``c`` above 1/2, where a live rate *better* than the baseline's would cross.
    """
    if not 0 <= c <= 0.5:
        raise ValueError(f"a boundary lies between 0 and 1/2, not at {c}")
    return [[bisect_right(values, c) for values in by_look] for by_look in _mid_p_table(looks)]


@lru_cache(maxsize=2)
def _mid_p_table(looks: _Looks) -> list[list[array[float]]]:
    """Mid-p values up to 1/2 by baseline successes, look and live successes: ``mid_p``, summed up one row at a time."""
    n0, n_min, n_max = looks
    table: list[list[array[float]]] = [[array("d") for _ in range(n_min, n_max + 1)] for _ in range(n0 + 1)]
    base = [comb(n0, k) for k in range(n0 + 1)]
    for n in range(n_min, n_max + 1):
        live = [comb(n, k) for k in range(n + 1)]
        for total in range(n0 + n + 1):
            fewer, twice_all = 0, 2 * comb(n0 + n, total)
            for s in range(max(0, total - n0), min(n, total) + 1):
                ways = live[s] * base[total - s]
                value = (2 * fewer + ways) / twice_all
                if value > 0.5:
                    break
                table[total - s][n - n_min].append(value)
                fewer += ways
    return table


@lru_cache(maxsize=32)
def _largest_constant(looks: _Looks, alpha: float) -> float:
    """Only attained mid-p values can be the answer; the rate rises with them, so bisection finds it."""
    ceiling = alpha
    while ceiling < 0.5 and _crossing_rate(looks, ceiling) <= alpha:
        ceiling = min(0.5, 2 * ceiling)
    attained = {value for row in _mid_p_table(looks) for values in row for value in values if value <= ceiling}
    candidates = sorted(attained)
    fit = bisect_right(candidates, alpha, key=lambda c: _crossing_rate(looks, c))
    return candidates[fit - 1] if fit else 0.0


def _crossing_rate(looks: _Looks, c: float) -> float:
    """Probability of ever crossing ``c`` without a change, at the worst success rate.

    Given the successes of all n0 + n_max sessions together, every order of them is equally likely, whatever the rate:
    one count of paths serves all rates, and the rate enters through the binomial weights of that total alone.
    """
    sessions = looks.n0 + looks.n_max
    crossed = [
        1 - quiet / comb(sessions, total) for total, quiet in enumerate(_quiet_paths(looks, _boundary(looks, c)))
    ]

    def rate_at(angle: float) -> float:
        weights = _binomial(sessions, sin(angle) ** 2)
        return sum(weight * share for weight, share in zip(weights, crossed, strict=True))

    return _highest(rate_at, 0, pi / 2, 12 * isqrt(sessions))


def _quiet_paths(looks: _Looks, boundary: list[list[int]]) -> list[int]:
    """By total successes: how many orders of successes and failures never cross. Whole numbers, hence exact."""
    paths = [0] * (looks.n0 + looks.n_max + 1)
    for s0, crossing in enumerate(boundary):
        row = [comb(looks.n0, s0)]
        for n in range(1, looks.n_max + 1):
            row = [stay + rise for stay, rise in zip([*row, 0], [0, *row], strict=True)]
            if n >= looks.n_min:
                lost = crossing[n - looks.n_min]
                row[:lost] = [0] * lost
        for s, ways in enumerate(row):
            paths[s0 + s] += ways
    return paths


def _binomial(n: int, p: float) -> list[float]:
    """P(k of n) for k = 0..n."""
    if p in (0.0, 1.0):
        return [float(k == n * p) for k in range(n + 1)]
    win, lose = log(p), log(1 - p)
    return [exp(ways + k * win + (n - k) * lose) for k, ways in enumerate(_log_combs(n))]


@lru_cache(maxsize=8)
def _log_combs(n: int) -> tuple[float, ...]:
    return tuple(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in range(n + 1))


def _highest(curve: Callable[[float], float], low: float, high: float, steps: int) -> float:
    """The maximum of a smooth curve: a grid, then a golden section around every peak that comes near the best."""
    points = [low + (high - low) * k / steps for k in range(steps + 1)]
    heights = [curve(point) for point in points]
    best = max(heights)
    near = [k for k in range(1, steps) if heights[k] == max(heights[k - 1 : k + 2]) and heights[k] > 0.9 * best]
    return max([best, *(_peak(curve, points[k - 1], points[k + 1]) for k in near)])


def _peak(curve: Callable[[float], float], low: float, high: float) -> float:
    """The maximum of a curve with one peak between ``low`` and ``high``."""
    ratio = (sqrt(5) - 1) / 2
    for _ in range(30):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (left, high) if curve(left) < curve(right) else (low, right)
    return curve((low + high) / 2)
