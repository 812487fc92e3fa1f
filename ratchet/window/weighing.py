"""A plan and the sessions so far, put before the statistics: what each measure says, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence

from ...stats import exceedances
from ...stats.exceedances import ExceedancePlan
from ...stats.together import JointDecision, MeasureLooks, judge_together, success_looks
from .live_plan import Figures, LivePlan, Measure, PlannedTest, counted


def looks(plan: LivePlan, live: Sequence[Figures]) -> list[MeasureLooks]:
    """What every test of the plan says at every look so far; ``live`` holds the counted sessions, oldest first."""
    return [_looks(plan, test, live) for test in plan.tests]


def decide(plan: LivePlan, measured: Sequence[MeasureLooks]) -> JointDecision | None:
    """The verdict by what :func:`looks` found; None when the plan tests nothing."""
    return judge_together(plan.tests[0].window, measured) if plan.tests else None


def raises_alarm(tests: Sequence[PlannedTest], seed: int, baseline: Sequence[Figures], live: Sequence[Figures]) -> bool:
    """Whether any test crosses its boundary at any look of a window, whatever it would have verified before."""
    return any(value <= test.boundary for test in tests for value in _against(test, seed, baseline, live, None).mid_p)


def is_above(plan: LivePlan, test: PlannedTest, live: Sequence[Figures]) -> list[bool]:
    """For each session whether it lies above the level of a test by exceedances."""
    values = [one.value(test.measure) for one in live]
    return list(exceedances.above(_exceedances(test, plan.seed), _values(plan.baseline, test), values))


def level(plan: LivePlan, test: PlannedTest) -> float:
    """The baseline's value that a test by exceedances counts from."""
    return exceedances.level(_exceedances(test, plan.seed), _values(plan.baseline, test))


def _looks(plan: LivePlan, test: PlannedTest, live: Sequence[Figures]) -> MeasureLooks:
    return _against(test, plan.seed, plan.baseline, live, plan.anchor)


def _against(
    test: PlannedTest, seed: int, baseline: Sequence[Figures], live: Sequence[Figures], anchor: Sequence[Figures] | None
) -> MeasureLooks:
    if test.measure is Measure.SUCCESS:
        won = [bool(one.success) for one in live]
        reference = None if anchor is None else counted(tuple(anchor))
        return success_looks(test.window, test.boundary, counted(tuple(baseline)).successes, won, anchor=reference)
    return exceedances.looks(
        _exceedances(test, seed),
        test.boundary,
        _values(baseline, test),
        _values(live, test),
        measure=test.measure.value,
        anchor=None if anchor is None else _values(anchor, test),
    )


def _exceedances(test: PlannedTest, seed: int) -> ExceedancePlan:
    return ExceedancePlan(test.window, test.k or 1, seed)


def _values(sessions: Sequence[Figures], test: PlannedTest) -> list[float]:
    return [one.value(test.measure) for one in sessions]
