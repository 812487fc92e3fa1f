"""How strict a boundary for exceedances must be and how its windows end: paths through an urn, counted exactly."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from math import exp, log, log1p, perm, sin

from .calibration import OperatingCharacteristics, Verdict
from .exceedance_noninferiority import nodes, noninferiority, share_density
from .exceedances import ExceedancePlan, orders
from .together import verification_looks


def calibrate(plan: ExceedancePlan) -> float:
    """The largest boundary ``c`` for ``mid_p <= c`` that keeps the plan's alpha; 0.0 when no boundary does.

    Without a change a window of this plan ever crosses ``c`` at one of the looks ``n_min..n_max`` with probability at
    most alpha, as if none of them had ended in "verified". Exact for any distribution, ties included.
    """
    candidates = sorted({value for row in _mid_p_table(plan) for value in row if value <= 0.5})
    fit = bisect_right(candidates, plan.window.alpha, key=lambda c: false_revert_rate(plan, c))
    return candidates[fit - 1] if fit else 0.0


def false_revert_rate(plan: ExceedancePlan, c: float) -> float:
    """Probability of ever crossing ``c`` without a change: exact, and the same for every distribution."""
    n_max = plan.window.n_max
    quiet = _ends(plan, c, {})[Verdict.INCONCLUSIVE, n_max]
    total = _rising(plan.window.n0 + 1, n_max)
    return (total - _urn_weight(plan, n_max, quiet)) / total


def operating_characteristics(
    plan: ExceedancePlan, c: float, share: Callable[[float], float] | None = None
) -> OperatingCharacteristics:
    """How the plan ends when this measure stands alone, its baseline is the anchor, and sessions are independent.

    Without ``share``: under no change, exact for every distribution. Otherwise ``share(u)`` is the share of live
    sessions above the level that a share ``u`` of baseline sessions lies above, such as ``lambda u: min(1, 2 * u)``,
    integrated numerically over u ~ Beta(k, n0 - k + 1). Raises ValueError unless 0 <= c <= 1/2 and shares are shares.
    """
    window = plan.window
    enough = {n: _enough_to_verify(plan, n) for n in verification_looks(window, window.n_max)}
    levels = [] if share is None else _levels(plan, share)
    mass = dict.fromkeys((Verdict.REVERTED, Verdict.VERIFIED, Verdict.INCONCLUSIVE), 0.0)
    for (verdict, n), paths in _ends(plan, c, enough).items():
        unchanged = share is None
        mass[verdict] += _unchanged_mass(plan, n, paths) if unchanged else _changed_mass(levels, n, paths)
    return OperatingCharacteristics(*mass.values())


_Paths = dict[int, int]  # by exceedances: how many orders of exceeding and other sessions lead there


def _ends(plan: ExceedancePlan, c: float, enough: dict[int, int]) -> dict[tuple[Verdict, int], _Paths]:
    """All orders of exceeding and other sessions, by how and when they end. Whole numbers, hence exact.

    ``enough`` says by verification look how many of the counts 0, 1, 2 ... verify there.
    """
    window, crossing = plan.window, _crossing(plan, c)
    ends: dict[tuple[Verdict, int], _Paths] = {}
    row = [1]
    for n in range(1, window.n_max + 1):
        row = [stay + rise for stay, rise in zip([*row, 0], [0, *row], strict=True)]
        if n >= window.n_min:
            ends[Verdict.REVERTED, n] = _take(row, crossing[n - window.n_min], n + 1)
        if n in enough:
            ends[Verdict.VERIFIED, n] = _take(row, 0, enough[n])
    ends[Verdict.INCONCLUSIVE, window.n_max] = _take(row, 0, len(row))
    return ends


def _take(row: list[int], first: int, end: int) -> _Paths:
    """Take the paths with ``first`` to ``end`` - 1 exceedances out of the row."""
    taken = {x: row[x] for x in range(first, end) if row[x]}
    row[first:end] = [0] * (end - first)
    return taken


def _crossing(plan: ExceedancePlan, c: float) -> list[int]:
    """By look: the fewest exceedances that cross ``c``. Raises ValueError where an improvement would cross."""
    if not 0 <= c <= 0.5:
        raise ValueError(f"a boundary lies between 0 and 1/2, not at {c}")
    return [sum(value > c for value in row) for row in _mid_p_table(plan)]


@lru_cache(maxsize=8)
def _mid_p_table(plan: ExceedancePlan) -> list[list[float]]:
    """``mid_p`` by look and exceedances, summed up one row at a time."""
    window, table = plan.window, []
    for n in range(window.n_min, window.n_max + 1):
        ways = [orders(window.n0, plan.k, x, n) for x in range(n + 1)]
        up_to = list(accumulate(ways))
        table.append([(2 * (up_to[-1] - up_to[x]) + ways[x]) / (2 * up_to[-1]) for x in range(n + 1)])
    return table


def _enough_to_verify(plan: ExceedancePlan, n: int) -> int:
    """How many of the counts 0, 1, 2 ... exceedances out of ``n`` verify. Fewer always help."""
    window = plan.window
    return bisect_right(
        range(n + 1), -window.confidence, key=lambda x: -noninferiority(plan.k, window.n0, x, n, window.margin)
    )


def _rising(start: int, factors: int) -> int:
    """start * (start + 1) * ... with that many factors."""
    return perm(start + factors - 1, factors)


def _urn_weight(plan: ExceedancePlan, n: int, paths: _Paths) -> int:
    """The paths' share of ``_rising(n0 + 1, n)``: the urn gives every order of the same balls the same chance."""
    high, low = plan.k, plan.window.n0 + 1 - plan.k
    return sum(ways * _rising(high, x) * _rising(low, n - x) for x, ways in paths.items())


def _unchanged_mass(plan: ExceedancePlan, n: int, paths: _Paths) -> float:
    return _urn_weight(plan, n, paths) / _rising(plan.window.n0 + 1, n)


def _levels(plan: ExceedancePlan, share: Callable[[float], float]) -> list[tuple[float, float]]:
    """(mass, live share above the level) for every place the level may have in the baseline's distribution."""
    window = plan.window
    points = nodes(0.0, window.n0 + window.n_max)
    masses = share_density(plan.k, window.n0 + 1 - plan.k, points)
    shares = [share(sin(point.angle) ** 2) for point in points]
    if not all(0 <= q <= 1 for q in shares):
        raise ValueError("a share of sessions lies between 0 and 1")
    return list(zip(masses, shares, strict=True))


def _changed_mass(levels: Sequence[tuple[float, float]], n: int, paths: _Paths) -> float:
    return sum(mass * _chance(ways, q, x, n) for mass, q in levels for x, ways in paths.items())


def _chance(ways: int, q: float, x: int, n: int) -> float:
    """The chance of any of these orders of ``x`` exceedances, each of chance ``q``, and ``n`` - ``x`` others."""
    if (x > 0 and q == 0) or (x < n and q == 1):
        return 0.0
    return exp(log(ways) + (x * log(q) if x else 0.0) + ((n - x) * log1p(-q) if x < n else 0.0))
