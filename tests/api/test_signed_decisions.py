"""In signed mode the session token decides nothing: a signature does, made in the browser or with the key file here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import events, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.ratchet.states import State
from karpathy_self_improve.reviewing import keys

PASSPHRASE = "maple orbit cactus violin ladder quartz"
OTHER = "kettle harbor mosaic tundra pebble ribbon"
SOMEBODY = Actor("somebody", "os:somebody")


def state(call: Any, number: int) -> str:
    return str(call("GET", f"/experiments/{number}").json()["state"])


def test_the_public_keys_are_listed(call: Any, ana: keys.SigningKey) -> None:
    found = call("GET", "/reviewers").json()
    assert (found["approval"], found["pinned"], found["trouble"]) == ("signed", None, None)
    assert [(one["name"], one["public_key"]) for one in found["reviewers"]] == [("ana", ana.public_key)]
    assert len(found["fingerprint"]) == 64
    assert call("GET", "/health").json()["approval"] == "signed"


def test_the_session_token_alone_approves_nothing_and_shows(
    call: Any, proposed: int, ana: keys.SigningKey, context: Context
) -> None:
    answer = call("POST", f"/experiments/{proposed}/approve", json={"override_reason": "a typo", "actor": "ana"})
    assert (answer.status_code, answer.json()["code"]) == (403, "signature_refused")
    assert state(call, proposed) == "proposed"
    with context.store.read() as tx:
        (event,) = [one for one in events.since(tx, 0, 1_000) if one.kind == "consent.refused"]
    assert (event.experiment_id, event.payload["principal"]) == (proposed, "dashboard")


def test_a_signature_made_in_the_browser_approves(call: Any, proposed: int, ana: keys.SigningKey, sign: Any) -> None:
    sent = sign(purpose="override", experiment=proposed, reason="a typo")
    answer = call("POST", f"/experiments/{proposed}/approve", json={"override_reason": "a typo", **sent})
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "state": "approved"})
    steps = call("GET", f"/experiments/{proposed}/history").json()["transitions"]
    assert (steps[-1]["actor"], steps[-1]["reason"]) == ("ana", "approved (signed): a typo")


def test_what_is_to_be_signed_can_be_asked_for_in_an_address(call: Any, proposed: int, ana: keys.SigningKey) -> None:
    asked = {"purpose": "override", "signer": ana.public_key, "experiment": proposed, "reason": "a typo"}
    got = call("GET", "/reviewers/challenge", params=asked).json()
    signature = ana.sign((got["prefix"] + got["payload"]).encode())
    sent = {"override_reason": "a typo", "payload": got["payload"], "signature": signature}
    assert call("POST", f"/experiments/{proposed}/approve", json=sent).json() == {"ok": True, "state": "approved"}
    for wrong in (
        {"signer": "x"},
        {"purpose": "nothing"},
        {"experiment": 0},
        {"profile": "\x1b"},
        {"reason": "w" * 2001},
    ):
        assert call("GET", "/reviewers/challenge", params={**asked, **wrong}).status_code == 400, wrong


def test_what_is_to_be_signed_comes_with_what_it_lets_happen(call: Any, proposed: int, ana: keys.SigningKey) -> None:
    asked = {"signer": ana.public_key, "purpose": "override", "experiment": proposed, "reason": "a typo"}
    words = call("POST", "/reviewers/challenge", json=asked).json()["words"]
    assert f"Approve experiment {proposed} whatever its evaluation says" in words
    assert "\n+" in words
    assert "Live window: WARNING: Nothing can be tested here" in words


def test_another_candidate_than_the_one_that_was_seen_is_not_approved(
    call: Any, proposed: int, ana: keys.SigningKey
) -> None:
    body = {"override_reason": "a typo", "reviewer": "ana", "passphrase": PASSPHRASE}
    answer = call("POST", f"/experiments/{proposed}/approve", json={**body, "candidate_sha256": "0" * 64})
    assert (answer.status_code, state(call, proposed)) == (422, "proposed")
    seen = call("GET", f"/experiments/{proposed}").json()["candidate_sha256"]
    answer = call("POST", f"/experiments/{proposed}/approve", json={**body, "candidate_sha256": seen})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"signature": "0" * 128}, 403),
        ({"payload": "{}"}, 400),
        ({"payload": None}, 400),
        ({"signature": "x" * 999}, 403),  # a wrong length is refused where that leaves a trace
    ],
)
def test_a_signature_that_is_none_approves_nothing(
    call: Any, proposed: int, ana: keys.SigningKey, changed: dict[str, str], status: int, sign: Any
) -> None:
    sent = {**sign(purpose="override", experiment=proposed, reason="a typo"), **changed}
    answer = call("POST", f"/experiments/{proposed}/approve", json={"override_reason": "a typo", **sent})
    assert answer.status_code == status, answer.text
    assert state(call, proposed) == "proposed"


def test_the_passphrase_of_a_key_file_here_approves_and_is_kept_nowhere(
    call: Any, proposed: int, ana: keys.SigningKey, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    path, reason = f"/experiments/{proposed}/approve", {"override_reason": "a typo"}
    wrong = call("POST", path, json={**reason, "reviewer": "ana", "passphrase": OTHER})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_passphrase")
    odd = call("POST", path, json={**reason, "reviewer": "ana", "passphrase": [OTHER]})
    assert odd.status_code == 400
    answer = call("POST", path, json={**reason, "reviewer": "ana", "passphrase": PASSPHRASE})
    assert answer.status_code == 200, answer.text
    written = b"".join(one.read_bytes() for one in context.data.rglob("*") if one.is_file())
    for passphrase in (PASSPHRASE, OTHER):
        assert passphrase not in caplog.text + wrong.text + odd.text + answer.text
        assert passphrase.encode() not in written


def test_a_passphrase_signs_what_was_shown_and_not_what_it_has_become(
    call: Any, proposed: int, ana: keys.SigningKey
) -> None:
    asked = {"signer": ana.public_key, "purpose": "override", "experiment": proposed, "reason": "a typo"}
    shown = call("POST", "/reviewers/challenge", json=asked).json()["payload"]
    path, body = f"/experiments/{proposed}/approve", {"reviewer": "ana", "passphrase": PASSPHRASE, "payload": shown}
    other = call("POST", path, json={**body, "override_reason": "another reason"})
    assert (other.status_code, "different: reason" in other.text) == (403, True)
    forged = call("POST", path, json={**body, "override_reason": "a typo", "payload": shown.replace("a typo", "b")})
    assert (forged.status_code, state(call, proposed)) == (403, "proposed")
    answer = call("POST", path, json={**body, "override_reason": "a typo"})
    assert answer.status_code == 200, answer.text


def test_a_challenge_for_somebody_who_is_no_reviewer_is_refused(call: Any, proposed: int, ana: Any) -> None:
    asked = {"purpose": "override", "experiment": proposed, "reason": "x", "signer": "0" * 64}
    answer = call("POST", "/reviewers/challenge", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (403, "signature_refused")
    missing = call("POST", "/reviewers/challenge", json={"purpose": "approve", "signer": ana.public_key})
    assert missing.status_code == 400
    by_terminal = call("POST", "/reviewers/challenge", json={"purpose": "reviewer-add", "signer": ana.public_key})
    assert (by_terminal.status_code, "terminal only" in by_terminal.text) == (400, True)


def test_a_verified_change_and_a_forced_one_are_taken_back_with_a_signature(
    call: Any, proposed: int, ana: keys.SigningKey, context: Context, dashboard: Path, watched: None
) -> None:
    key = {"reviewer": "ana", "passphrase": PASSPHRASE}
    call("POST", f"/experiments/{proposed}/approve", json={"override_reason": "a typo", **key})
    assert call("POST", f"/experiments/{proposed}/apply").status_code == 200
    with context.store.write() as tx:
        states.move(tx, proposed, State.VERIFIED, SOMEBODY, "a test")
    refused = call("POST", f"/experiments/{proposed}/revert", json={"reason": "x"})
    assert (refused.status_code, refused.json()["code"]) == (403, "signature_refused")
    (dashboard / "profiles" / "coder" / "SOUL.md").write_text("Mine.\n", encoding="utf-8")
    drifted = call("POST", f"/experiments/{proposed}/revert", json={"reason": "x", **key})
    assert (drifted.status_code, drifted.json()["code"]) == (422, "file_drifted")
    forced = call("POST", f"/experiments/{proposed}/revert", json={"reason": "x", "force": True, **key})
    assert forced.status_code == 200, forced.text


def test_resuming_is_signed(call: Any, ana: keys.SigningKey, sign: Any) -> None:
    assert call("POST", "/profiles/coder/pause").status_code == 200
    refused = call("POST", "/profiles/coder/resume")
    assert (refused.status_code, refused.json()["code"]) == (403, "signature_refused")
    sent = sign(purpose="resume", profile="coder")
    assert call("POST", "/profiles/coder/resume", json=sent).json()["paused"] is False
    assert call("POST", "/profiles/coder/pause").status_code == 200
    assert call("POST", "/profiles/coder/resume", json=sent).status_code == 403


def test_held_out_scenarios_are_shown_and_deleted_by_a_reviewer_only(
    call: Any, ana: keys.SigningKey, sign: Any
) -> None:
    checks = [{"type": "exit_ok"}]
    body = {"profile": "coder", "name": "secret", "input": "Guess.", "checks": checks, "holdout": True}
    number = call("POST", "/scenarios", json=body).json()["scenario_id"]
    assert call("DELETE", f"/scenarios/{number}").status_code == 403
    assert call("POST", "/reviewers/unlock", json={"profile": "coder"}).status_code == 403
    assert call("GET", f"/scenarios/{number}").json()["input"] == ""
    sent = sign(purpose="reveal-holdout", profile="coder")
    answer = call("POST", "/reviewers/unlock", json={"profile": "coder", **sent})
    assert answer.json()["until"] == json.loads(sent["payload"])["expires_at"]
    assert call("GET", f"/scenarios/{number}").json()["input"] == "Guess."
    sent = sign(purpose="delete-holdout", profile="coder", scenario=number)
    assert call("DELETE", f"/scenarios/{number}", json=sent).status_code == 200
