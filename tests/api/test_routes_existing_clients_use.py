"""The routes and fields a public web client already speaks: their shapes stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.routes.rows import ScenarioResultRow

ROW = """
    id profile target_profile_root target_relpath state diff rationale changed_hunks added_lines removed_lines
    sentence_delta_count target_span profile_git_root base_commit_sha base_blob_sha apply_commit_sha
    revert_commit_sha dirty_before_apply manual_conflict_detected approved_by approved_at rejected_by
    rejected_at rejection_reason live_sessions_target live_sessions_observed applied_at verified_at
    reverted_at baseline_id offline_score live_score verdict cost proposer_model judge_model judge_run_id
    created_at updated_at
"""
PROFILE = """
    profile paused configured target_relpath profile_root proposer_model judge_model live_sessions_target
    scenario_counts experiment_counts latest_baseline_score last_collection_at last_proposal_at
    last_verification_at
"""
SOUL = "# Soul\n\nYou help. Be brief.\n\n- Say hello.\n"


def test_health_creates_nothing(call: Any, dashboard: Path) -> None:
    found = call("GET", "/health").json()
    assert found["ok"] is True
    assert (found["plugin"], found["version"]) == ("karpathy-self-improve", "0.1.0")
    assert (found["db_path"], found["db_exists"]) == (str(dashboard / "ratchet" / "ratchet.db"), False)
    assert (found["approval"], found["daemon"]) == ("unsigned", {"alive": False, "heartbeat_at": None})
    assert not (dashboard / "ratchet").exists()


def test_health_tells_of_a_daemon(call: Any, watched: None) -> None:
    daemon = call("GET", "/health").json()["daemon"]
    assert daemon["alive"] is True
    assert daemon["heartbeat_at"].endswith("+00:00")


def test_health_answers_when_the_database_is_damaged(call: Any, dashboard: Path) -> None:
    (dashboard / "ratchet").mkdir(mode=0o700)
    (dashboard / "ratchet" / "ratchet.db").write_bytes(b"this is no database at all, " * 40)
    answer = call("GET", "/health")
    assert answer.status_code == 200
    assert answer.json()["ok"] is False
    assert "is damaged" in answer.json()["error"]


def test_a_row_has_every_field_with_its_type(call: Any, proposed: int) -> None:
    row = call("GET", f"/experiments/{proposed}").json()
    assert row.keys() >= set(ROW.split())
    assert (row["id"], row["state"], row["cost"], row["offline_score"]) == (proposed, "proposed", None, None)
    assert row["manual_conflict_detected"] == 0
    assert row["created_at"].endswith("+00:00")
    assert call("GET", "/experiments").json() == {"experiments": [row], "next_before": None}


def test_costs_are_dollars(call: Any, proposed: int, context: Context) -> None:
    with context.store.write() as tx:
        tx.exec_driver_sql("UPDATE experiments SET cost_micro_usd = 1234567 WHERE id = ?", (proposed,))
    assert call("GET", f"/experiments/{proposed}").json()["cost"] == 1.234567


def test_the_list_is_filtered_and_paged(call: Any, proposed: int) -> None:
    call("POST", "/experiments", json={"profile": "default", "content": SOUL.replace("hello", "good day")})

    def ids(query: str) -> list[int]:
        return [row["id"] for row in call("GET", f"/experiments?{query}").json()["experiments"]]

    assert ids("") == [2, 1]
    assert ids("profile=coder") == [1]
    assert ids("state=live") == []
    assert call("GET", "/experiments?limit=1").json()["next_before"] == 2
    assert ids("limit=1&before=2") == [1]


def test_a_diff_may_stand_for_the_content(call: Any, context: Context, dashboard: Path) -> None:
    diff = "@@ -3,1 +3,1 @@\n-You help. Be brief.\n+You help. Be kind.\n"
    body = {"profile": "coder", "file": "SOUL.md", "diff": diff}
    answer = call("POST", "/experiments", json=body)
    assert (answer.status_code, answer.json()) == (201, {"experiment_id": 1})
    assert b"Be kind." in experiments.contents(context, experiments.get(context, 1))[1]


def test_a_change_goes_the_whole_way_and_back(call: Any, watched: None, proposed: int, dashboard: Path) -> None:
    one, soul = f"/experiments/{proposed}", dashboard / "profiles" / "coder" / "SOUL.md"
    before = soul.read_bytes()
    approved = call("POST", f"{one}/approve", json={"actor": "Ada", "override_reason": "a typo", "signature": "later"})
    assert approved.json() == {"ok": True, "state": "approved"}
    applied = call("POST", f"{one}/apply", json={}).json()
    assert applied.keys() == {"ok", "state", "apply_commit_sha"}
    assert (applied["state"], len(applied["apply_commit_sha"])) == ("live", 40)
    assert call("POST", f"{one}/apply").json() == applied
    assert b"Be very brief." in soul.read_bytes()
    assert call("POST", f"{one}/verify").status_code == 422
    assert call("POST", f"{one}/revert", json={"reason": "too curt"}).json() == {"ok": True, "state": "reverted"}
    assert call("POST", f"{one}/revert").json() == {"ok": True, "state": "reverted"}
    assert soul.read_bytes() == before
    steps = call("GET", f"{one}/history").json()["transitions"]
    assert [step["to_state"] for step in steps] == ["proposed", "approved", "live", "reverted"]
    assert [(step["actor"], step["principal"]) for step in steps[1:3]] == [
        ("Ada", "dashboard"),
        ("dashboard", "dashboard"),
    ]


def test_a_proposal_is_rejected(call: Any, proposed: int) -> None:
    answer = call("POST", f"/experiments/{proposed}/reject", json={"reason": "vague"})
    assert answer.json() == {"ok": True, "state": "rejected"}
    assert call("GET", f"/experiments/{proposed}").json()["rejection_reason"] == "vague"


def test_history_has_its_four_parts(call: Any, proposed: int) -> None:
    found = call("GET", f"/experiments/{proposed}/history").json()
    assert found.keys() == {"experiment", "transitions", "eval_runs", "scenario_results"}
    assert found["experiment"]["id"] == proposed
    assert (found["eval_runs"], found["scenario_results"]) == ([], [])


def test_a_held_out_result_tells_neither_question_nor_answer() -> None:
    names = (field for field in ScenarioResultRow.__dataclass_fields__ if field != "cost")
    stored: dict[str, Any] = dict.fromkeys(names, "the question nobody may see")
    snapshot = json.dumps({"name": "hidden", "input": "the question nobody may see"})
    stored |= {"split": "holdout", "cost_micro_usd": None, "scenario_snapshot": snapshot}
    shown = ScenarioResultRow.of(stored)
    assert shown.scenario_snapshot == '{"name": "hidden"}'
    assert (shown.transcript, shown.check_results, shown.judge_rationale) == ("{}", "[]", None)
    assert ScenarioResultRow.of({**stored, "split": "train"}).scenario_snapshot == snapshot


def test_scenarios_are_added_listed_and_deleted(call: Any, dashboard: Path) -> None:
    check = {"type": "must_contain", "value": "hello"}
    for number, checks in enumerate(([check], json.dumps([check])), start=1):
        body = {"profile": "coder", "name": f"greets {number}", "input": "Hi", "checks": checks, "holdout": 0}
        answer = call("POST", "/scenarios", json=body)
        assert (answer.status_code, answer.json()["scenario_id"]) == (201, number)
    first, second = call("GET", "/scenarios?profile=coder").json()["scenarios"]
    assert json.loads(first["checks"])[0]["value"] == "hello"
    assert (first["holdout"], first["input"], first["deleted_at"]) == (0, "Hi", None)
    assert call("DELETE", f"/scenarios/{first['id']}").json() == {"ok": True}
    assert call("GET", "/scenarios").json()["scenarios"] == [second]


def test_held_out_scenarios_show_name_and_split_only(call: Any, dashboard: Path) -> None:
    body = {
        "profile": "coder",
        "name": "hidden",
        "input": "the question",
        "checks": '[{"type": "exit_ok"}]',
        "holdout": 1,
    }
    assert call("POST", "/scenarios", json=body).status_code == 201
    assert call("GET", "/scenarios").json()["scenarios"] == []
    (shown,) = call("GET", "/scenarios?include_holdout=1").json()["scenarios"]
    assert (shown["name"], shown["holdout"], shown["input"], shown["checks"]) == ("hidden", 1, "", "")


def test_a_profile_has_its_figures(call: Any, proposed: int, dashboard: Path) -> None:
    found = call("GET", "/profiles/coder").json()
    assert found.keys() >= set(PROFILE.split())
    assert found["experiment_counts"] == {
        **dict.fromkeys(("approved", "live", "verified", "reverted", "rejected"), 0),
        "proposed": 1,
    }
    assert (found["scenario_counts"], found["latest_baseline_score"]) == ({"train": 0, "holdout": 0}, None)
    assert (found["configured"], found["paused"], found["live_sessions_target"]) == (True, False, 30)
    assert (found["proposer_model"], found["judge_model"]) == (None, None)
    models = "model: {default: main}\nauxiliary: {ratchet_judge: {provider: custom, model: other}}\n"
    (dashboard / "config.yaml").write_text(f"plugins: {{enabled: [karpathy-self-improve]}}\n{models}", encoding="utf-8")
    found = call("GET", "/profiles/coder").json()
    assert (found["proposer_model"], found["judge_model"]) == ("main", "other")


def test_what_is_null_is_as_if_it_had_not_been_sent(call: Any, dashboard: Path) -> None:
    better = SOUL.replace("Be brief.", "Be kind.")
    body = {"profile": "coder", "content": better, "file": None, "diff": None, "rationale": None, "actor": None}
    number = call("POST", "/experiments", json=body).json()["experiment_id"]
    found = call("GET", f"/experiments/{number}").json()
    assert (found["target_relpath"], found["rationale"]) == ("SOUL.md", "")
    assert call("POST", f"/experiments/{number}/reject", json={"actor": None, "reason": None}).status_code == 200
    assert call("POST", f"/experiments/{number}/revert", json={"reason": None, "force": None}).status_code == 422
    body = {"profile": "coder", "name": "n", "input": "Hi", "checks": None, "holdout": None, "critical": None}
    assert call("POST", "/scenarios", json=body).json()["scenario_id"] == 1


@pytest.mark.parametrize("body", [None, {}])
def test_a_profile_is_paused_and_goes_on(call: Any, dashboard: Path, body: Any) -> None:
    paused = call("POST", "/profiles/coder/pause", json=body).json()
    assert paused == {"ok": True, "profile": "coder", "paused": True}
    assert call("GET", "/profiles/coder").json()["paused"] is True
    assert call("POST", "/profiles/coder/resume", json=body).json()["paused"] is False


def test_a_proposal_is_asked_for_at_once_or_skipped_with_its_reason(call: Any, dashboard: Path) -> None:
    queued = call("POST", "/propose", json={"profile": "coder"})
    assert queued.status_code == 202
    assert queued.json() == {"experiment_id": None, "offline_score": None, "job_id": queued.json()["job_id"]}
    call("POST", "/profiles/default/pause")
    skipped = call("POST", "/propose", json={"profile": "default"})
    assert (skipped.status_code, skipped.json()["skipped"]) == (200, True)
    assert "paused" in skipped.json()["reason"]


def test_an_evaluation_is_queued_followed_and_cancelled(call: Any, proposed: int) -> None:
    queued = call("POST", f"/experiments/{proposed}/evaluate")
    assert queued.status_code == 202
    number = queued.json()["job_id"]
    job = call("GET", f"/jobs/{number}").json()
    assert (job["experiment_id"], job["state"], job["done"]) == (proposed, "queued", 0)
    assert "owner" not in job
    assert call("GET", "/jobs?state=queued").json() == {"jobs": [job], "next_before": None}
    assert call("POST", f"/jobs/{number}/cancel").json() == {"ok": True, "job_id": number, "state": "cancelled"}
    assert call("GET", "/jobs?state=queued").json() == {"jobs": [], "next_before": None}
