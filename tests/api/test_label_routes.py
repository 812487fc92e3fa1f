"""The routes about labels: what waits for a person's word comes without anything that sways, held-out results never."""

from __future__ import annotations

import json
from typing import Any

import pytest

from karpathy_self_improve import schema
from karpathy_self_improve.ratchet.context import Context

SNAPSHOT = {"name": "greets", "input": "Say hello", "checks": []}


@pytest.fixture
def results(call: Any, proposed: int, context: Context) -> list[int]:
    """Three results of the proposal: of both arms, and one on a held-out scenario."""
    body = {"profile": "coder", "name": "greets", "input": "Say hello"}
    scenario = call("POST", "/scenarios", json=body).json()["scenario_id"]
    run = {column.name: "x" for column in schema.eval_runs.columns if not column.nullable and column.name != "id"}
    run |= {"experiment_id": proposed, "arm": "candidate", "split": "train", "repeats": 1, "state": "finished"}
    row = {
        "experiment_id": proposed,
        "scenario_id": scenario,
        "pass_fail": 1,
        "check_results": "[]",
        "judge_rationale": "polite",
        "scenario_snapshot": json.dumps(SNAPSHOT),
        "transcript": json.dumps({"answer": "Good day."}),
        "created_at": "now",
    }
    places = [("baseline", "train", 0), ("candidate", "train", 1), ("candidate", "holdout", 2)]
    with context.store.write() as tx:
        number = int(tx.execute(schema.eval_runs.insert().values(run)).lastrowid)
        table = schema.scenario_results.insert()
        return [
            int(tx.execute(table.values(**row, eval_run_id=number, arm=arm, split=split, repeat=repeat)).lastrowid)
            for arm, split, repeat in places
        ]


def test_what_waits_for_a_word_comes_without_arm_verdict_or_reason(
    call: Any, proposed: int, results: list[int]
) -> None:
    found = call("GET", f"/experiments/{proposed}/unlabelled").json()
    assert found["left"] == 2
    assert {one["id"] for one in found["results"]} == set(results[:2])
    assert all(one.keys() == {"id", "scenario", "asked", "answer"} for one in found["results"])
    assert call("GET", f"/experiments/{proposed}/unlabelled?limit=1").json()["left"] == 2


def test_a_label_is_kept_with_who_said_it(call: Any, proposed: int, results: list[int]) -> None:
    sent = {"passed": False, "note": "too stiff", "actor": "ana"}
    answer = call("POST", f"/results/{results[0]}/labels", json=sent)
    assert (answer.status_code, answer.json()["passed"]) == (201, False)
    [kept] = call("GET", f"/results/{results[0]}/labels").json()["labels"]
    assert (kept["passed"], kept["note"], kept["actor"], kept["principal"]) == (0, "too stiff", "ana", "dashboard")
    assert [one["id"] for one in call("GET", f"/experiments/{proposed}/unlabelled").json()["results"]] == [results[1]]


def test_wrong_labels_are_refused_and_keep_nothing(call: Any, proposed: int, results: list[int]) -> None:
    held_out = call("POST", f"/results/{results[2]}/labels", json={"passed": True})
    assert (held_out.status_code, held_out.json()["code"]) == (422, "result_held_out")
    assert call("GET", f"/results/{results[2]}/labels").status_code == 422
    assert call("POST", "/results/999/labels", json={"passed": True}).status_code == 404
    assert call("POST", f"/results/{results[0]}/labels", json={"passed": "perhaps"}).status_code == 400
    assert call("POST", f"/results/{results[0]}/labels", json={"passed": True, "note": "x" * 2001}).status_code == 400
    assert call("GET", "/experiments/999/unlabelled").status_code == 404
    assert call("GET", f"/experiments/{proposed}/unlabelled").json()["left"] == 2


def test_results_wait_in_an_order_that_tells_no_arm(call: Any, proposed: int, results: list[int], context: Any) -> None:
    with context.store.write() as tx:
        query = "SELECT eval_run_id, scenario_id FROM experiment_scenario_results"
        run, scenario = tx.exec_driver_sql(query).first()
        tx.execute(
            schema.scenario_results.insert(),
            [
                {
                    "eval_run_id": run,
                    "experiment_id": proposed,
                    "scenario_id": scenario,
                    "split": "train",
                    "arm": ("baseline", "candidate")[n % 2],
                    "repeat": 10 + n,
                    "pass_fail": 1,
                    "check_results": "[]",
                    "scenario_snapshot": json.dumps(SNAPSHOT),
                    "transcript": json.dumps({"answer": "x"}),
                    "created_at": "now",
                }
                for n in range(20)
            ],
        )
    waiting = [one["id"] for one in call("GET", f"/experiments/{proposed}/unlabelled?limit=1000").json()["results"]]
    assert len({one % 2 for one in waiting[::2]}) == 2  # baseline and candidate do not take turns
    assert waiting != sorted(waiting)
