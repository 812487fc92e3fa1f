"""Whether errors, tokens or cost rose: how many live sessions lie above a high level of the baseline.

Counts pile up on 0, costs have long tails, and every test that assumes their shape alarms too often. Ranks assume
nothing. The level is the baseline's k-th largest value, ties broken by lot. Without a change all n0 + n sessions are in
random order, so the n-th live session lies above the level with probability (k + x) / (n0 + n) after x that did: a
Polya urn with k and n0 + 1 - k balls, whatever the distribution (Blackwell and MacQueen 1973). ``polya_urn`` counts
its paths: how strict the boundary must be, and how a plan ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import comb, isnan

from .calibration import WindowPlan
from .exceedance_noninferiority import noninferiority
from .together import MeasureLooks, verification_looks


@dataclass(frozen=True)
class ExceedancePlan:
    """How one measure of a window is decided, fixed before its first live session.

    ``window`` holds looks, this measure's share of alpha, and the margin as a share of sessions: .15 allows 15 more of
    100 sessions above the level. ``k`` is the level's rank from the top (``level_rank``); ``seed`` decides ties.
    Raises ValueError unless 1 <= k <= window.n0.
    """

    window: WindowPlan
    k: int
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.window.n0:
            raise ValueError(f"the level's rank lies between 1 and {self.window.n0}, not at {self.k}")


def level_rank(n0: int) -> int:
    """The ``k`` to use with ``n0`` baseline sessions: a tenth of them, and at least two.

    Chosen by exact power over doubled and tripled values and sessions blowing up (``benchmarks/window.py`` shows it by
    k). The median misses blow-ups and counts that are mostly 0. A level twice as high takes back as much and verifies
    more unchanged agents, but verifies a doubled cost three times as often. With k = 1 and few sessions a version at
    the margin would be verified too often.
    """
    return min(n0, max(2, round(n0 / 10)))


def level(plan: ExceedancePlan, baseline: Sequence[float]) -> float:
    """The value that live sessions are held against: the ``k``-th largest of the baseline's."""
    return sorted(baseline, reverse=True)[plan.k - 1]


def above(plan: ExceedancePlan, baseline: Sequence[float], live: Sequence[float]) -> tuple[bool, ...]:
    """For each live value, whether it lies above the level; equal values are ordered by lots drawn from the seed.

    Raises ValueError unless the baseline has ``window.n0`` values, and for values that are no numbers.
    """
    if len(baseline) != plan.window.n0:
        raise ValueError(f"the plan compares with {plan.window.n0} baseline sessions, not {len(baseline)}")
    return _above(baseline, live, plan.k, plan.seed, "baseline")


def _above(reference: Sequence[float], live: Sequence[float], k: int, seed: int, arm: str) -> tuple[bool, ...]:
    if not reference or any(isnan(value) for value in (*reference, *live)):
        raise ValueError("only sessions with a value can be ranked, and it takes one to be the level")
    threshold = sorted(((value, _lot(seed, arm, i)) for i, value in enumerate(reference)), reverse=True)[k - 1]
    return tuple((value, _lot(seed, "live", i)) > threshold for i, value in enumerate(live))


def _lot(seed: int, arm: str, position: int) -> bytes:
    """A hash and no random generator: any program can draw it again from the stored plan."""
    return hashlib.sha256(f"{seed}/{arm}/{position}".encode()).digest()


def looks(
    plan: ExceedancePlan,
    c: float,
    baseline: Sequence[float],
    live: Sequence[float],
    *,
    measure: str,
    anchor: Sequence[float] | None = None,
) -> MeasureLooks:
    """This measure's looks, for ``together.judge_together``. Values by session, live ones oldest first.

    ``anchor`` holds the values of the anchor's sessions, which verification compares with; without it the baseline is
    its own anchor. Raises ValueError as ``above`` does, and for an empty anchor.
    """
    window = plan.window
    counted = live[: window.n_max]
    exceeded = list(accumulate(above(plan, baseline, counted), initial=0))
    mid_ps = tuple(mid_p(window.n0, plan.k, exceeded[n], n) for n in range(window.n_min, len(counted) + 1))
    k, n0 = plan.k, window.n0
    if anchor is not None:
        k, n0 = level_rank(len(anchor)), len(anchor)
        exceeded = list(accumulate(_above(anchor, counted, k, plan.seed, "anchor"), initial=0))
    shown = tuple(
        (n, noninferiority(k, n0, exceeded[n], n, window.margin)) for n in verification_looks(window, len(counted))
    )
    return MeasureLooks(measure, len(counted), c, mid_ps, shown)


@lru_cache(maxsize=8192)  # as in ``fisher``
def mid_p(n0: int, k: int, x: int, n: int) -> float:
    """Mid-p value for "more live sessions lie above the baseline's ``k``-th largest of ``n0`` than without a change".

    ``x`` of ``n`` do: P(more than x) + P(exactly x) / 2 in the urn. Whole numbers until the last division.
    Raises ValueError unless 1 <= k <= n0 and 0 <= x <= n.
    """
    if not (1 <= k <= n0 and 0 <= x <= n):
        raise ValueError(f"impossible exceedances: rank {k} of {n0}, {x} of {n}")
    more = sum(orders(n0, k, j, n) for j in range(x + 1, n + 1))
    return (2 * more + orders(n0, k, x, n)) / (2 * comb(n0 + n, n))


def orders(n0: int, k: int, x: int, n: int) -> int:
    """Ways to merge the sorted baseline with the sorted live values so that ``x`` of ``n`` lie above the level."""
    return comb(k - 1 + x, x) * comb(n0 - k + n - x, n - x)
