"""`hermes ratchet results` and `label`: a person says what a result is worth, unswayed, and only a person does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import schema
from karpathy_self_improve.evaluation import labels
from karpathy_self_improve.ratchet.context import Context

ANSWER = "Good day.\u202e"
SNAPSHOT = {"name": "greets", "input": "Say hello", "checks": [], "critical": 0}


@pytest.fixture
def result(ratchet: Any, unsigned: Path, context: Context) -> int:
    """A result of experiment 1, passed by a judge."""
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    ratchet("scenario", "add", "--name", "greets", "--input", "Say hello")
    run = {column.name: "x" for column in schema.eval_runs.columns if not column.nullable and column.name != "id"}
    run |= {"experiment_id": 1, "arm": "candidate", "split": "train", "repeats": 1, "state": "finished"}
    row = {
        "eval_run_id": 1,
        "experiment_id": 1,
        "scenario_id": 1,
        "split": "train",
        "arm": "candidate",
        "repeat": 0,
        "pass_fail": 1,
        "check_results": '[["judge", "pass", "r"]]',
        "judge_model": "j",
        "judge_rationale": "polite",
        "scenario_snapshot": json.dumps(SNAPSHOT),
        "transcript": json.dumps({"answer": ANSWER}),
        "created_at": "now",
    }
    with context.store.write() as tx:
        tx.execute(schema.eval_runs.insert().values(run))
        return int(tx.execute(schema.scenario_results.insert().values(row)).lastrowid)


def test_results_show_what_was_said_and_a_label_beside_it(ratchet: Any, result: int, context: Context) -> None:
    assert ratchet("label", str(result), "fail", "--note", "too stiff").code == 0
    [shown] = ratchet("results", "1", "--json").document["results"]
    assert (shown["passed"], shown["label"], shown["judge_rationale"]) == (1, 0, "polite")
    text = ratchet("results", "1").out
    assert "candidate" in text
    assert "polite" in text
    [kept] = labels.labels_of(context, result)
    assert (kept.passed, kept.note) == (0, "too stiff")


def test_whoever_labels_sees_neither_arm_nor_verdict_nor_reason(ratchet: Any, result: int) -> None:
    plain, document = ratchet("results", "1", "--to-label"), ratchet("results", "1", "--to-label", "--json")
    for said in (plain.out, document.out):
        assert "Good day." in said
        assert "Say hello" in said
        assert not {"candidate", "polite"} & set(said.replace('"', " ").split())
    assert "\u202e" not in plain.out
    assert document.document["results"][0].keys() == {"id", "scenario", "asked", "answer"}
    ratchet("label", str(result), "pass")
    assert "Every result has a label" in ratchet("results", "1", "--to-label").out


def test_an_agents_tool_shell_labels_nothing(ratchet: Any, result: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_SESSION_ID", "s")
    done = ratchet("label", str(result), "pass", "--json")
    assert (done.code, done.document["code"]) == (3, "label_refused")
    monkeypatch.delenv("HERMES_SESSION_ID")
    assert ratchet("results", "1", "--json").document["results"][0]["label"] is None


def test_a_result_that_is_not_there_takes_no_label(ratchet: Any, result: int) -> None:
    done = ratchet("label", "99", "pass", "--json")
    assert (done.code, done.document["code"]) == (2, "unknown_result")
    assert ratchet("label", str(result), "maybe").code == 2
