"""The routes about figures and about what persons say of sessions: shapes, limits, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

METRIC = """
    id profile captured_at sessions_count error_count warn_count tokens cost retries window_started_at window_ended_at
    payload
"""


@pytest.fixture
def session(dashboard: Path) -> str:
    store = SessionDB(db_path=dashboard / "state.db")
    store.create_session("20261120_101500_a1b2c3", "cli")
    store.end_session("20261120_101500_a1b2c3", "cli_close")
    store.close()
    return "20261120_101500_a1b2c3"


def test_figures_are_collected_and_listed(call: Any, session: str) -> None:
    assert call("GET", "/metrics").json() == {"metrics": [], "next_before": None}
    assert call("GET", "/metrics/latest").json() == {"metrics": []}
    collected = call("POST", "/metrics/collect", json={"profile": "default"}).json()
    assert (collected["collected"], collected["snapshots"][0]["sessions_count"]) == (1, 1)
    again = call("POST", "/metrics/collect", json={"profile": "default"}).json()["snapshots"]
    call("POST", "/metrics/collect", json={"profile": "coder"})
    rows = call("GET", "/metrics?profile=default").json()["metrics"]
    assert rows == [*again, *collected["snapshots"]]
    assert rows[0].keys() >= set(METRIC.split())
    assert isinstance(rows[0]["payload"], str)
    latest = call("GET", "/metrics/latest").json()["metrics"]
    assert [(row["profile"], row["id"]) for row in latest] == [("coder", 3), ("default", 2)]
    page = call("GET", "/metrics?limit=2").json()
    assert ([row["id"] for row in page["metrics"]], page["next_before"]) == ([3, 2], 2)
    rest = call("GET", "/metrics?limit=2&before=2").json()
    assert ([row["id"] for row in rest["metrics"]], rest["next_before"]) == ([1], None)
    assert call("GET", "/profiles/coder").json()["last_collection_at"] == latest[0]["captured_at"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/metrics/collect", {}, 400),
        ("POST", "/metrics/collect", {"profile": "stranger"}, 404),
        ("GET", "/metrics?limit=0", None, 400),
        ("GET", "/metrics?limit=1001", None, 400),
        ("GET", "/metrics?profile=stranger", None, 404),
        ("GET", "/feedback?profile=stranger", None, 404),
        ("GET", "/feedback?limit=0", None, 400),
        ("POST", "/feedback", {"profile": "default", "session_id": "nobody", "good": True}, 404),
        ("POST", "/feedback", {"profile": "default", "session_id": "nobody"}, 400),
        ("POST", "/feedback", {"profile": "stranger", "session_id": "nobody", "good": True}, 404),
    ],
)
def test_what_is_wrong_is_said(call: Any, session: str, method: str, path: str, body: Any, status: int) -> None:
    answer = call(method, path, json=body)
    assert (answer.status_code, set(answer.json()) >= {"error", "code"}) == (status, True), answer.text


def test_feedback_is_kept_and_listed(call: Any, session: str) -> None:
    body = {"profile": "default", "session_id": session, "good": False, "note": "wrong dates", "actor": "Ada"}
    kept = call("POST", "/feedback", json=body)
    assert kept.status_code == 201, kept.text
    wanted = {"ok": True, "feedback_id": 1, "profile": "default", "session_id": session, "good": False}
    assert kept.json() == wanted
    (row,) = call("GET", "/feedback?profile=default").json()["feedback"]
    assert (row["good"], row["note"], row["actor"]) == (0, "wrong dates", "Ada")
    assert row["principal"].startswith("dashboard")
    assert call("POST", "/feedback", json=body).json()["feedback_id"] == 2
    page = call("GET", "/feedback?limit=1").json()
    assert ([one["id"] for one in page["feedback"]], page["next_before"]) == ([2], 2)
    assert [one["id"] for one in call("GET", "/feedback?limit=1&before=2").json()["feedback"]] == [1]
