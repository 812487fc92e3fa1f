"""Every failure of our routes is `{"error", "code", ...}` with the status of its family, and nothing moves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from karpathy_self_improve.installation import overview
from karpathy_self_improve.plugin_api import router
from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.routes.answers import RatchetRoute

PREFIX = "/api/plugins/karpathy-self-improve"
SOUL = "# Soul\n\nYou help. Be brief.\n\n- Say hello.\n"
BETTER = SOUL.replace("Be brief.", "Be kind.")
JSON = {"content-type": "application/json"}


def fingerprint(home: Path) -> str:
    files = sorted(home.rglob("SOUL.md"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


BAD = {
    "no profile": ({"content": BETTER}, 400),
    "profile not a name": ({"profile": 7, "content": BETTER}, 400),
    "no such profile": ({"profile": "nobody", "content": BETTER}, 400),
    "a path as profile": ({"profile": "../coder", "content": BETTER}, 400),
    "traversal": ({"profile": "coder", "file": "../default/SOUL.md", "content": BETTER}, 400),
    "absolute path": ({"profile": "coder", "file": "/etc/passwd", "content": BETTER}, 400),
    "NUL in the path": ({"profile": "coder", "file": "SOUL.md\0", "content": BETTER}, 400),
    "secrets": ({"profile": "coder", "file": ".env", "content": BETTER}, 400),
    "neither diff nor content": ({"profile": "coder"}, 400),
    "both": ({"profile": "coder", "content": BETTER, "diff": "@@"}, 400),
    "content of the wrong type": ({"profile": "coder", "content": 7}, 400),
    "an endless rationale": ({"profile": "coder", "content": BETTER, "rationale": "w" * 10_001}, 400),
    "an actor with an escape": ({"profile": "coder", "content": BETTER, "actor": "\x1b[2J"}, 400),
    "not a mapping": (["coder"], 400),
    "a diff that is none": ({"profile": "coder", "diff": "nonsense"}, 422),
    "a diff that does not fit": ({"profile": "coder", "diff": "@@ -1,1 +1,1 @@\n-Body\n+Soul\n"}, 422),
    "two places at once": ({"profile": "coder", "content": "# Soul\n\nYou hinder. Be brief.\n\n- Say no.\n"}, 422),
    "nothing changes": ({"profile": "coder", "content": SOUL}, 422),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_proposal_is_refused_and_changes_nothing(call: Any, context: Context, dashboard: Path, what: str) -> None:
    body, status = BAD[what]
    before = fingerprint(dashboard)
    answer = call("POST", "/experiments", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json().keys() >= {"error", "code"}
    assert experiments.list_experiments(context) == []
    assert fingerprint(dashboard) == before


@pytest.mark.parametrize(
    "content", [b"{", b"", b"\xff\xfe", b'{"profile": "coder", "content": "\\ud800"}', b"[" * 5000]
)
def test_a_body_that_is_no_text_is_400(call: Any, dashboard: Path, content: bytes) -> None:
    answer = call("POST", "/experiments", content=content, headers=JSON)
    assert answer.status_code == 400
    assert answer.json().keys() == {"error", "code"}


@pytest.mark.parametrize(
    "path",
    [
        "/experiments?limit=0",
        "/experiments?limit=1001",
        "/experiments?limit=x",
        "/experiments?state=dead",
        "/experiments?before=0",
        f"/experiments?before={2**63}",
        "/experiments/0",
        "/experiments/-1",
        "/experiments/x",
        f"/experiments/{2**63}",
        "/jobs?state=dead",
        "/jobs?limit=0",
        "/jobs/x",
        "/scenarios?include_holdout=perhaps",
    ],
)
def test_what_is_malformed_or_out_of_range_is_400(call: Any, dashboard: Path, path: str) -> None:
    answer = call("GET", path)
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_input"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/experiments/77", "unknown_experiment"),
        ("GET", "/experiments/77/history", "unknown_experiment"),
        *(
            ("POST", f"/experiments/77/{verb}", "unknown_experiment")
            for verb in ("approve", "reject", "apply", "verify", "revert", "evaluate")
        ),
        ("GET", "/experiments?profile=nobody", "unknown_profile"),
        ("GET", "/scenarios?profile=nobody", "unknown_profile"),
        ("GET", "/profiles/nobody", "unknown_profile"),
        ("POST", "/profiles/nobody/pause", "unknown_profile"),
        ("POST", "/profiles/nobody/resume", "unknown_profile"),
        ("DELETE", "/scenarios/77", "unknown_scenario"),
        ("GET", "/jobs/77", "unknown_job"),
        ("POST", "/jobs/77/cancel", "unknown_job"),
    ],
)
def test_what_is_not_there_is_404(call: Any, dashboard: Path, method: str, path: str, code: str) -> None:
    answer = call(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert "There is no" in answer.json()["error"]


def test_every_conflict_is_422_with_its_ids(call: Any, proposed: int) -> None:
    one = f"/experiments/{proposed}"
    conflicts = {
        "not_evaluated": call("POST", f"{one}/approve"),
        "illegal_transition": call("POST", f"{one}/revert"),
    }
    call("POST", f"{one}/approve", json={"override_reason": "a typo"})
    conflicts["nobody_watching"] = call("POST", f"{one}/apply")
    call("POST", "/profiles/coder/pause")
    conflicts["profile_paused"] = call("POST", f"{one}/apply")
    for code, answer in conflicts.items():
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert len(answer.json()["error"]) > 20
    assert conflicts["not_evaluated"].json()["experiment_id"] == proposed


def test_a_second_change_of_one_profile_waits(call: Any, proposed: int) -> None:
    call("POST", "/experiments", json={"profile": "coder", "content": BETTER})
    for number in (1, 2):
        answer = call("POST", f"/experiments/{number}/approve", json={"override_reason": "a typo"})
    assert (answer.status_code, answer.json()["code"]) == (422, "profile_in_flight")


def test_where_approvals_must_be_signed_the_session_token_is_not_enough(
    call: Any, proposed: int, dashboard: Path
) -> None:
    (dashboard / "config.yaml").write_text("plugins: {enabled: [karpathy-self-improve]}\n", encoding="utf-8")
    answer = call("POST", f"/experiments/{proposed}/approve", json={"override_reason": "a typo"})
    assert (answer.status_code, answer.json()["code"]) == (403, "no_reviewer")
    assert call("GET", "/health").json()["approval"] == "signed"


def test_a_forced_revert_is_403(call: Any, proposed: int, watched: None) -> None:
    call("POST", f"/experiments/{proposed}/approve", json={"override_reason": "a typo"})
    call("POST", f"/experiments/{proposed}/apply")
    answer = call("POST", f"/experiments/{proposed}/revert", json={"force": True})
    assert (answer.status_code, answer.json()["code"]) == (403, "no_reviewer")
    assert call("GET", f"/experiments/{proposed}").json()["state"] == "live"


@pytest.mark.parametrize(
    "checks", ['[{"type": "mind_reading"}]', "nonsense", {"type": "exit_ok"}, [{"type": "regex", "value": "("}]]
)
def test_a_wrong_check_is_422_and_named(call: Any, dashboard: Path, checks: Any) -> None:
    body = {"profile": "coder", "name": "n", "checks": checks}
    answer = call("POST", "/scenarios", json=body)
    assert answer.status_code == (400 if isinstance(checks, dict) else 422)
    assert "heck" in answer.json()["error"]
    assert call("GET", "/scenarios").json()["scenarios"] == []


def test_a_damaged_database_is_503(call: Any, dashboard: Path) -> None:
    (dashboard / "ratchet").mkdir(mode=0o700)
    (dashboard / "ratchet" / "ratchet.db").write_bytes(b"this is no database at all, " * 40)
    answer = call("GET", "/experiments")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_corrupt")


def test_a_fault_of_ours_is_500_without_a_traceback(
    call: Any, dashboard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(overview, "look", broken)
    answer = call("GET", "/profiles/coder")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text


def test_without_the_hosts_token_nothing_is_answered(web_server: Any, dashboard: Path) -> None:
    from starlette.testclient import TestClient

    bare = TestClient(web_server.app, base_url="http://127.0.0.1")
    assert bare.get("/api/plugins/karpathy-self-improve/experiments").status_code == 401


def every_route(router: APIRouter) -> Iterator[APIRoute]:
    """The HTTP routes of a router and of those in it; FastAPI's newest versions keep these apart."""
    for route in router.routes:
        if inner := getattr(route, "original_router", None):
            yield from every_route(inner)
        elif isinstance(route, APIRoute):
            yield route


def test_the_document_describes_every_route_and_every_failure(web_server: Any) -> None:
    document = web_server.app.openapi()
    ours = {path: verbs for path, verbs in document["paths"].items() if "/karpathy-self-improve/" in path}
    assert {type(route) for route in every_route(router)} == {RatchetRoute}, "its failures have another shape"
    methods = {(route.path, method) for route in every_route(router) for method in route.methods - {"HEAD"}}
    assert {(f"{PREFIX}{path}", method.lower()) for path, method in methods} == {
        (path, verb) for path, verbs in ours.items() for verb in verbs
    }
    for path, verbs in ours.items():
        for verb, described in verbs.items():
            answers = described["responses"]
            assert answers.keys() >= {"400", "401", "403", "404", "422", "503"}, (path, verb)
            assert described["description"], (path, verb)
            refused = answers["422"]["content"]["application/json"]["schema"]
            assert refused == {"$ref": "#/components/schemas/ErrorBody"}, (path, verb)
            good = [answer for status, answer in answers.items() if status.startswith("2")]
            assert good, (path, verb)
            assert all("$ref" in json.dumps(one["content"]) for one in good) or path.endswith(".csv"), (path, verb)
