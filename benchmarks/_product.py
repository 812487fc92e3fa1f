"""The verdict of the product itself on simulated sessions: the very function a live window is decided by."""

from __future__ import annotations

from collections.abc import Sequence

from karpathy_self_improve.ratchet.window import weighing
from karpathy_self_improve.ratchet.window.live_plan import Figures, LivePlan, Measure, PlannedTest, Replay
from karpathy_self_improve.stats.calibration import WindowPlan
from karpathy_self_improve.stats.creep import Anchor
from karpathy_self_improve.stats.together import JointDecision


def success_test(plan: WindowPlan, c: float) -> PlannedTest:
    return PlannedTest(Measure.SUCCESS, plan, c, None, None, ())


def exceedance_test(measure: Measure, plan: WindowPlan, c: float, k: int) -> PlannedTest:
    return PlannedTest(measure, plan, c, k, None, ())


def sessions(
    success: Sequence[bool] | None = None, errors: Sequence[float] | None = None, cost: Sequence[float] | None = None
) -> tuple[Figures, ...]:
    """Sessions with these figures; simulated errors may carry lots behind the point, which order equal counts."""
    count = len(next(column for column in (success, errors, cost) if column is not None))
    return tuple(
        Figures(
            str(n),
            bool(success[n]) if success is not None else None,
            errors[n] if errors is not None else 0,  # type: ignore[arg-type]
            0,
            cost[n] if cost is not None else None,  # type: ignore[arg-type]
        )
        for n in range(count)
    )


def successes(anchor: Anchor) -> tuple[Figures, ...]:
    """As many sessions as ``anchor`` counted; their order does not matter."""
    return sessions([n < anchor.successes for n in range(anchor.sessions)])


def decide(
    tests: Sequence[PlannedTest],
    baseline: tuple[Figures, ...],
    live: Sequence[Figures],
    anchor: tuple[Figures, ...] | None = None,
) -> JointDecision:
    """How the product ends a window of these tests."""
    shape = tests[0].window
    plan = LivePlan(
        n0=shape.n0,
        n_min=shape.n_min,
        n=shape.n,
        n_max=shape.n_max,
        alpha=sum(test.window.alpha for test in tests),
        margin=shape.margin,
        confidence=shape.confidence,
        max_days=14.0,
        idle_minutes=30.0,
        max_left_out=0.2,
        success_checks="[]",
        model=None,
        host_version="",
        scope="",
        seed=0,
        tests=tuple(tests),
        baseline=baseline,
        anchor=anchor,
        anchor_experiment=None,
        windows_before=0,
        replay=Replay(0, 0, 0.0),
        asks=False,
        per_day=None,
        note="",
    )
    decided = weighing.decide(plan, weighing.looks(plan, live))
    assert decided is not None
    return decided
