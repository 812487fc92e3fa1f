"""One run graded: the deterministic checks first, and the judge only where nothing else has failed the run already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import checks
from ..checks import CheckOutcome, Outcome
from ..running.runner import AgentRun
from ..scenario.scenarios import Scenario
from .judge import NO_JUDGE, Judge
from .votes import Judgement


@dataclass(frozen=True)
class Graded:
    """What checks and judge say of a run; ``judgements`` by the number of their check, counted from 1."""

    outcome: CheckOutcome
    judgements: Mapping[int, Judgement]


def grade(scenario: Scenario, run: AgentRun, judge: Judge | None) -> Graded:
    """The verdict on a run by its scenario's checks. Without a judge, a rubric gives no result and says so."""
    judgements: dict[int, Judgement] = {}

    def ask(number: int, rubric: str, run: AgentRun) -> tuple[Outcome, str]:
        if judge is None:
            return Outcome.NO_RESULT, NO_JUDGE
        judgements[number] = found = judge.judge(rubric, scenario.input, run)
        return found.outcome, found.reason

    return Graded(checks.evaluate(checks.parse_checks(scenario.checks), run, grade=ask), judgements)


def needed_tools(scenario: Scenario) -> frozenset[str]:
    """The tools that a run of this scenario must use to pass."""
    return frozenset(
        check.value for check in checks.parse_checks(scenario.checks) if isinstance(check, checks.ToolUsed)
    )


def needs_judge(scenarios: Sequence[Scenario]) -> bool:
    """Whether any scenario has a rubric."""
    return any(isinstance(check, checks.Judge) for one in scenarios for check in checks.parse_checks(one.checks))
