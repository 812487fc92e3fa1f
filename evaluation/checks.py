"""The deterministic checks of a scenario: validated values that judge one run of the agent.

A check is ``{"type": ..., "value": ...}`` as the HTTP contract has it; ``judge`` carries ``rubric`` instead. Each gives
pass, fail or "no result" with a reason; :func:`evaluate` joins them. An agent that could not run, or that provably did
not meet the version under test, has no result: neither pass nor fail.

No pattern and no answer can freeze the process: see ``patterns.py``.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from ..errors import BadInput
from . import json_schema
from .patterns import compiled

if TYPE_CHECKING:
    from .running.runner import AgentRun

MAX_CHECKS = 50
MAX_TEXT = 4_000
MAX_PATTERN = 1_000
MAX_SCHEMA_BYTES = 16_384
MAX_NUMBER = 2**53
MICRO = 1_000_000


class Outcome(StrEnum):
    """What one check, or a whole scenario, says about a run."""

    PASS = "pass"  # noqa: S105 (not a password)
    FAIL = "fail"
    NO_RESULT = "no_result"


@dataclass(frozen=True)
class CheckResult:
    """What one check said. ``type`` is the check's; ``reason`` is a sentence for a person."""

    type: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class CheckOutcome:
    """The verdict on one run: ``outcome`` is None when there was nothing to check."""

    outcome: Outcome | None
    reason: str
    results: tuple[CheckResult, ...] = ()


