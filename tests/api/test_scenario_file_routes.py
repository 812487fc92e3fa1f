"""Over HTTP, too, scenarios come from sessions and files, leave as files, and are looked through for faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

from karpathy_self_improve.evaluation.scenario import files

TOKEN = "gh" + "p_" + "aB3dE6gH9kL2" * 3
FILE = "- name: lamp\n  input: Which lamp?\n  checks: [{type: regex, value: costs $5}]\n"


@pytest.fixture
def sessions(dashboard: Path) -> Iterator[SessionDB]:
    store = SessionDB(db_path=dashboard / "profiles" / "coder" / "state.db")
    yield store
    store.close()


def test_a_session_is_remembered_without_its_secrets(call: Any, sessions: SessionDB) -> None:
    sessions.create_session("s1", "cli")
    sessions.append_message("s1", "user", f"Log in with {TOKEN}.")
    body = {"profile": "coder", "session_id": "s1", "note": "it printed the key"}
    answer = call("POST", "/scenarios/from-session", json=body)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["holdout"], made["name"]) == (False, "session s1")
    assert "no judge is configured" in made["not_run"]
    shown = call("GET", f"/scenarios/{made['scenario_id']}").json()
    assert (shown["input"], shown["not_run"]) == ("Log in with <github-token>.", made["not_run"])
    assert call("POST", "/scenarios/from-session", json=body).status_code == 422
    assert call("POST", "/scenarios/from-session", json={**body, "session_id": "nobody"}).status_code == 404
    assert call("POST", "/scenarios/from-session", json={**body, "profile": "nobody"}).status_code == 404


def test_a_file_comes_in_once_and_goes_out_as_it_came(call: Any) -> None:
    body = {"profile": "coder", "document": FILE}
    assert call("POST", "/scenarios/import", json=body).json()["added"] == [1]
    again = call("POST", "/scenarios/import", json=body).json()
    assert (again["added"], again["skipped"]) == ([], [{"line": 1, "name": "lamp", "scenario_id": 1}])
    written = call("GET", "/scenarios/export?profile=coder&form=jsonl").json()
    assert (written["scenarios"], written["left_out"]) == (1, 0)
    body["document"] = written["text"]
    assert call("POST", "/scenarios/import", json={**body, "profile": "default"}).json()["added"] == [2]
    wrong = call("POST", "/scenarios/import", json={"profile": "coder", "document": f"{FILE}- name: x\n"})
    assert (wrong.status_code, wrong.json()["line"]) == (400, 4)
    assert call("GET", "/scenarios/export?profile=coder&include_holdout=true").json()["code"] == "holdout_locked"
    assert call("GET", "/scenarios/export?profile=nobody").status_code == 404
    assert call("GET", "/scenarios/schema").json() == files.json_schema()


def test_faults_are_named_and_a_deletion_is_taken_back(call: Any) -> None:
    call("POST", "/scenarios/import", json={"profile": "coder", "document": FILE})
    found = call("GET", "/scenarios/lint?profile=coder").json()
    assert (found["ok"], [one["code"] for one in found["findings"]]) == (False, ["impossible_check"])
    assert call("DELETE", "/scenarios/1").status_code == 200
    assert call("GET", "/scenarios/lint?profile=coder").json()["looked_at"] == 0
    assert call("POST", "/scenarios/1/restore").json()["name"] == "lamp"
    assert call("POST", "/scenarios/9/restore").status_code == 404


def test_what_was_replaced_is_said_and_a_check_that_would_keep_a_secret_is_refused(call: Any) -> None:
    body = {"profile": "coder", "name": "n", "input": f"Use {TOKEN}"}
    answer = call("POST", "/scenarios", json=body).json()
    assert answer["replaced"] == [{"part": "input", "type": "github-token", "line": 1}]
    assert "draft" in answer["not_run"]
    refused = call("POST", "/scenarios", json={**body, "checks": [{"type": "must_contain", "value": TOKEN}]})
    assert (refused.status_code, refused.json()["check"]) == (422, 1)
    assert TOKEN not in refused.text
    edited = call("PATCH", f"/scenarios/{answer['scenario_id']}", json={"name": f"about {TOKEN}"}).json()
    assert (edited["name"], len(edited["replaced"])) == ("about <github-token>", 1)


def test_a_secret_is_no_name_for_the_audit_trail(call: Any) -> None:
    answer = call("POST", "/scenarios", json={"profile": "coder", "name": "n", "input": "i", "actor": TOKEN})
    assert (answer.status_code, answer.json()["error"].startswith("actor: holds a secret")) == (400, True)
    assert TOKEN not in answer.text
