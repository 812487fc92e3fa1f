"""What the tests of a window found, each in half a sentence with its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ...stats.together import MeasureLooks
from . import weighing
from .live_plan import Figures, LivePlan, Measure, PlannedTest, counted
from .wording import count

_DOLLAR = 1_000_000


def fall(plan: LivePlan, looks: Sequence[MeasureLooks], sessions: Sequence[Figures]) -> str:
    """Which boundaries were crossed by these sessions."""
    pairs = zip(plan.tests, looks, strict=True)
    last = len(sessions) - plan.n_min
    crossed = [(test, look) for test, look in pairs if look.mid_p[last : last + 1] <= (look.boundary,)]
    return "; ".join(
        f"{_fell(plan, test, sessions)} (mid-p {look.mid_p[last]:.4f} <= {look.boundary:.4f})" for test, look in crossed
    )


def hold(plan: LivePlan, looks: Sequence[MeasureLooks], sessions: Sequence[Figures]) -> str:
    """How sure each measure is that no more than the margin was lost."""
    sure = {look.measure: dict(look.noninferiority)[len(sessions)] for look in looks}
    said = [f"{found(plan, test, sessions)}, {sure[test.measure]:.3f}" for test in plan.tests]
    return f"a loss above the margin is ruled out with these probabilities: {'; '.join(said)}"


def doubt(plan: LivePlan) -> str:
    """Why an alarm of this plan is not acted upon by itself."""
    return (
        f"on this profile's own past such a plan raised {plan.replay.alarms} alarms in {plan.replay.windows} windows "
        "without a change, so a person decides"
    )


def found(plan: LivePlan, test: PlannedTest, sessions: Sequence[Figures]) -> str:
    """What a test sees in these sessions, beside what it compares them with."""
    if test.measure is Measure.SUCCESS:
        now = counted(tuple(sessions)) if sessions else None
        return f"{now.successes} of {now.sessions} sessions succeeded" if now else "no session yet"
    above = sum(weighing.is_above(plan, test, sessions))
    tied = any(one.value(test.measure) == weighing.level(plan, test) for one in sessions)
    among = f"in {above} of {count(len(sessions), 'session')}"
    if not tied:
        return f"{test.measure} above the baseline's {level(plan, test)} {among}"
    return f"{test.measure} above the baseline's {level(plan, test)}, or equal to it and drawn by lot, {among}"


def level(plan: LivePlan, test: PlannedTest) -> str:
    """The high level that sessions are counted above, in the measure's own unit."""
    value = weighing.level(plan, test)
    return f"${value / _DOLLAR:.4f}" if test.measure is Measure.COST else f"{value:g}"


def _fell(plan: LivePlan, test: PlannedTest, sessions: Sequence[Figures]) -> str:
    if test.measure is Measure.SUCCESS:
        before, now = counted(plan.baseline), counted(tuple(sessions))
        return (
            f"success fell from {before.successes} of {before.sessions} to {now.successes} of {now.sessions} sessions"
        )
    return f"{found(plan, test, sessions)}, number {test.k} of the baseline's {len(plan.baseline)} from the top"
