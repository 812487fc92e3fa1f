"""An approval is a reviewer's: signed, bound to everything it was given on, and worth nothing when that changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import clock, daemon
from karpathy_self_improve.errors import ApprovalRefused, ApprovalVoid, NotEvaluated
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.installation import service_unit
from karpathy_self_improve.ratchet import controls, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.reviewing import changes
from karpathy_self_improve.reviewing.challenges import Signed
from karpathy_self_improve.reviewing.payload import Purpose
from karpathy_self_improve.reviewing.refusals import (
    NoReviewer,
    ReviewersChanged,
    ReviewersTampered,
    SignatureRefused,
    TooManyAttempts,
)

SOMEBODY = Actor("somebody", "os:somebody")
OLD = b"# Soul\n\nBe brief. Be kind.\n"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
NEWER = OLD.replace(b"Be kind.", b"Be kind always.")
UNSIGNED = "plugins: {entries: {karpathy-self-improve: {approval: unsigned}}}\n"
CHECKS = '[{"type": "exit_ok"}]'


# --- given


def test_what_the_reviewer_signed_goes_live(desk: Any) -> None:
    number = desk.proposed()
    sha256 = desk.evaluated(number)
    signed = desk.signed(Purpose.APPROVE, number)
    assert desk.approve(number, signed) == "approved"
    found, claim = desk.newest(number), signed.payload.claim
    assert (found.mode, found.report_sha256, found.plan_sha256) == ("signed", sha256, claim.plan_sha256)
    assert (found.nonce, found.audit_head, found.expires_at) == (
        signed.payload.nonce,
        signed.payload.audit_head,
        signed.payload.expires_at,
    )
    assert found.actor == "alice"
    assert found.principal == f"reviewer:{desk.key.public_key[:16]}"
    step = experiments.transitions(desk.context, number)[-1]
    assert (step.actor, step.reason) == ("alice", "approved (signed)")
    assert desk.apply(number) == "live"
    assert desk.soul == NEW


def test_exactly_the_plan_that_was_signed_is_kept(desk: Any) -> None:
    number = desk.proposed()
    signed = desk.signed(Purpose.OVERRIDE, number, reason="a typo")
    text = UNSIGNED.replace("approval: unsigned", "approval: signed, window: {n: 7, n_max: 9}")
    desk.settings(text)  # an approval of now would have another plan
    desk.approve(number, signed, override_reason="a typo")
    with desk.context.store.read() as tx:
        laid = tx.exec_driver_sql("SELECT plan_document FROM challenges").scalar_one()
    assert desk.plan(number) == laid
    assert desk.apply(number) == "live"


def test_without_a_signature_nothing_is_approved_and_the_try_shows(desk: Any) -> None:
    number = desk.proposed()
    desk.evaluated(number)
    for options in ({}, {"override_reason": "trust me"}):
        with pytest.raises(SignatureRefused, match="needs a reviewer's signature"):
            desk.approve(number, None, **options)
    assert desk.experiment(number).state == "proposed"
    first, second = desk.events("consent.refused")
    assert (first.experiment_id, first.payload["principal"], first.payload["purpose"]) == (
        number,
        "os:somebody",
        "approve",
    )
    assert second.payload["purpose"] == "override"
    assert desk.attempts() == []  # nothing was guessed: nobody is made to wait for it


def test_what_cannot_be_approved_is_not_even_asked_for(desk: Any) -> None:
    number = desk.proposed()
    with pytest.raises(NotEvaluated):
        desk.signed(Purpose.APPROVE, number)
    controls.pause(desk.context, "default", SOMEBODY)
    with pytest.raises(Exception, match="is paused"):
        desk.signed(Purpose.OVERRIDE, number, reason="x")


# --- a signature for something else


@pytest.mark.parametrize(
    "field", ["experiment", "relpath", "profile", "candidate_sha256", "base_sha256", "report_sha256", "plan_sha256"]
)
def test_a_payload_nobody_asked_for_is_refused_though_signed(desk: Any, field: str) -> None:
    number = desk.proposed()
    desk.evaluated(number)
    claim = desk.signed(Purpose.APPROVE, number).payload
    other = {"experiment": 7, "relpath": "skills/x.md", "profile": "coder"}.get(field, "0" * 64)
    forged = replace(claim, claim=replace(claim.claim, **{field: other}))
    with pytest.raises(SignatureRefused):
        desk.approve(number, Signed(forged, desk.key.sign(forged.message())))
    assert desk.attempts() == [("approve", "refused")]
    assert desk.experiment(number).state == "proposed"


def test_a_signature_counts_once_and_for_its_experiment_only(desk: Any) -> None:
    first, second = desk.proposed(), desk.proposed(NEWER)
    signed = desk.signed(Purpose.OVERRIDE, first, reason="a typo")
    with pytest.raises(SignatureRefused, match="experiment"):
        desk.approve(second, signed, override_reason="a typo")
    desk.approve(first, signed, override_reason="a typo")
    experiments.reject(desk.context, first, SOMEBODY, "withdrawn")
    again = desk.proposed()
    with pytest.raises(SignatureRefused, match="used already"):
        desk.approve(again, signed, override_reason="a typo")
    assert [outcome for _, outcome in desk.attempts()] == ["refused", "accepted", "refused"]


def test_a_signature_is_worth_nothing_for_another_purpose(desk: Any) -> None:
    number = desk.proposed()
    controls.pause(desk.context, "default", SOMEBODY)
    signed = desk.signed(Purpose.RESUME, profile="default")
    with pytest.raises(SignatureRefused, match="to resume, not to override"):
        desk.approve(number, signed, override_reason="x")
    assert desk.attempts() == [("override", "refused")]


def test_the_signature_of_somebody_else_is_refused(desk: Any) -> None:
    number = desk.proposed()
    payload = desk.signed(Purpose.OVERRIDE, number, reason="x").payload
    with pytest.raises(SignatureRefused, match="does not belong"):
        desk.approve(number, Signed(payload, desk.anothers().sign(payload.message())), override_reason="x")
    assert desk.events("signature.refused")


def test_the_reason_that_was_signed_is_the_one_that_counts(desk: Any) -> None:
    number = desk.proposed()
    signed = desk.signed(Purpose.OVERRIDE, number, reason="a typo")
    with pytest.raises(SignatureRefused, match="reason"):
        desk.approve(number, signed, override_reason="another")


def test_a_report_that_came_after_the_question_asks_it_anew(desk: Any) -> None:
    number = desk.proposed()
    desk.evaluated(number)
    signed = desk.signed(Purpose.APPROVE, number)
    desk.evaluated(number, cost_micro_usd=1)
    with pytest.raises(SignatureRefused, match="report_sha256"):
        desk.approve(number, signed)


def test_another_plan_than_the_signed_one_is_never_kept(desk: Any) -> None:
    number = desk.proposed()
    signed = desk.signed(Purpose.OVERRIDE, number, reason="x")
    desk.forge("UPDATE challenges SET plan_document = replace(plan_document, '14.0', '1000.0')")
    with pytest.raises(SignatureRefused, match="live plan"):
        desk.approve(number, signed, override_reason="x")
    assert desk.experiment(number).state == "proposed"


def test_guessing_signatures_makes_wait_and_shows(desk: Any) -> None:
    number = desk.proposed()
    payload = desk.signed(Purpose.OVERRIDE, number, reason="x").payload
    for _ in range(4):
        with pytest.raises(SignatureRefused):
            desk.approve(number, Signed(payload, "0" * 128), override_reason="x")
    with pytest.raises(TooManyAttempts):
        desk.approve(number, Signed(payload, desk.key.sign(payload.message())), override_reason="x")
    (waited,) = desk.events("consent.refused")
    assert waited.payload["code"] == "too_many_attempts"


# --- void


def assert_void(desk: Any, number: int, match: str) -> None:
    with pytest.raises(ApprovalVoid, match=match):
        desk.apply(number)
    found = desk.experiment(number)
    assert (found.state, found.rejected_by) == ("rejected", "somebody")
    assert "void" in found.rejection_reason
    assert desk.soul == OLD


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reports SET document = replace(document, 'passed', 'Passed')",
        "UPDATE reports SET sha256 = 'another'",
        "UPDATE live_plans SET document = replace(document, '14.0', '1000.0')",
        "UPDATE live_plans SET document = 'nonsense'",
        "DELETE FROM live_plans",
        "UPDATE approvals SET relpath = 'skills/x.md'",
        "UPDATE approvals SET nonce = 'another'",
        "UPDATE approvals SET expires_at = '2999-01-01T00:00:00.000000+00:00'",
        "UPDATE approvals SET mode = 'unsigned'",
        "UPDATE approvals SET override_reason = 'whatever', report_sha256 = NULL",
        "UPDATE experiments SET candidate_sha256 = base_sha256",
        "UPDATE signatures SET signature = replace(signature, '0', '1')",
        "UPDATE signatures SET payload = replace(payload, 'SOUL.md', 'SOUL.mb')",
        "DELETE FROM signatures",
        "DELETE FROM approvals",
        "UPDATE experiment_state_transitions SET hash = 'another'",
    ],
)
def test_what_was_changed_after_signing_voids_the_approval(desk: Any, statement: str) -> None:
    number = desk.approved()
    desk.forge(statement)
    assert_void(desk, number, "void")


def test_changed_bytes_and_an_approval_row_to_match_are_void(desk: Any) -> None:
    number, other = desk.approved(), desk.proposed(NEWER)
    sha256 = desk.experiment(other).candidate_sha256
    desk.forge("UPDATE experiments SET candidate_sha256 = ? WHERE id = ?", sha256, number)
    desk.forge("UPDATE approvals SET candidate_sha256 = ?", sha256)
    desk.forge("UPDATE reports SET candidate_sha256 = ?", sha256)
    assert_void(desk, number, "candidate_sha256")


def test_an_approval_row_that_somebody_wrote_is_void(desk: Any) -> None:
    real = desk.overridden()
    experiments.reject(desk.context, real, SOMEBODY, "no")
    number = desk.proposed(NEW)
    desk.forge(
        "INSERT INTO live_plans (experiment_id, sha256, document, created_at) "
        "SELECT ?, sha256, document, created_at FROM live_plans",
        number,
    )
    columns = (
        "mode, profile, relpath, base_sha256, candidate_sha256, report_sha256, override_reason, plan_sha256, "
        "audit_head, actor, principal, nonce, signature, created_at, expires_at"
    )
    desk.forge(f"INSERT INTO approvals (experiment_id, {columns}) SELECT ?, {columns} FROM approvals", number)
    desk.forge("UPDATE experiments SET state = 'approved' WHERE id = ?", number)
    assert_void(desk, number, "experiment")


def test_a_scenario_that_changed_after_signing_voids_what_was_measured_on_it(desk: Any) -> None:
    number = desk.approved()
    scenarios.add_scenario(desk.context, "default", "another", "Hello?", CHECKS, SOMEBODY)
    assert_void(desk, number, "scenarios changed")


def test_scenarios_that_changed_since_the_measurement_want_a_new_one(desk: Any) -> None:
    number = desk.proposed()
    desk.evaluated(number)
    scenarios.add_scenario(desk.context, "default", "another", "Hello?", CHECKS, SOMEBODY)
    with pytest.raises(NotEvaluated, match="scenarios of 'default' changed"):
        desk.signed(Purpose.APPROVE, number)
    desk.evaluated(number)
    assert desk.approve(number, desk.signed(Purpose.APPROVE, number)) == "approved"


def test_a_signed_approval_expires(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    number, now = desk.approved(), clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(days=7, seconds=1))
    assert_void(desk, number, "expired")


def test_another_reviewer_voids_what_waits_to_be_applied(desk: Any) -> None:
    number = desk.approved()
    changes.add(desk.context.store, desk.key, desk.anothers("bob").public_key, "bob", "os:alice")
    assert_void(desk, number, "reviewers changed")


def test_the_daemon_rejects_a_void_approval_and_goes_on(desk: Any) -> None:
    number = desk.approved()
    desk.forge("DELETE FROM signatures")
    said: list[str] = []
    assert daemon.run(desk.context, once=True, say=said.append) == 0
    assert desk.experiment(number).state == "rejected"
    assert [step.actor for step in experiments.transitions(desk.context, number)][-1] == "daemon"
    assert any("void" in line for line in said)
    assert controls.get(desk.context, "default").failures == 0
    assert desk.soul == OLD


# --- reviewers that cannot be relied on


def test_reviewers_that_are_not_the_pinned_ones_apply_nothing_and_void_nothing(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = desk.approved()
    monkeypatch.setenv("RATCHET_REVIEWERS", "ab" * 32)
    with pytest.raises(ReviewersChanged):
        desk.apply(number)
    assert (desk.experiment(number).state, desk.soul) == ("approved", OLD)
    monkeypatch.setenv("RATCHET_REVIEWERS", desk.reviewers().fingerprint)
    assert desk.apply(number) == "live"


def test_a_reviewer_that_nobody_vouched_for_stops_everything(desk: Any) -> None:
    number = desk.approved()
    desk.forge(
        "INSERT INTO reviewer_changes (kind, payload, signature, nonce, fingerprint, principal, created_at) "
        "SELECT 'add', payload, signature, 'x', fingerprint, principal, created_at FROM reviewer_changes"
    )
    with pytest.raises(ReviewersTampered):
        desk.apply(number)
    with pytest.raises(ReviewersTampered):
        desk.signed(Purpose.RESUME, profile="default")
    assert (desk.experiment(number).state, desk.soul) == ("approved", OLD)


# --- unsigned


def test_the_setting_unsigned_is_worth_nothing_once_there_is_a_reviewer(desk: Any) -> None:
    number = desk.proposed()
    desk.settings(UNSIGNED)
    with pytest.raises(SignatureRefused):
        desk.approve(number, None, override_reason="x")
    assert desk.events("consent.refused")[-1].payload["code"] == "signature_refused"
    assert desk.approve(number, desk.signed(Purpose.OVERRIDE, number, reason="x"), override_reason="x") == "approved"


def test_the_setting_unsigned_is_worth_nothing_where_reviewers_are_pinned(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.settings(UNSIGNED)
    desk.forge("DELETE FROM reviewer_changes")
    desk.forge("DELETE FROM sqlite_sequence")
    number = desk.proposed()
    monkeypatch.setenv("RATCHET_REVIEWERS", desk.reviewers().fingerprint)
    with pytest.raises(NoReviewer):
        desk.approve(number, None, override_reason="x")
    assert desk.experiment(number).state == "proposed"


def test_an_agents_refused_approval_shows(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.settings(UNSIGNED)
    desk.forge("DELETE FROM reviewer_changes")
    desk.forge("DELETE FROM sqlite_sequence")
    number = desk.proposed()
    with pytest.raises(ApprovalRefused):
        desk.approve(number, None, override_reason="x", in_chat=True)
    monkeypatch.setenv("HERMES_SESSION_ID", "s1")
    with pytest.raises(ApprovalRefused):
        desk.approve(number, None, override_reason="x")
    assert [event.payload["code"] for event in desk.events("consent.refused")] == ["approval_refused"] * 2


def test_the_unit_of_another_home_pins_nothing_here(desk: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = service_unit.unit_path()
    path.parent.mkdir(parents=True)
    text = service_unit.unit_text("ab" * 32)
    path.write_text(text, encoding="utf-8")
    assert desk.context.pin == "ab" * 32
    path.write_text(text.replace(f'HERMES_HOME={desk.home}"', 'HERMES_HOME=/elsewhere"'), encoding="utf-8")
    assert desk.context.pin is None
