"""The routes about live windows: everything in sentences, a decision with its reason, and nobody waits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

from karpathy_self_improve import host
from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.ratchet.window import live_window

SOUL = "# Soul\n\nYou help. Be brief.\n\n- Say hello.\n"
NEW = SOUL.replace("brief", "very brief")
CHECKS = [{"type": "must_contain", "value": "NEXT"}]


def settings(home: Path, **window: Any) -> None:
    ours = {"approval": "unsigned", "success_checks": CHECKS, "window": {"measures": ["success"], **window}}
    document = {"plugins": {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": ours}}}
    (home / "config.yaml").write_text(json.dumps(document), encoding="utf-8")


def talk(home: Path, soul: str, names: list[str]) -> None:
    store = SessionDB(db_path=home / "state.db")
    for name in names:
        store.create_session(name, "cli", model="m", system_prompt=f"{soul.strip()}\n\nYou run on a computer.")
        store.append_message(name, "user", "hello")
        store.append_message(name, "assistant", "NEXT", finish_reason="stop")
        store.end_session(name, "cli_close")
    store.close()


@pytest.fixture
def live(call: Any, dashboard: Path, watched: None) -> int:
    """A change that is live, and has met three sessions."""
    settings(dashboard, n0=12, n_min=4, n=8, n_max=12)
    talk(dashboard, SOUL, [f"before{n}" for n in range(12)])
    number: int = call("POST", "/experiments", json={"profile": "default", "content": NEW}).json()["experiment_id"]
    assert call("POST", f"/experiments/{number}/approve", json={"override_reason": "a test"}).status_code == 200
    assert call("POST", f"/experiments/{number}/apply").status_code == 200
    talk(dashboard, NEW, [f"after{n}" for n in range(3)])
    return number


def test_a_window_says_where_it_stands(call: Any, live: int, context: Context) -> None:
    live_window.observe(context, live)
    found = call("GET", f"/experiments/{live}/live").json()
    assert (found["experiment_id"], found["state"], found["verdict"]) == (live, "live", "undecided")
    assert (found["badge"], found["counted"], found["left_out"], found["asks"]) == ("success only", 3, 0, False)
    assert found["sessions_left"] == 5
    assert [one["session_id"] for one in found["sessions"]] == ["after0", "after1", "after2"]
    assert found["plan"]["tests"][0]["measure"] == "success"
    assert found["explanation"]["evidence"][0] == "Undecided: 3 of 8 sessions counted."
    assert "Nothing has to restart" in found["explanation"]["serving"][0]
    assert call("GET", "/experiments/99/live").status_code == 404


def test_a_proposal_shows_the_window_it_would_get_once_that_is_known(
    call: Any, dashboard: Path, context: Context
) -> None:
    settings(dashboard, n0=12, n_min=4, n=8, n_max=12)
    talk(dashboard, SOUL, [f"before{n}" for n in range(12)])
    number = call("POST", "/experiments", json={"profile": "default", "content": NEW}).json()["experiment_id"]
    assert call("GET", f"/experiments/{number}/live").status_code == 422
    assert call("GET", f"/experiments/{number}/report").json()["live_window"] is None
    daemons = replace(context, settings=host.settings())
    live_window.make_plan(daemons, experiments.get(daemons, number))
    found = call("GET", f"/experiments/{number}/live").json()
    assert (found["state"], found["verdict"], found["ends_at"]) == ("proposed", "undecided", None)
    assert "a fall is caught" in " ".join(found["explanation"]["planned"])


def test_no_request_waits_for_a_large_window(call: Any, dashboard: Path) -> None:
    settings(dashboard, n0=200, n=100, n_max=200)
    number = call("POST", "/experiments", json={"profile": "default", "content": NEW}).json()["experiment_id"]
    refused = call("POST", f"/experiments/{number}/approve", json={"override_reason": "a test"})
    assert (refused.status_code, refused.json()["code"]) == (422, "plan_not_ready")


def test_an_inconclusive_window_is_decided_with_a_reason(call: Any, live: int, context: Context) -> None:
    path = f"/experiments/{live}/decide"
    early = call("POST", path, json={"decision": "keep", "reason": "I like it"})
    assert (early.status_code, early.json()["code"]) == (422, "no_evidence")
    with context.store.write() as tx:
        tx.exec_driver_sql("UPDATE experiments SET applied_at = '2026-01-01T00:00:00.000000+00:00'")
    live_window.settle_verdict(context, live_window.observe(context, live))
    assert call("GET", f"/experiments/{live}/live").json()["asks"] is True
    for wrong in ({}, {"decision": "extend", "reason": "x"}, {"decision": "keep"}, {"decision": "keep", "reason": ""}):
        assert call("POST", path, json=wrong).status_code == 400
    assert call("POST", path, json={"decision": "keep", "reason": "I like it"}).json() == {
        "ok": True,
        "state": "verified",
        "revert_commit_sha": None,
    }
    assert call("GET", f"/experiments/{live}/live").json()["badge"] == "accepted by a person"


def test_a_change_can_be_taken_back_instead(call: Any, live: int, context: Context, dashboard: Path) -> None:
    with context.store.write() as tx:
        tx.exec_driver_sql("UPDATE experiments SET applied_at = '2026-01-01T00:00:00.000000+00:00'")
    live_window.settle_verdict(context, live_window.observe(context, live))
    done = call("POST", f"/experiments/{live}/decide", json={"decision": "revert", "reason": "too curt"}).json()
    assert done["state"] == "reverted"
    assert done["revert_commit_sha"]
    assert (dashboard / "SOUL.md").read_text(encoding="utf-8") == SOUL


def test_a_reviewer_sees_what_the_window_will_catch(call: Any, live: int) -> None:
    found = call("GET", f"/experiments/{live}/report").json()
    assert found["live_window"] == call("GET", f"/experiments/{live}/live").json()["explanation"]["planned"]
