"""Over the OpenAPI document: each mutation needs a reviewer's signature, or this table says why it needs none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.ratchet.states import State

PREFIX = "/api/plugins/karpathy-self-improve"
SOUL = "# Soul\n\nYou help. Be brief.\n\n- Say hello.\n"
BETTER = SOUL.replace("Be brief.", "Be kind.")
SOMEBODY = Actor("somebody", "os:somebody")

FREE = {
    "post /experiments": "changes no file: approving does",
    "post /experiments/{experiment_id}/again": "changes no file: approving does",
    "post /experiments/{experiment_id}/apply": "applies what a signature approved, which it verifies; see force",
    "post /experiments/{experiment_id}/evaluate": "measures",
    "post /experiments/{experiment_id}/reject": "leaves the file as it is",
    "post /experiments/{experiment_id}/verify": "the window's evidence decides",
    "post /feedback": "a word on a session; it can take a change back, never keep one",
    "post /jobs/{job_id}/cancel": "measures less",
    "post /metrics/collect": "counts",
    "post /profiles/{profile}/pause": "stops changes",
    "post /propose": "changes no file: approving does",
    "post /results/{result_id}/labels": "a word on a result, which it does not change",
    "post /reviewers/challenge": "says what there would be to sign",
    "post /scenarios": "approvals are bound to the scenarios they were measured on",
    "post /scenarios/from-session": "approvals are bound to the scenarios they were measured on",
    "post /scenarios/import": "approvals are bound to the scenarios they were measured on",
}
SIGNED: list[tuple[str, str, dict[str, Any]]] = [
    ("post /experiments/{experiment_id}/approve", "/experiments/1/approve", {"override_reason": "a typo"}),
    ("post /experiments/{experiment_id}/apply", "/experiments/2/apply", {"force": True, "reason": "mine"}),
    ("post /experiments/{experiment_id}/revert", "/experiments/3/revert", {"force": True, "reason": "mine"}),
    ("post /experiments/{experiment_id}/revert", "/experiments/4/revert", {"reason": "of a verified one"}),
    ("post /experiments/{experiment_id}/decide", "/experiments/5/decide", {"decision": "keep", "reason": "fine"}),
    ("post /profiles/{profile}/resume", "/profiles/default/resume", {}),
    ("post /reviewers/unlock", "/reviewers/unlock", {"profile": "coder"}),
    ("delete /scenarios/{scenario_id}", "/scenarios/1", {}),
    ("patch /scenarios/{scenario_id}", "/scenarios/1", {"critical": False}),
    ("post /scenarios/{scenario_id}/restore", "/scenarios/2/restore", {}),
]


def mutations(web_server: Any) -> set[str]:
    return {
        f"{verb} {path.removeprefix(PREFIX)}"
        for path, verbs in web_server.app.openapi()["paths"].items()
        for verb in verbs.keys() & {"post", "put", "patch", "delete"}
        if path.startswith(PREFIX)
    }


def test_every_mutation_is_signed_or_says_why_not(web_server: Any) -> None:
    signed = {operation for operation, _, _ in SIGNED}
    assert mutations(web_server) == signed | FREE.keys()


@pytest.fixture
def arranged(
    call: Any, context: Context, dashboard: Path, watched: None, sign: Callable[..., dict[str, str]]
) -> Callable[[], list[Any]]:
    """Five changes, each at the step where only a signature leads on. Returns what reads everything that may not move.

    1 of ``coder`` proposed; 2 approved, 3 live, 4 verified and 5 inconclusive, each of a profile of its own.
    """
    profiles = ["coder", *(f"p{number}" for number in range(2, 6))]
    for name in profiles[1:]:
        place = dashboard / "profiles" / name
        place.mkdir()
        (place / "SOUL.md").write_text(SOUL, encoding="utf-8")
    for number, name in enumerate(profiles, start=1):
        assert call("POST", "/experiments", json={"profile": name, "content": BETTER}).json()["experiment_id"] == number
        if number > 1:
            sent = {"override_reason": "a typo", **sign(purpose="override", experiment=number, reason="a typo")}
            assert call("POST", f"/experiments/{number}/approve", json=sent).status_code == 200
        if number > 2:
            assert call("POST", f"/experiments/{number}/apply").status_code == 200
    with context.store.write() as tx:
        states.move(tx, 4, State.VERIFIED, SOMEBODY, "a test")
        tx.exec_driver_sql("UPDATE experiments SET live_verdict = 'inconclusive' WHERE id = 5")
    hidden = {"profile": "coder", "holdout": True, "critical": True, "checks": [{"type": "exit_ok"}]}
    for name, text in (("hidden", "Guess."), ("gone", "Which tree grows here?")):
        assert call("POST", "/scenarios", json={**hidden, "name": name, "input": text}).status_code == 201
    gone = sign(purpose="delete-holdout", profile="coder", scenario=2)
    assert call("DELETE", "/scenarios/2", json=gone).status_code == 200
    assert call("POST", "/profiles/default/pause").status_code == 200

    def everything() -> list[Any]:
        tables = ("approvals", "experiment_state_transitions", "scenarios", "profile_controls", "file_operations")
        asked = ["SELECT id, state, approved_by FROM experiments", *(f"SELECT * FROM {table}" for table in tables)]
        with context.store.read() as tx:
            rows = [tx.exec_driver_sql(query).fetchall() for query in asked]
        return [*rows, *((dashboard / "profiles" / name / "SOUL.md").read_bytes() for name in profiles)]

    return everything


def test_without_a_signature_the_token_decides_nothing(call: Any, arranged: Callable[[], list[Any]]) -> None:
    before = arranged()
    for operation, path, body in SIGNED:
        for more in ({}, {"actor": "ana"}):
            answer = call(operation.partition(" ")[0].upper(), path, json={**body, **more})
            assert (answer.status_code, answer.json()["code"]) == (403, "signature_refused"), (path, answer.text)
    assert arranged() == before