class _Check(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def judged(self, run: AgentRun) -> tuple[Outcome, str]:
        raise NotImplementedError


def _either(passed: bool, reason: str) -> tuple[Outcome, str]:
    return (Outcome.PASS if passed else Outcome.FAIL), reason


def _comparable(text: str, ignore_case: bool) -> str:
    """One spelling of each character: an accent typed on one machine is found in text from another."""
    text = unicodedata.normalize("NFC", text)
    return text.casefold() if ignore_case else text


def _contains(answer: str, value: str, ignore_case: bool) -> bool:
    return _comparable(value, ignore_case) in _comparable(answer, ignore_case)


class MustContain(_Check):
    """The answer contains this text."""

    type: Literal["must_contain"]
    value: str = Field(min_length=1, max_length=MAX_TEXT)
    ignore_case: bool = False

    def judged(self, run: AgentRun) -> tuple[Outcome, str]:
        found = _contains(run.answer, self.value, self.ignore_case)
        return _either(found, f"the answer {'contains' if found else 'does not contain'} {self.value!r}")


class MustNotContain(_Check):
    """The answer does not contain this text."""

    type: Literal["must_not_contain"]
    value: str = Field(min_length=1, max_length=MAX_TEXT)
    ignore_case: bool = False

    def judged(self, run: AgentRun) -> tuple[Outcome, str]:
        found = _contains(run.answer, self.value, self.ignore_case)
        return _either(not found, f"the answer {'contains' if found else 'does not contain'} {self.value!r}")


class Regex(_Check):
    """The pattern (RE2 syntax) matches somewhere in the answer."""

    type: Literal["regex"]
    value: str = Field(min_length=1, max_length=MAX_PATTERN)

    @field_validator("value")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        compiled(pattern)
        return pattern

    def judged(self, run: AgentRun) -> tuple[Outcome, str]:
        found = compiled(self.value).search(run.answer) is not None
        return _either(found, f"the pattern {self.value!r} {'matches' if found else 'does not match'} the answer")


class JsonSchema(_Check):
    """The whole answer is one JSON document that fits this schema (draft 2020-12, patterns in RE2 syntax)."""

    type: Literal["json_schema"]
    value: dict[str, Any]

    @field_validator("value")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
            raise ValueError(f"a schema may have {MAX_SCHEMA_BYTES} bytes at most")
        json_schema.check_schema(schema)
        return schema

    def judged(self, run: AgentRun) -> tuple[Outcome, str]:
        try:
            document = json.loads(run.answer)
        except (ValueError, RecursionError):
            return Outcome.FAIL, "the answer is not JSON"
        error = json_schema.first_error(self.value, document)
        return _either(error is None, error or "the answer fits the schema")


class ToolUsed(_Check):
    """The run called this tool, whether or not the call worked."""

    type: Literal["tool_used"]
    value: str = Field(min_length=1, max_length=200)

    def judged(self, run: AgentRun) -> tuple[Outcome, str]:
        calls = sum(call.name == self.value for call in run.tool_trace)
        return _either(calls > 0, f"the tool {self.value} was called {calls} times")


class ToolNotUsed(_Check):
    """The run never called this tool."""

    type: Literal["tool_not_used"]
    value: str = Field(min_length=1, max_length=200)

    def judged(self, run: AgentRun) -> tuple[Outcome, str]:
        calls = sum(call.name == self.value for call in run.tool_trace)
        return _either(calls == 0, f"the tool {self.value} was called {calls} times")


class MaxTokens(_Check):
    """The model wrote at most this many tokens in the whole run, by its own usage figures."""

    type: Literal["max_tokens"]
    value: int = Field(ge=1)

    def judged(self, run: AgentRun) -> tuple[Outcome, str]:
        if run.tokens is None:
            return Outcome.NO_RESULT, "the model reported no token figures"
        return _either(run.tokens.output <= self.value, f"the model wrote {run.tokens.output} tokens of {self.value}")


class MaxCostUsd(_Check):
    """The run cost at most this many US dollars, as far as the host knows prices."""

    type: Literal["max_cost_usd"]
    value: float = Field(gt=0, allow_inf_nan=False)

    def judged(self, run: AgentRun) -> tuple[Outcome, str]:
        if run.cost_micro_usd is None:
            return Outcome.NO_RESULT, "the cost of this run is unknown"
        cost = run.cost_micro_usd / MICRO
        return _either(cost <= self.value, f"the run cost ${cost:.6f} of ${self.value:.6f}")


class ExitOk(_Check):
    """The agent finished its turn of its own accord: no turn limit, no broken tool calls."""

    type: Literal["exit_ok"]

    def judged(self, run: AgentRun) -> tuple[Outcome, str]:
        return _either(run.completed, f"the turn ended with {run.exit_reason or 'no reason given'}")


class Judge(_Check):
    """Another model finds that the run meets this rubric."""

    type: Literal["judge"]
    rubric: str = Field(min_length=1, max_length=MAX_TEXT)

    def judged(self, _: AgentRun) -> tuple[Outcome, str]:
        return Outcome.NO_RESULT, "no judge is asked here"


Check = Annotated[
    MustContain
    | MustNotContain
    | Regex
    | JsonSchema
    | ToolUsed
    | ToolNotUsed
    | MaxTokens
    | MaxCostUsd
    | ExitOk
    | Judge,
    Field(discriminator="type"),
]
_CHECK: TypeAdapter[Check] = TypeAdapter(Check)


def parse_checks(raw: Sequence[object] | str) -> tuple[Check, ...]:
    """The checks of a scenario from a list of mappings, or the same as a JSON string; an empty string is no checks.

    Raises BadInput naming the first check that is wrong by its number, counted from 1, and why.
    """
    if isinstance(raw, str):
        try:
            raw = json.loads(raw) if raw.strip() else []
        except (ValueError, RecursionError):
            raise BadInput('checks must be a JSON list such as [{"type": "must_contain", "value": "..."}].') from None
    if not isinstance(raw, list | tuple):
        raise BadInput("checks must be a list.")
    if len(raw) > MAX_CHECKS:
        raise BadInput(f"A scenario may have {MAX_CHECKS} checks, these are {len(raw)}. Split the scenario.")
    return tuple(_parsed(number, item) for number, item in enumerate(raw, start=1))


def _parsed(number: int, item: object) -> Check:
    try:
        _check_numbers(item)
        return _CHECK.validate_python(item)
    except RecursionError:
        raise BadInput(f"Check {number} is nested too deeply. Make it flatter.", check=number) from None
    except OverflowError:
        reason = "holds a number that JSON cannot carry: NaN, an infinity, or an integer beyond 2^53"
        raise BadInput(f"Check {number} {reason}. Correct it and try again.", check=number) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # The discriminator's name stands before the field's in a tagged union.
        where = ".".join(map(str, first["loc"][1:]))
        said = first["msg"].removeprefix("Value error, ")
        reason = f"{where}: {said}" if where else said
        raise BadInput(f"Check {number} is wrong: {reason}. Correct it and try again.", check=number) from None


def _check_numbers(item: object) -> None:
    """Raises OverflowError for what other readers of our JSON, a browser for one, cannot hold (RFC 8259, 6)."""
    if isinstance(item, dict):
        _check_numbers(list(item.values()))
    elif isinstance(item, list | tuple):
        for one in item:
            _check_numbers(one)
    elif isinstance(item, int | float) and not -MAX_NUMBER <= item <= MAX_NUMBER and not _is_finite_float(item):
        raise OverflowError


def _is_finite_float(number: float) -> bool:
    return isinstance(number, float) and math.isfinite(number)


Grade = Callable[[int, str, "AgentRun"], tuple[Outcome, str]]
"""What a judge says of a run: the number of the check, counted from 1, its rubric, and the run."""


def evaluate(
    checks: Sequence[Check], run: AgentRun, *, require_exposure: bool = True, grade: Grade | None = None
) -> CheckOutcome:
    """Judges ``run`` by all ``checks``, which must all pass; rubrics by ``grade``, and not at all without it.

    No result comes before everything when the run has an error or, unless ``require_exposure`` is off, when nobody can
    prove that it met its version. Otherwise a failed check decides even beside one without a result (Kleene's three-
    valued "and"). No checks give no verdict: outcome None, never pass.
    """
    if not checks:
        return CheckOutcome(None, "the scenario has no checks, so there is no verdict")
    if run.error is not None:
        return CheckOutcome(Outcome.NO_RESULT, f"the agent could not run: {run.error}")
    if require_exposure and run.exposed is not True:
        met = "met the other version" if run.exposed is False else "cannot be shown to have met its version"
        return CheckOutcome(Outcome.NO_RESULT, f"not exposed: the run {met}")
    results = _results(checks, run, grade)
    for outcome in (Outcome.FAIL, Outcome.NO_RESULT):
        reasons = [result.reason for result in results if result.outcome is outcome]
        if reasons:
            return CheckOutcome(outcome, "; ".join(reasons), results)
    return CheckOutcome(Outcome.PASS, f"all {len(results)} checks passed", results)


def _results(checks: Sequence[Check], run: AgentRun, grade: Grade | None) -> tuple[CheckResult, ...]:
    """What each check says. A judge is paid for, so it is asked only when everything else has passed or cannot tell."""
    said = {n: check.judged(run) for n, check in enumerate(checks, 1) if not (grade and isinstance(check, Judge))}
    failed = any(outcome is Outcome.FAIL for outcome, _ in said.values())
    for number, check in enumerate(checks, 1):
        if isinstance(check, Judge) and grade:
            unasked = (Outcome.NO_RESULT, "the judge was not asked: another check failed")
            said[number] = unasked if failed else grade(number, check.rubric, run)
    return tuple(CheckResult(check.type, *said[number]) for number, check in enumerate(checks, 1))
