"""The lint names scenarios that tell nothing, and of held-out ones nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import schema
from karpathy_self_improve.evaluation.scenario import scenarios, unsatisfiable
from karpathy_self_improve.evaluation.scenario.linting import ENOUGH_RUNS, Finding, Lint, lint
from karpathy_self_improve.evaluation.scenario.scenarios import Scenario
from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context

ADA = Actor("ada", "os:ada")
FINE = {"type": "must_contain", "value": "NEXT"}


@pytest.fixture
def here(home: Path) -> Iterator[Context]:
    (home / "SOUL.md").write_text("# Soul\n\nBe brief.\n")
    made = open_context()
    yield made
    made.store.close()


def add(here: Context, asked: str, *checks: dict[str, Any], **fields: Any) -> Scenario:
    name = f"about {len(asked)} {asked[:20]}"
    return scenarios.add_scenario(here, "default", fields.pop("name", name), asked, list(checks), ADA, **fields)


def found(here: Context) -> dict[str, Finding]:
    return {one.code: one for one in lint(here, "default").findings}


IMPOSSIBLE: list[tuple[tuple[dict[str, Any], ...], str]] = [
    (({"type": "regex", "value": "costs $5"},), r"write \$ for the sign"),
    (({"type": "regex", "value": "2^10"},), r"write \^ for the sign"),
    (({"type": "regex", "value": r"a[^\s\S]"},), "does not exist"),
    (({"type": "tool_used", "value": "terminal"},), "evaluation.toolsets"),
    (({"type": "json_schema", "value": {"type": "integer", "minimum": 5, "maximum": 3}},), "minimum is above"),
    (
        ({"type": "tool_used", "value": "skill_view"}, {"type": "tool_not_used", "value": "skill_view"}),
        "contradict",
    ),
    (
        (
            {"type": "must_contain", "value": "Good day"},
            {"type": "must_not_contain", "value": "DAY", "ignore_case": True},
        ),
        "contradict",
    ),
    (({"type": "regex", "value": "good day"}, {"type": "must_not_contain", "value": "day"}), "contradict"),
]


def test_checks_that_no_run_can_pass_are_problems(here: Context) -> None:
    for number, (checks, says) in enumerate(IMPOSSIBLE, start=1):
        assert add(here, f"Question {'x' * number}", *checks).id == number
        why = [one.what for one in lint(here, "default").findings if one.scenario_id == number]
        assert any(says in one for one in why), (checks, why)
    assert not lint(here, "default").ok


def test_what_may_well_pass_is_no_problem(here: Context) -> None:
    add(
        here,
        "Hello?",
        {"type": "regex", "value": r"^costs \$5[$]?\b$"},
        {"type": "regex", "value": "a$b?"},
        {"type": "regex", "value": r"\Q$5\E"},
        {"type": "regex", "value": r"(x|y^)z*^"},
        {"type": "must_contain", "value": "day", "ignore_case": True},
        {"type": "must_not_contain", "value": "day"},
        {"type": "tool_used", "value": "skill_view"},
        {"type": "json_schema", "value": {"minimum": 5, "maximum": 3}},
        {"type": "json_schema", "value": {"type": "object", "properties": {"a": False}}},
    )
    assert lint(here, "default") == Lint("default", 1, 0, ())


@pytest.mark.parametrize(
    ("schema_given", "says"),
    [
        (False, "the schema is false"),
        ({"not": {}}, "excludes everything"),
        ({"enum": ["a", 1], "type": "boolean"}, "none of the values"),
        ({"const": 3, "maximum": 2}, "none of the values"),
        ({"type": "object", "allOf": [{"type": "string"}]}, "different types"),
        ({"anyOf": [False, {"type": "string", "minLength": 3, "maxLength": 1}]}, "anyOf is false"),
        ({"type": "object", "required": ["b"], "additionalProperties": False}, "b is required"),
        ({"type": "object", "required": ["a"], "properties": {"a": {"not": True}}}, "a: 'not' excludes"),
        ({"type": "array", "minItems": 1, "items": False}, "items is false"),
        ({"enum": ["a", 1], "type": "integer"}, None),
        ({"type": ["integer", "string"], "minimum": 5, "maximum": 3}, None),
        ({"type": "array", "items": False}, None),
        ({"anyOf": [False, {}]}, None),
        ({"type": "number", "allOf": [{"type": "integer"}]}, None),
    ],
)
def test_a_schema_that_nothing_fits_is_known_and_no_other(schema_given: object, says: str | None) -> None:
    why = unsatisfiable.no_document(schema_given)
    assert (why is None) if says is None else (why is not None and says in why)


def test_checks_that_cannot_fail_and_scenarios_that_are_not_run_are_noted(here: Context) -> None:
    add(here, "Hello?", {"type": "tool_not_used", "value": "terminal"})
    assert "can never fail" in found(here)["idle_check"].what
    add(here, "Who wrote this?", {"type": "regex", "value": "x*"}, name="any text")
    add(here, "And now for something else", name="draft")
    add(here, "Rate this poem, please", {"type": "judge", "rubric": "kind"}, name="unjudged")
    known = lint(here, "default")
    assert known.ok
    assert [(one.code, one.name) for one in known.findings if one.code != "idle_check"] == [
        ("not_run", "draft"),
        ("not_run", "unjudged"),
    ]


def test_twins_are_named_and_of_a_held_out_twin_only_that_there_is_one(here: Context) -> None:
    asked = "Please summarise the meeting of the library's friends in three sentences."
    first = add(here, asked, FINE, name="one")
    add(here, asked, FINE, name="two")
    add(here, f"{asked} Thanks!", FINE, name="three")
    with here.store.write() as tx:  # as rows may stand that are older than the rule that keeps twins together
        tx.exec_driver_sql("UPDATE scenarios SET holdout = 1 WHERE name = 'three'")
    known = lint(here, "default")
    assert (known.looked_at, known.locked) == (2, 1)
    assert [(one.code, one.name, one.other_id) for one in known.findings] == [
        ("across_the_split", "one", None),
        ("duplicate", "two", first.id),
        ("across_the_split", "two", None),
    ]
    assert "three" not in str(known)


def test_what_a_held_out_scenario_asks_and_checks_is_not_looked_at(here: Context) -> None:
    add(here, "Which lamp?", {"type": "regex", "value": "costs $5"}, holdout=True)
    assert lint(here, "default") == Lint("default", 0, 1, ())


OUTCOMES: list[tuple[list[tuple[int | None, int]], str | None]] = [
    ([(1, 1)] * ENOUGH_RUNS, "always_passes"),
    ([(0, 1)] * ENOUGH_RUNS, "always_fails"),
    ([(None, 0)] * ENOUGH_RUNS, "never_exposed"),
    ([(None, 1)] * ENOUGH_RUNS, "never_a_result"),
    ([(1, 1)] * (ENOUGH_RUNS - 1), None),
    ([(1, 1), (0, 1)] * ENOUGH_RUNS, None),
]


def test_results_that_were_all_alike_are_named_with_their_number(here: Context) -> None:
    number = experiments.propose(here, "default", "SOUL.md", b"# Soul\n\nBe very brief.\n", "why", ADA).id
    for outcomes, code in OUTCOMES:
        one = add(here, "Hello?", FINE)
        keep_results(here, number, one, outcomes)
        assert set(found(here)) == ({code} if code else set())
        assert not code or str(ENOUGH_RUNS) in found(here)[code].what
        scenarios.edit_scenario(here, one.id, ADA, input_text="Something else")
        assert lint(here, "default").findings == ()
        scenarios.delete_scenario(here, one.id, ADA)


def keep_results(here: Context, number: int, one: Scenario, outcomes: list[tuple[int | None, int]]) -> None:
    run = {"experiment_id": number, "kind": "proposal", "arm": "baseline", "split": "train", "scenario_set_hash": "x"}
    run |= {"evaluator_hash": "x", "repeats": 1, "isolation": "none", "state": "finished", "created_at": "now"}
    row = {"experiment_id": number, "scenario_id": one.id, "split": "train", "arm": "baseline", "check_results": "[]"}
    row |= {"scenario_snapshot": one.snapshot(), "transcript": "{}", "created_at": "now"}
    with here.store.write() as tx:
        run_id = tx.execute(schema.eval_runs.insert().values(run)).lastrowid
        for repeat, (passed, exposed) in enumerate(outcomes):
            why = "not exposed" if passed is None else None
            given = {"pass_fail": passed, "exposed": exposed, "no_result_reason": why, "repeat": repeat}
            tx.execute(schema.scenario_results.insert().values({**row, **given, "eval_run_id": run_id}))
