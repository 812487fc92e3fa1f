"""Checks are validated before they are stored, and judge a run by what it did, never by what it says it did."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from karpathy_self_improve.errors import BadInput
from karpathy_self_improve.evaluation.checks import Outcome, evaluate, parse_checks
from karpathy_self_improve.evaluation.running.runner import AgentRun, Tokens, ToolCall

RUN = AgentRun(
    answer="The café opens at nine.\nNEXT: go there",
    tool_trace=(ToolCall("skill_view", '{"name": "x"}', True),),
    tokens=Tokens(input=5_000, output=40, cache_read=0, cache_write=0, reasoning=0, total=5_040),
    cost_micro_usd=1_500,
    exposed=True,
    completed=True,
    exit_reason="text_response(finish_reason=stop)",
)


def outcome(check: dict[str, Any], run: AgentRun = RUN) -> Outcome | None:
    return evaluate(parse_checks([check]), run).outcome


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ({"type": "must_contain", "value": "opens at nine"}, Outcome.PASS),
        ({"type": "must_contain", "value": "OPENS AT NINE"}, Outcome.FAIL),
        ({"type": "must_contain", "value": "OPENS AT NINE", "ignore_case": True}, Outcome.PASS),
        ({"type": "must_contain", "value": "cafe\u0301"}, Outcome.PASS),
        ({"type": "must_not_contain", "value": "opens"}, Outcome.FAIL),
        ({"type": "must_not_contain", "value": "closes"}, Outcome.PASS),
        ({"type": "regex", "value": r"(?m)^NEXT: \w+"}, Outcome.PASS),
        ({"type": "regex", "value": r"^NEXT"}, Outcome.FAIL),
        ({"type": "json_schema", "value": {"type": "object"}}, Outcome.FAIL),
        ({"type": "tool_used", "value": "skill_view"}, Outcome.PASS),
        ({"type": "tool_used", "value": "memory"}, Outcome.FAIL),
        ({"type": "tool_not_used", "value": "skill_view"}, Outcome.FAIL),
        ({"type": "tool_not_used", "value": "memory"}, Outcome.PASS),
        ({"type": "max_tokens", "value": 40}, Outcome.PASS),
        ({"type": "max_tokens", "value": 39}, Outcome.FAIL),
        ({"type": "max_cost_usd", "value": 0.0015}, Outcome.PASS),
        ({"type": "max_cost_usd", "value": 0.0014}, Outcome.FAIL),
        ({"type": "exit_ok"}, Outcome.PASS),
        ({"type": "judge", "rubric": "is it kind?"}, Outcome.NO_RESULT),
    ],
)
def test_each_check_judges_the_run(check: dict[str, Any], expected: Outcome) -> None:
    assert outcome(check) is expected


def test_tools_are_judged_on_the_trace_not_on_the_text() -> None:
    boaster = replace(RUN, answer="I called the tool memory.", tool_trace=())
    assert outcome({"type": "tool_used", "value": "memory"}, boaster) is Outcome.FAIL
    assert outcome({"type": "tool_not_used", "value": "memory"}, boaster) is Outcome.PASS


def test_tokens_are_the_models_not_words() -> None:
    wordy = replace(RUN, answer="word " * 1_000)
    assert outcome({"type": "max_tokens", "value": 40}, wordy) is Outcome.PASS
    assert outcome({"type": "max_tokens", "value": 40}, replace(RUN, tokens=None)) is Outcome.NO_RESULT


def test_an_unknown_cost_is_no_result_and_not_zero() -> None:
    assert outcome({"type": "max_cost_usd", "value": 1}, replace(RUN, cost_micro_usd=None)) is Outcome.NO_RESULT


def test_an_unfinished_turn_is_not_ok() -> None:
    stopped = replace(RUN, completed=False, exit_reason="max_iterations_reached(12/12)")
    verdict = evaluate(parse_checks([{"type": "exit_ok"}]), stopped)
    assert verdict.outcome is Outcome.FAIL
    assert "max_iterations_reached" in verdict.reason


def test_no_checks_give_no_verdict() -> None:
    assert evaluate((), RUN).outcome is None
    assert parse_checks("") == parse_checks("[]") == parse_checks([]) == ()


def test_a_run_with_an_error_has_no_result() -> None:
    assert outcome({"type": "exit_ok"}, replace(RUN, error="the server is down")) is Outcome.NO_RESULT


@pytest.mark.parametrize("exposed", [None, False])
def test_an_unexposed_run_has_no_result(exposed: bool | None) -> None:
    run = replace(RUN, exposed=exposed)
    checks = parse_checks([{"type": "exit_ok"}])
    assert evaluate(checks, run).outcome is Outcome.NO_RESULT
    assert evaluate(checks, run, require_exposure=False).outcome is Outcome.PASS


def test_a_failure_decides_beside_a_check_without_result_but_a_pass_does_not() -> None:
    judge = {"type": "judge", "rubric": "is it kind?"}
    failing, passing = {"type": "must_contain", "value": "absent"}, {"type": "exit_ok"}
    assert evaluate(parse_checks([judge, failing]), RUN).outcome is Outcome.FAIL
    assert evaluate(parse_checks([judge, passing]), RUN).outcome is Outcome.NO_RESULT
    assert [r.outcome for r in evaluate(parse_checks([judge, passing]), RUN).results] == [
        Outcome.NO_RESULT,
        Outcome.PASS,
    ]


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ({"type": "must_contain"}, "value"),
        ({"type": "must_contain", "value": ""}, "value"),
        ({"type": "must_contain", "value": 3}, "value"),
        ({"type": "must_contain", "value": "x", "colour": "red"}, "colour"),
        ({"type": "never_heard_of", "value": "x"}, "never_heard_of"),
        ({"value": "x"}, "type"),
        ("must_contain: x", "dictionary"),
        ({"type": "regex", "value": "("}, "missing"),
        ({"type": "regex", "value": r"(a)\1"}, "RE2"),
        ({"type": "regex", "value": "(x{1000}){1000}"}, "RE2"),
        ({"type": "json_schema", "value": {"type": "nonsense"}}, "not a JSON Schema"),
        ({"type": "json_schema", "value": {"pattern": "(?=x)"}}, "RE2"),
        ({"type": "json_schema", "value": {"items": {"$ref": "https://example.org/s.json"}}}, "in full"),
        ({"type": "json_schema", "value": {"patternProperties": {"a": True}}}, "patternProperties"),
        ({"type": "json_schema", "value": {"enum": ["x" * 20_000]}}, "bytes"),
        ({"type": "max_tokens", "value": 0}, "value"),
        ({"type": "max_tokens", "value": "120"}, "value"),
        ({"type": "max_cost_usd", "value": 0}, "value"),
        ({"type": "judge", "value": "kind?"}, "rubric"),
    ],
)
def test_a_wrong_check_is_refused_by_number_with_the_reason(check: object, why: str) -> None:
    with pytest.raises(BadInput, match=r"^Check 2 is wrong: ") as refused:
        parse_checks([{"type": "exit_ok"}, check])
    assert why in refused.value.message
    assert refused.value.ids == {"check": 2}


@pytest.mark.parametrize("raw", ["{", '{"type": "exit_ok"}', "[" * 100_000, '"exit_ok"', [{"type": "exit_ok"}] * 51])
def test_what_is_no_list_of_checks_is_refused(raw: Any) -> None:
    with pytest.raises(BadInput):
        parse_checks(raw)


def test_a_json_string_means_the_same_as_a_list() -> None:
    checks = [{"type": "max_tokens", "value": 120}, {"type": "judge", "rubric": "kind?"}]
    assert parse_checks(json.dumps(checks)) == parse_checks(checks)


def test_patterns_made_to_explode_finish() -> None:
    answer = "a" * 200_000
    exploding = [{"type": "regex", "value": p} for p in (r"(a+)+$x", r"(a|a)*b", r"(.*a){20}b", r"a*a*a*a*a*a*b")]
    assert evaluate(parse_checks(exploding), replace(RUN, answer=answer)).outcome is Outcome.FAIL
    schema = {"type": "json_schema", "value": {"pattern": "^(a+)+$"}}
    assert outcome(schema, replace(RUN, answer=json.dumps(answer + "!"))) is Outcome.FAIL


def test_a_schema_judges_the_answer_and_names_the_place() -> None:
    schema = {
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
            "pattern": {"type": "integer"},
            "$ref": {"type": "integer"},
        },
    }
    check = {"type": "json_schema", "value": schema}
    assert outcome(check, replace(RUN, answer='{"items": ["a"], "pattern": 1}')) is Outcome.PASS
    verdict = evaluate(parse_checks([check]), replace(RUN, answer='{"items": ["a", "B"]}'))
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reason.startswith("items/1: does not match")


def test_an_answer_without_bottom_or_bound_does_not_crash() -> None:
    huge = {"type": "json_schema", "value": {"multipleOf": 0.1}}
    assert outcome(huge, replace(RUN, answer="1" + "0" * 400)) is Outcome.FAIL
    assert (
        outcome({"type": "json_schema", "value": {"type": "array"}}, replace(RUN, answer="[" * 50_000)) is Outcome.FAIL
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"$schema": "https://json-schema.org/draft/2020-12/schema", "pattern": "^(a+)+$"}]},
        {"$ref": "#/default", "default": {"patternProperties": {"^(a+)+$": True}}},
        {"$defs": {"a": {"type": "string"}}, "$ref": "#/$defs/a"},
        {"$id": "x:y", "type": "string"},
        {"pattern": "a{99999999999999999999}"},
    ],
)
def test_a_schema_that_could_hold_up_the_process_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="Check 1 is wrong"):
        parse_checks([{"type": "json_schema", "value": schema}])
