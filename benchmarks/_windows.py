"""Many simulated windows at once: numpy's sessions against the boundaries that the product's own functions give."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import _product
import numpy as np
from numpy.typing import NDArray

from karpathy_self_improve.ratchet.window.live_plan import Figures, Measure, PlannedTest
from karpathy_self_improve.stats import exceedances, fisher, polya_urn
from karpathy_self_improve.stats.calibration import Verdict, WindowPlan, calibrate
from karpathy_self_improve.stats.creep import Anchor
from karpathy_self_improve.stats.exceedance_noninferiority import noninferiority as few_exceedances
from karpathy_self_improve.stats.exceedances import ExceedancePlan, level_rank
from karpathy_self_improve.stats.jeffreys import noninferiority

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
Values = NDArray[np.float64]
CHUNK = 20_000


@dataclass(frozen=True)
class Course:
    """How a measure went in each of many windows: at which session it crossed (a large number: never), and whether
    non-inferiority was shown at the verification looks ``n`` and ``n_max``."""

    crossed_at: Counts
    shown: dict[int, Flags]


def ends(courses: list[Course]) -> tuple[Flags, Flags]:
    """Which windows end reverted, and which verified: any course takes back, all must verify at the same look."""
    crossed_at = np.min([course.crossed_at for course in courses], axis=0)
    verified = np.zeros(len(crossed_at), dtype=bool)
    reverted = np.zeros(len(crossed_at), dtype=bool)
    for look in sorted(courses[0].shown):
        reverted |= ~verified & (crossed_at <= look)
        verified |= ~reverted & np.all([course.shown[look] for course in courses], axis=0)
    return reverted, verified


def never() -> int:
    return int(np.iinfo(np.int64).max)


def first_look(crossing: Flags, n_min: int) -> Counts:
    """The session count of the first crossing; ``crossing`` has a column for each look from ``n_min``."""
    return np.where(crossing.any(axis=1), crossing.argmax(axis=1) + n_min, never())


class SuccessRule:
    """A calibrated success plan as tables: by baseline successes, how few live successes cross or verify."""

    def __init__(self, plan: WindowPlan) -> None:
        self.plan, self.c = plan, calibrate(plan)
        looks = range(plan.n_min, plan.n_max + 1)
        self.crossing = np.array([[self._lost(s0, n) for n in looks] for s0 in range(plan.n0 + 1)])
        self.enough = {n: np.array([self._enough(s0, n) for s0 in range(plan.n0 + 1)]) for n in {plan.n, plan.n_max}}

    def _lost(self, s0: int, n: int) -> int:
        return bisect_right(range(n + 1), self.c, key=lambda s: fisher.mid_p(s0, self.plan.n0, s, n))

    def _enough(self, s0: int, n: int) -> int:
        plan = self.plan
        return bisect_left(range(n + 1), plan.confidence, key=lambda s: noninferiority(s0, plan.n0, s, n, plan.margin))

    def course(self, s0: Counts, outcomes: Flags) -> Course:
        wins = np.cumsum(outcomes, axis=1, dtype=np.int16)
        crossed = wins[:, self.plan.n_min - 1 :] < self.crossing[s0]
        shown = {n: wins[:, n - 1] >= enough[s0] for n, enough in self.enough.items()}
        return Course(first_look(crossed, self.plan.n_min), shown)

    @property
    def test(self) -> PlannedTest:
        """The same rule as the product plans it."""
        return _product.success_test(self.plan, self.c)

    def agrees_with_product(self, s0: Counts, outcomes: Flags) -> bool:
        """Whether the tables end each of these windows as a live window of the product does."""
        pairs = zip(s0, outcomes, strict=True)
        windows = [
            (_product.successes(Anchor(int(a), self.plan.n0)), _product.sessions(success=b.tolist())) for a, b in pairs
        ]
        return same(ends([self.course(s0, outcomes)]), [self.test], windows)


class ExceedanceRule:
    """A calibrated exceedance plan as tables: by look, how many live sessions above the level cross or verify."""

    def __init__(self, window: WindowPlan, k: int | None = None) -> None:
        self.plan = ExceedancePlan(window, k or level_rank(window.n0), seed=0)
        self.c = polya_urn.calibrate(self.plan)
        n0, k = window.n0, self.plan.k
        self.crossing = np.array(
            [
                bisect_left(range(n + 1), -self.c, key=lambda x: -exceedances.mid_p(n0, k, x, n))
                for n in range(window.n_min, window.n_max + 1)
            ]
        )
        self.enough = {
            n: bisect_right(
                range(n + 1), -window.confidence, key=lambda x: -few_exceedances(k, n0, x, n, window.margin)
            )
            for n in {window.n, window.n_max}
        }

    def course(self, baseline: Values, live: Values) -> Course:
        n0, n_min = self.plan.window.n0, self.plan.window.n_min
        level = np.partition(baseline, n0 - self.plan.k, axis=1)[:, n0 - self.plan.k]
        exceeded = np.cumsum(live > level[:, None], axis=1, dtype=np.int16)
        shown = {n: exceeded[:, n - 1] < enough for n, enough in self.enough.items()}
        return Course(first_look(exceeded[:, n_min - 1 :] >= self.crossing, n_min), shown)

    def test(self, measure: Measure) -> PlannedTest:
        """The same rule as the product plans it for ``measure``."""
        return _product.exceedance_test(measure, self.plan.window, self.c, self.plan.k)

    def agrees_with_product(self, baseline: Values, live: Values) -> bool:
        """Whether the tables end each of these windows as a live window of the product does."""
        pairs = zip(baseline.tolist(), live.tolist(), strict=True)
        windows = [(_product.sessions(errors=before), _product.sessions(errors=after)) for before, after in pairs]
        return same(ends([self.course(baseline, live)]), [self.test(Measure.ERRORS)], windows)


Window = tuple[tuple[Figures, ...], tuple[Figures, ...]]
"""The sessions of a baseline and of what followed."""


def same(ended: tuple[Flags, Flags], tests: Sequence[PlannedTest], windows: Sequence[Window]) -> bool:
    """Whether the product ends these windows, the first ones of those that ``ended`` tells of, in the same way."""
    reverted, verified = ended
    by_table = np.where(reverted, Verdict.REVERTED, np.where(verified, Verdict.VERIFIED, Verdict.INCONCLUSIVE))
    return [str(_product.decide(tests, *window).verdict) for window in windows] == [
        str(one) for one in by_table[: len(windows)]
    ]


def chunks(windows: int) -> Iterator[int]:
    """``windows`` in pieces that fit into memory."""
    for start in range(0, windows, CHUNK):
        yield min(CHUNK, windows - start)
