"""A paused profile goes on, and held-out scenarios are seen or deleted, only when a reviewer signs it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from karpathy_self_improve import clock
from karpathy_self_improve.errors import BadInput
from karpathy_self_improve.evaluation.scenario import files, linting, scenarios
from karpathy_self_improve.evaluation.scenario.files import HoldoutLocked
from karpathy_self_improve.ratchet import controls
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.signing import consent, signers, unlocking
from karpathy_self_improve.ratchet.signing.questions import Question
from karpathy_self_improve.reviewing.challenges import Signed
from karpathy_self_improve.reviewing.payload import Purpose
from karpathy_self_improve.reviewing.refusals import (
    KeyUnusable,
    NoReviewer,
    PayloadRefused,
    SignatureRefused,
    WrongPassphrase,
)

SOMEBODY = Actor("somebody", "os:somebody")
PASSPHRASE = "maple orbit cactus violin ladder quartz"
OTHER = "kettle harbor mosaic tundra pebble ribbon"
UNSIGNED = "plugins: {entries: {karpathy-self-improve: {approval: unsigned}}}\n"
CHECKS = '[{"type": "exit_ok"}]'


def held_out(desk: Any) -> scenarios.Scenario:
    return scenarios.add_scenario(desk.context, "default", "secret", "Guess.", CHECKS, SOMEBODY, holdout=True)


def paused(desk: Any) -> bool:
    return bool(controls.get(desk.context, "default").paused)


# --- resuming


def test_pausing_is_free_and_resuming_is_signed(desk: Any) -> None:
    controls.pause(desk.context, "default", SOMEBODY)
    with pytest.raises(SignatureRefused):
        controls.resume(desk.context, "default", SOMEBODY)
    assert paused(desk)
    controls.resume(desk.context, "default", SOMEBODY, desk.signed(Purpose.RESUME, profile="default"))
    assert not paused(desk)
    assert desk.events("profile.resumed")[0].payload["actor"] == "alice"


def test_the_signature_that_resumed_once_does_not_resume_again(desk: Any) -> None:
    controls.pause(desk.context, "default", SOMEBODY)
    signed = desk.signed(Purpose.RESUME, profile="default")
    controls.resume(desk.context, "default", SOMEBODY, signed)
    controls.pause(desk.context, "default", SOMEBODY)
    with pytest.raises(SignatureRefused, match="used already"):
        controls.resume(desk.context, "default", SOMEBODY, signed)
    assert paused(desk)


def test_another_profiles_signature_does_not_resume_this_one(desk: Any) -> None:
    (desk.home / "profiles" / "coder").mkdir(parents=True)
    controls.pause(desk.context, "default", SOMEBODY)
    with pytest.raises(SignatureRefused, match="profile"):
        controls.resume(desk.context, "default", SOMEBODY, desk.signed(Purpose.RESUME, profile="coder"))
    assert paused(desk)


def test_a_signature_is_looked_at_even_where_none_was_needed(desk: Any) -> None:
    payload = desk.signed(Purpose.RESUME, profile="default").payload
    with pytest.raises(SignatureRefused):  # else it would count as a success, and free guesses would begin anew
        controls.resume(desk.context, "default", SOMEBODY, Signed(payload, "0" * 128))
    assert desk.attempts() == [("resume", "refused")]


# --- held-out scenarios


def test_a_held_out_scenario_is_seen_for_ten_minutes_after_a_signature(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = held_out(desk)
    with pytest.raises(SignatureRefused):
        unlocking.unlock(desk.context, "default", SOMEBODY, None)
    assert scenarios.get_scenario(desk.context, secret.id).input == ""
    signed = desk.signed(Purpose.REVEAL_HOLDOUT, profile="default")
    assert unlocking.unlock(desk.context, "default", SOMEBODY, signed) == signed.payload.expires_at
    assert scenarios.get_scenario(desk.context, secret.id).input == "Guess."
    listed = scenarios.list_scenarios(desk.context, include_holdout=True)
    assert [one.input for one in listed if one.holdout] == ["Guess."]
    assert desk.events("holdout.revealed")[0].payload["actor"] == "alice"
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(minutes=10, seconds=1))
    assert scenarios.get_scenario(desk.context, secret.id).input == ""


def test_while_it_lasts_it_is_exported_and_looked_through_and_that_is_recorded(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out(desk)
    unlocking.unlock(desk.context, "default", SOMEBODY, desk.signed(Purpose.REVEAL_HOLDOUT, profile="default"))
    written = files.export_scenarios(desk.context, "default", SOMEBODY, holdout=True)
    assert "Guess." in written.text
    assert "split: holdout" in written.text
    assert [event.payload["scenarios"] for event in desk.events("holdout.exported")] == [1]
    assert linting.lint(desk.context, "default").locked == 0
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(minutes=10, seconds=1))
    with pytest.raises(HoldoutLocked):
        files.export_scenarios(desk.context, "default", SOMEBODY, holdout=True)
    assert linting.lint(desk.context, "default").locked == 1


def test_an_unlock_is_for_one_profile(desk: Any) -> None:
    (desk.home / "profiles" / "coder").mkdir(parents=True)
    secret = held_out(desk)
    unlocking.unlock(desk.context, "coder", SOMEBODY, desk.signed(Purpose.REVEAL_HOLDOUT, profile="coder"))
    assert scenarios.get_scenario(desk.context, secret.id).input == ""


def test_reviewers_that_cannot_be_relied_on_reveal_nothing(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = held_out(desk)
    signed = desk.signed(Purpose.REVEAL_HOLDOUT, profile="default")
    unlocking.unlock(desk.context, "default", SOMEBODY, signed)
    monkeypatch.setenv("RATCHET_REVIEWERS", "ab" * 32)
    assert scenarios.get_scenario(desk.context, secret.id).input == ""


def test_without_reviewers_held_out_scenarios_stay_held_out(desk: Any) -> None:
    desk.settings(UNSIGNED)
    desk.forge("DELETE FROM reviewer_changes")
    desk.forge("DELETE FROM sqlite_sequence")
    with pytest.raises(NoReviewer, match="always needs"):
        unlocking.unlock(desk.context, "default", SOMEBODY, None)


def test_deleting_a_held_out_scenario_is_signed(desk: Any) -> None:
    secret = held_out(desk)
    with pytest.raises(SignatureRefused):
        scenarios.delete_scenario(desk.context, secret.id, SOMEBODY)
    signed = desk.signed(Purpose.DELETE_HOLDOUT, profile="default", scenario=secret.id)
    scenarios.delete_scenario(desk.context, secret.id, SOMEBODY, signed)
    assert desk.events("scenario.deleted")[0].payload["actor"] == "alice"
    other = scenarios.add_scenario(desk.context, "default", "open", "Hello?", CHECKS, SOMEBODY)
    scenarios.delete_scenario(desk.context, other.id, SOMEBODY)


def test_restoring_a_deleted_held_out_scenario_is_signed(desk: Any) -> None:
    secret = held_out(desk)
    about = {"profile": "default", "scenario": secret.id}
    scenarios.delete_scenario(desk.context, secret.id, SOMEBODY, desk.signed(Purpose.DELETE_HOLDOUT, **about))
    with pytest.raises(SignatureRefused):
        scenarios.restore_scenario(desk.context, secret.id, SOMEBODY)
    other = desk.signed(Purpose.DELETE_HOLDOUT, **about)
    with pytest.raises(SignatureRefused, match="not to restore-holdout"):
        scenarios.restore_scenario(desk.context, secret.id, SOMEBODY, other)
    signed = desk.signed(Purpose.RESTORE_HOLDOUT, **about)
    assert scenarios.restore_scenario(desk.context, secret.id, SOMEBODY, signed).deleted_at is None
    assert desk.events("scenario.restored")[0].payload["actor"] == "alice"


def test_that_a_held_out_scenario_blocks_no_more_is_signed_and_told(desk: Any) -> None:
    secret = held_out(desk)
    scenarios.edit_scenario(desk.context, secret.id, SOMEBODY, critical=True)
    with pytest.raises(SignatureRefused):
        scenarios.edit_scenario(desk.context, secret.id, SOMEBODY, critical=False)
    assert scenarios.get_scenario(desk.context, secret.id).critical
    signed = desk.signed(Purpose.UNCRITICAL_HOLDOUT, profile="default", scenario=secret.id)
    assert not scenarios.edit_scenario(desk.context, secret.id, SOMEBODY, critical=False, signed=signed).critical
    told = [one.payload for one in desk.events("scenario.edited")]
    assert {("somebody", True), ("alice", False)} == {(one["actor"], one["critical"]) for one in told}


# --- how a signature comes about


def test_the_key_file_on_this_machine_signs_for_its_passphrase(desk: Any) -> None:
    controls.pause(desk.context, "default", SOMEBODY)
    question = Question(Purpose.RESUME, profile="default")
    signed = signers.sign_here(desk.context, question, "alice", PASSPHRASE, SOMEBODY)
    controls.resume(desk.context, "default", SOMEBODY, signed)
    assert not paused(desk)


def test_a_wrong_passphrase_and_a_wrong_name_leave_a_trace(desk: Any) -> None:
    question = Question(Purpose.RESUME, profile="default")
    with pytest.raises(WrongPassphrase):
        signers.sign_here(desk.context, question, "alice", OTHER, SOMEBODY)
    assert desk.attempts() == [("unlock", "refused")]
    with pytest.raises(KeyUnusable):
        signers.sign_here(desk.context, question, "mallory", OTHER, SOMEBODY)
    assert [event.payload["code"] for event in desk.events("consent.refused")] == ["key_unusable"]


def test_what_is_no_payload_is_refused_and_leaves_a_trace(desk: Any) -> None:
    for payload in ("{}", "nonsense", "\ud800"):
        with pytest.raises(PayloadRefused):
            consent.received(desk.context, SOMEBODY, Purpose.APPROVE, payload, "00")
    assert [event.payload["purpose"] for event in desk.events("consent.refused")] == ["approve"] * 3


@pytest.mark.parametrize(
    "question",
    [
        Question(Purpose.APPROVE),
        Question(Purpose.OVERRIDE, 1, reason=" "),
        Question(Purpose.FORCE, 1),
        Question(Purpose.RESUME),
        Question(Purpose.REVIEWER_ADD),
    ],
)
def test_a_question_that_leaves_something_out_is_answered_so(desk: Any, question: Question) -> None:
    with pytest.raises(BadInput):
        signers.sign_here(desk.context, question, "alice", PASSPHRASE, SOMEBODY)
