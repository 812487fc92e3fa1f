"""Boundaries and foresight of a plan's tests: exact, computed once per question, and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...settings import WindowSettings
from ...stats import calibration, polya_urn
from ...stats.calibration import OperatingCharacteristics, WindowPlan
from ...stats.creep import Anchor, MarginBudget
from ...stats.exceedances import ExceedancePlan, level_rank
from ..context import Context
from . import calibrations
from .anchors import Standing
from .live_plan import Figures, Foresight, Measure, PlannedTest, counted

_SHARE = {Measure.SUCCESS: 0.5, Measure.ERRORS: 0.25, Measure.COST: 0.25, Measure.TOKENS: 0.25}
_LOSSES = (0.0, 0.1, 0.2, 0.4)
_BLOW_UPS = (0.0, 0.1, 0.25, 0.5)


def shape(window: WindowSettings, n0: int, alpha: float, margin: float) -> WindowPlan:
    """The looks of a window over ``n0`` baseline sessions. Raises ValueError for sizes that make none."""
    return WindowPlan(n0, window.n_min, window.n, window.n_max, alpha, margin, window.confidence)


def make(
    context: Context, measures: Sequence[Measure], sessions: tuple[Figures, ...], standing: Standing
) -> tuple[PlannedTest, ...]:
    """The tests of ``measures`` against these baseline sessions, on what is left of the anchor's margin."""
    window = context.settings.window
    anchor = Anchor(len(sessions), len(sessions))  # the budget's size does not depend on what the anchor counted
    margin = MarginBudget(anchor, window.margin, standing.windows).available
    made = []
    for measure in measures:
        looks = shape(window, len(sessions), window.alpha * _SHARE[measure], margin)
        if measure is Measure.SUCCESS:
            reference = None if standing.sessions is None else counted(standing.sessions)
            made.append(_success_test(context, looks, counted(sessions), reference))
        else:
            made.append(_exceedance_test(context, measure, looks))
    return tuple(made)


def _success_test(context: Context, looks: WindowPlan, found: Anchor, anchor: Anchor | None) -> PlannedTest:
    boundary = _answer(
        context,
        {"what": "success boundary", **_sizes(looks), "alpha": looks.alpha},
        lambda: calibration.calibrate(looks),
    )
    rate = round(20 * found.successes / found.sessions) / 20  # a coarse grid, so that answers can be found again
    rate = min(0.95, max(0.05, rate))
    foresight = []
    for harm in _LOSSES:
        question = {
            "what": "success ends",
            **_sizes(looks),
            "n": looks.n,
            "boundary": boundary,
            "margin": looks.margin,
            "confidence": looks.confidence,
            "anchor": None if anchor is None else [anchor.successes, anchor.sessions],
            "rates": [rate, round(max(0.0, rate - harm), 4)],
        }
        foresight.append(_foresee(context, harm, question, _success_ends(looks, boundary, anchor, rate, harm)))
    return PlannedTest(Measure.SUCCESS, looks, boundary, None, rate, tuple(foresight))


def _success_ends(
    looks: WindowPlan, boundary: float, anchor: Anchor | None, rate: float, harm: float
) -> Callable[[], OperatingCharacteristics]:
    after = round(max(0.0, rate - harm), 4)
    return lambda: calibration.operating_characteristics(looks, boundary, rate, after, anchor=anchor)


def _exceedance_test(context: Context, measure: Measure, looks: WindowPlan) -> PlannedTest:
    k = level_rank(looks.n0)
    plan = ExceedancePlan(looks, k, 0)  # the seed orders ties; what happens on average does not depend on it
    about = {**_sizes(looks), "k": k}
    boundary = _answer(
        context, {"what": "exceedance boundary", **about, "alpha": looks.alpha}, lambda: polya_urn.calibrate(plan)
    )
    foresight = []
    for harm in _BLOW_UPS:
        question = {
            "what": "exceedance ends",
            **about,
            "n": looks.n,
            "boundary": boundary,
            "margin": looks.margin,
            "confidence": looks.confidence,
            "blow_up": harm,
        }
        foresight.append(_foresee(context, harm, question, _exceedance_ends(plan, boundary, harm)))
    return PlannedTest(measure, looks, boundary, k, None, tuple(foresight))


def _exceedance_ends(plan: ExceedancePlan, boundary: float, harm: float) -> Callable[[], OperatingCharacteristics]:
    share = (lambda u: u + harm * (1 - u)) if harm else None
    return lambda: polya_urn.operating_characteristics(plan, boundary, share)


def _sizes(looks: WindowPlan) -> dict[str, Any]:
    return {"n0": looks.n0, "n_min": looks.n_min, "n_max": looks.n_max}


def _answer(context: Context, question: dict[str, Any], compute: Callable[[], float]) -> float:
    return float(calibrations.answer(context, question, compute))


def _foresee(
    context: Context, harm: float, question: dict[str, Any], compute: Callable[[], OperatingCharacteristics]
) -> Foresight:
    def ends() -> list[float]:
        found = compute()
        return [found.reverted, found.verified, found.inconclusive]

    return Foresight(harm, *calibrations.answer(context, question, ends))
