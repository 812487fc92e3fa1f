"""What the plan of a live window will catch, what it will miss, and how long that takes, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil

from ...stats.creep import WINDOWS_PER_ANCHOR
from . import findings
from .live_plan import LivePlan, Measure, PlannedTest, counted
from .wording import days, listed, percent, points, reasons


def foretell(plan: LivePlan) -> tuple[str, ...]:
    """What a window of this plan will catch and what it will miss, and how long that takes."""
    if not plan.tests:
        return (f"Nothing can be tested here: {plan.note}. The window will end as inconclusive.", _duration(plan))
    return (
        _compared(plan),
        *([_NO_SIGNAL] if Measure.SUCCESS not in plan.measures else []),
        f"A change that does nothing is taken back in at most {percent(sum(t.window.alpha for t in plan.tests))} of "
        f"cases, however often one looks between session {plan.n_min} and session {plan.n_max}.",
        *(_catches(plan, test) for test in plan.tests),
        _verifies(plan),
        _margin(plan),
        _duration(plan),
        _replayed(plan),
        *_baseline_without(plan.left_out),
    )


_NO_SIGNAL = (
    "There is no sign of success on this profile (success_checks in the settings, or people's feedback): 'verified' "
    "will say nothing about how well the agent does its work."
)


def _compared(plan: LivePlan) -> str:
    who = f"sessions that read {plan.scope}" if plan.scope else "sessions"
    model = f" with {plan.model}" if plan.model else ""
    return f"Compared with the newest {len(plan.baseline)} {who} on the version before{model}: {plan.badge}."


def _catches(plan: LivePlan, test: PlannedTest) -> str:
    quiet, *harmed = test.foresight
    if not test.boundary:
        return f"{_name(test)}: too few sessions to take anything back for it."
    if test.measure is Measure.SUCCESS:
        rate = test.rate or 0.0
        cases = [f"to {percent(max(0.0, rate - one.harm))} in {percent(one.reverted)}" for one in harmed]
        before = counted(plan.baseline)
        seen = f"{before.successes} of {before.sessions} sessions before"
        start = f"Success, taken as {percent(rate)} after {seen}: a fall is caught, {listed(cases)} of cases"
    else:
        cases = [f"in {percent(one.reverted)} of cases when {percent(one.harm)} of sessions do" for one in harmed]
        rank = f"number {test.k} of the baseline's {len(plan.baseline)} from the top"
        start = f"{_name(test)} that rise above {findings.level(plan, test)} ({rank}) are caught {listed(cases)}"
    missed = [one.harm for one in harmed if one.reverted < 0.5]
    miss = f"; {_harm(test, max(missed))} is more often missed than caught" if missed else ""
    return f"{start}{miss}. A change that does nothing is verified by it in {percent(quiet.verified)}."


def _harm(test: PlannedTest, harm: float) -> str:
    if test.measure is Measure.SUCCESS:
        return f"a loss of {points(harm)} or less"
    return f"a rise in {percent(harm)} of sessions or less"


def _verifies(plan: LivePlan) -> str:
    looks = f"after {plan.n} sessions" + (f", or else after {plan.n_max}," if plan.n_max > plan.n else "")
    return (
        f"It is verified {looks} when every test is {percent(plan.confidence)} sure that no more than "
        f"{points(plan.margin_left)} were lost against {_anchor(plan)}. Otherwise it ends as inconclusive, and a "
        "person decides."
    )


def _anchor(plan: LivePlan) -> str:
    if plan.anchor is None:
        return "the baseline itself"
    rate = ""
    if Measure.SUCCESS in plan.measures:
        found = counted(plan.anchor)
        rate = f" ({found.successes} of {found.sessions} sessions succeeded)"
    if plan.anchor_experiment is None:
        return f"the anchor, the first baseline since the model or the host changed{rate}"
    return f"the anchor, the version of experiment {plan.anchor_experiment}{rate}"


def _margin(plan: LivePlan) -> str:
    return (
        f"It is window {plan.windows_before + 1} of {WINDOWS_PER_ANCHOR} on that anchor's margin: all changes verified "
        f"on it together lose at most {points(plan.margin)}, in expectation."
    )


def _duration(plan: LivePlan) -> str:
    end = f"the window ends after {plan.max_days:g} days at the latest"
    if not plan.per_day:
        return f"How long that takes is not known, for there were no such sessions lately; {end}."
    rate = "session a day" if plan.per_day == 1 else "sessions a day"
    short, long = (ceil(count / plan.per_day) for count in (plan.n, plan.n_max))
    slow = " That is too little traffic to verify anything." if short > plan.max_days else ""
    take = f"{plan.n} take about {days(short)} and {plan.n_max} about {days(long)}"
    if short == long:
        take = f"{plan.n_max if plan.n == plan.n_max else f'{plan.n} to {plan.n_max}'} take about {days(short)}"
    return f"At about {plan.per_day:g} such {rate}, {take}; {end}.{slow}"


def _replayed(plan: LivePlan) -> str:
    past = plan.replay
    if not past.windows:
        return "This profile's past is too short to try the plan on it."
    tried = f"Tried on this profile's own past, {past.windows} windows without a change, the plan raised {past.alarms}"
    if past.trustworthy:
        return f"{tried} alarms: it keeps its word there."
    act = "a person is asked before the change is taken back" if plan.asks else "the operator chose to act on it anyway"
    return f"{tried} alarms, more than it may: its verdicts are advisory here, and {act}."


def _baseline_without(left_out: Mapping[str, int]) -> Iterable[str]:
    if left_out:
        yield f"Not in the baseline: {reasons(left_out)}."


def _name(test: PlannedTest) -> str:
    return test.measure.value.capitalize()
