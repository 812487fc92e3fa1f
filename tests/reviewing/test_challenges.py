"""A signature counts once, in time, for what was signed and nothing else, and only while nothing it stands on moved."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from karpathy_self_improve import clock
from karpathy_self_improve.ratchet import states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.states import State
from karpathy_self_improve.reviewing import challenges, changes
from karpathy_self_improve.reviewing.challenges import Signed
from karpathy_self_improve.reviewing.payload import Claim, Payload, Purpose
from karpathy_self_improve.reviewing.refusals import (
    NoReviewer,
    PayloadRefused,
    ReviewersChanged,
    ReviewersTampered,
    SignatureRefused,
    TooManyAttempts,
)

ME = "os:me"
INSERT = (
    "INSERT INTO signatures (nonce, purpose, experiment_id, profile, payload, signature, principal, created_at)"
    " VALUES (:nonce, :purpose, :experiment_id, :profile, :payload, :signature, 'x', 'x')"
)


def stored(signed: Signed) -> dict[str, Any]:
    """A row as :func:`redeem` would write it."""
    claim = signed.payload.claim
    return {
        "nonce": signed.payload.nonce,
        "purpose": claim.purpose.value,
        "experiment_id": claim.experiment,
        "profile": claim.profile,
        "payload": signed.payload.text(),
        "signature": signed.signature,
    }


def count(desk: Any) -> int:
    with desk.store.read() as tx:
        return int(tx.execute(text("SELECT count(*) FROM signatures")).scalar_one())


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves this process's clock."""

    def move(by: timedelta) -> None:
        moment = clock.now() + by
        monkeypatch.setattr(clock, "now", lambda: moment)

    return move


def test_what_was_signed_is_accepted_and_stands(desk: Any) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    signed = desk.signed(claim, key)
    assert desk.redeem(signed, claim).payload == signed.payload
    desk.standing(signed, claim)
    (event,) = desk.events("signature.stored")
    assert (event.experiment_id, event.payload["purpose"]) == (claim.experiment, "approve")


def test_a_signature_counts_once(desk: Any) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    signed = desk.approved(claim, key)
    with pytest.raises(SignatureRefused, match="used already"):
        desk.redeem(signed, claim)
    assert count(desk) == 1


def test_a_signature_that_comes_to_nothing_is_not_used_up(desk: Any) -> None:
    """Accepting it and acting on it are one transaction."""
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    signed = desk.signed(claim, key)
    with suppress(ZeroDivisionError), desk.store.write() as tx:
        challenges.redeem(tx, signed, claim, ME, pin=None)
        raise ZeroDivisionError
    assert count(desk) == 0
    desk.redeem(signed, claim)


def test_a_signature_nobody_asked_for_is_refused(desk: Any) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    asked = desk.asked(claim, key).payload
    for unasked in (
        replace(asked, nonce="ab" * 16),
        replace(asked, expires_at=clock.stamp(clock.now() + timedelta(days=6))),
        replace(asked, audit_head="0 "),
    ):
        with pytest.raises(SignatureRefused, match="Nobody asked"):
            desk.redeem(Signed(unasked, key.sign(unasked.message())), claim)


def test_after_ten_minutes_a_challenge_is_over(desk: Any, later: Callable[[timedelta], None]) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    signed = desk.signed(claim, key)
    later(timedelta(minutes=10, seconds=1))
    with pytest.raises(SignatureRefused, match="ten minutes"):
        desk.redeem(signed, claim)


def test_an_approval_stands_for_seven_days(desk: Any, later: Callable[[timedelta], None]) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    signed = desk.approved(claim, key)
    later(timedelta(days=6, hours=23))
    desk.standing(signed, claim)
    later(timedelta(hours=2))
    with pytest.raises(SignatureRefused, match="expired"):
        desk.standing(signed, claim)


def test_no_signature_stands_longer_than_its_purpose_allows(desk: Any) -> None:
    """Even a reviewer cannot be talked into an approval for a year: the row is forged, the signature is real."""
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    asked = desk.asked(claim, key).payload
    endless = replace(asked, expires_at=clock.stamp(clock.now() + timedelta(days=365)))
    signed = Signed(endless, key.sign(endless.message()))
    desk.stranger().execute(INSERT, stored(signed))
    with pytest.raises(SignatureRefused, match="expired"):
        desk.standing(signed, claim)


CHANGED: dict[str, dict[str, Any]] = {
    "experiment": {"experiment": 99},
    "profile": {"profile": "coder"},
    "relpath": {"relpath": "skills/a/SKILL.md"},
    "base_sha256": {"base_sha256": "1" * 64},
    "candidate_sha256": {"candidate_sha256": "1" * 64},
    "report_sha256": {"report_sha256": "1" * 64},
    "plan_sha256": {"plan_sha256": "1" * 64},
    "purpose": {"purpose": Purpose.OVERRIDE, "reason": "because"},
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_signature_is_for_what_it_names(desk: Any, what: str) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    other = replace(claim, **CHANGED[what])
    signed = desk.signed(claim, key)
    with pytest.raises(SignatureRefused, match=what):
        desk.redeem(signed, other)
    desk.redeem(signed, claim)
    with pytest.raises(SignatureRefused, match=what):
        desk.standing(signed, other)


def test_an_override_is_for_the_reason_that_was_signed(desk: Any) -> None:
    key, number = desk.set_up(), desk.proposed()
    claim = desk.claim(number, purpose=Purpose.OVERRIDE, report_sha256=None, reason="urgent")
    signed = desk.approved(claim, key)
    with pytest.raises(SignatureRefused, match="reason"):
        desk.standing(signed, replace(claim, reason="harmless"))


def test_a_signature_copied_to_another_experiment_is_worth_nothing(desk: Any) -> None:
    key = desk.set_up()
    first, second = desk.claim(desk.proposed()), desk.claim(desk.proposed())
    signed = desk.approved(first, key)
    copied = {**stored(signed), "nonce": "ab" * 16, "experiment_id": second.experiment}
    renamed = replace(signed.payload, claim=second, nonce="cd" * 16)
    rewritten = {**stored(Signed(renamed, signed.signature)), "experiment_id": second.experiment}
    desk.forge((INSERT, copied), (INSERT, rewritten))
    for nonce in ("ab" * 16, "cd" * 16, "ef" * 16):
        with pytest.raises(SignatureRefused), desk.store.read() as tx:
            challenges.standing(tx, nonce, second, pin=None)


def test_a_signature_copied_to_another_nonce_is_worth_nothing(desk: Any) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    signed = desk.approved(claim, key)
    desk.stranger().execute(INSERT, {**stored(signed), "nonce": "ab" * 16})
    with pytest.raises(SignatureRefused, match="another payload"), desk.store.read() as tx:
        challenges.standing(tx, "ab" * 16, claim, pin=None)


@pytest.mark.parametrize("damage", [{"signature": "00" * 64}, {"signature": ""}, {"payload": "{}"}, {"payload": ""}])
def test_a_changed_row_is_worth_nothing(desk: Any, damage: dict[str, str]) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    signed = desk.approved(claim, key)
    (column,) = damage
    desk.forge((f"UPDATE signatures SET {column} = :{column}", damage))
    with pytest.raises(SignatureRefused):
        desk.standing(signed, claim)


def test_only_a_reviewer_is_asked_and_believed(desk: Any) -> None:
    alice, claim = desk.set_up(), desk.claim(desk.proposed())
    _, mallory = desk.new_key("mallory")
    with pytest.raises(SignatureRefused, match="not a reviewer"):
        desk.asked(claim, mallory)
    asked = desk.asked(claim, alice).payload
    with pytest.raises(SignatureRefused, match="does not belong"):
        desk.redeem(Signed(asked, mallory.sign(asked.message())), claim)
    with pytest.raises(SignatureRefused, match="does not belong"):
        desk.redeem(Signed(asked, alice.sign(asked.encode())), claim)  # without the prefix
    own = replace(asked, signer=mallory.public_key)
    desk.stranger().execute(INSERT, stored(Signed(own, mallory.sign(own.message()))))
    with pytest.raises(SignatureRefused, match="reviewers changed"):
        desk.standing(Signed(own, ""), claim)


def test_without_a_reviewer_nothing_is_asked_and_nothing_stands(desk: Any) -> None:
    _, nobody = desk.new_key("nobody")
    with pytest.raises(NoReviewer):
        desk.asked(desk.claim(desk.proposed()), nobody)


def test_when_the_reviewers_change_what_they_signed_stands_no_more(desk: Any) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    used, unused = desk.approved(claim, key), desk.signed(claim, key)
    desk.added(key, "bob")
    with pytest.raises(SignatureRefused, match="reviewers changed"):
        desk.standing(used, claim)
    with pytest.raises(SignatureRefused, match="reviewers changed"):
        desk.redeem(unused, claim)


def test_a_set_that_is_not_the_pinned_one_lets_nothing_happen(desk: Any) -> None:
    """Mallory resets the reviewers, approves, and waits for the daemon."""
    desk.set_up()
    pin = desk.reviewers().fingerprint
    _, mallory = desk.new_key("mallory")
    changes.reset(desk.store, mallory, "mallory", ME)
    claim = desk.claim(desk.proposed())
    signed = desk.approved(claim, mallory)
    with pytest.raises(ReviewersChanged):
        desk.standing(signed, claim, pin=pin)
    with pytest.raises(ReviewersChanged):
        desk.asked(claim, mallory, pin=pin)
    with pytest.raises(ReviewersChanged):
        desk.redeem(desk.signed(claim, mallory), claim, pin=pin)


def test_a_tampered_log_lets_nothing_happen(desk: Any) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    used, unused = desk.approved(claim, key), desk.signed(claim, key)
    desk.forge(("UPDATE reviewer_changes SET signature = 'x'", {}))
    for attempt in (
        lambda: desk.standing(used, claim),
        lambda: desk.redeem(unused, claim),
        lambda: desk.asked(claim, key),
    ):
        with pytest.raises(ReviewersTampered, match="row 1"):
            attempt()


@pytest.mark.parametrize(
    "rewriting",
    [
        "UPDATE experiment_state_transitions SET hash = replace(hash, substr(hash, 1, 1), 'z')",
        "DELETE FROM experiment_state_transitions",
    ],
)
def test_an_approval_falls_with_the_history_it_was_given_on(desk: Any, rewriting: str) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    signed = desk.approved(claim, key)
    desk.forge((rewriting, {}))
    with pytest.raises(SignatureRefused, match="history"):
        desk.standing(signed, claim)


def test_an_approval_cannot_be_given_on_no_history(desk: Any) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    bare = replace(desk.asked(claim, key).payload, audit_head="0 ")
    signed = Signed(bare, key.sign(bare.message()))
    desk.stranger().execute(INSERT, stored(signed))
    with pytest.raises(SignatureRefused, match="history"):
        desk.standing(signed, claim)


def test_an_approval_survives_what_happens_elsewhere_meanwhile(desk: Any) -> None:
    key, claim = desk.set_up(), desk.claim(desk.proposed())
    other = desk.proposed()
    signed = desk.signed(claim, key)
    with desk.store.write() as tx:
        states.move(tx, other, State.REJECTED, Actor("x", ME), "no")
    desk.redeem(signed, claim)
    desk.standing(signed, claim)


def test_the_plan_that_was_signed_is_given_back(desk: Any) -> None:
    key, number, plan = desk.set_up(), desk.proposed(), '{"n":30}'
    claim = desk.claim(number, plan_sha256=hashlib.sha256(plan.encode()).hexdigest())
    with desk.store.write() as tx:
        payload = challenges.issue(tx, claim, key.public_key, ME, pin=None, plan_document=plan).payload
    assert desk.redeem(Signed(payload, key.sign(payload.message())), claim).plan_document == plan
    with pytest.raises(PayloadRefused, match="plan"), desk.store.write() as tx:
        challenges.issue(tx, claim, key.public_key, ME, pin=None, plan_document='{"n":3}')


def test_a_page_cannot_ask_for_challenges_without_end_and_locks_out_nobody_else(desk: Any) -> None:
    key, claim = desk.set_up(), Claim(purpose=Purpose.RESUME, profile="default")
    with desk.store.write() as tx:
        for _ in range(200):
            challenges.issue(tx, claim, key.public_key, "dashboard", pin=None)
        with pytest.raises(TooManyAttempts):
            challenges.issue(tx, claim, key.public_key, "dashboard", pin=None)
        challenges.issue(tx, claim, key.public_key, "serve", pin=None)
    desk.asked(claim, key)


def test_a_terminal_is_never_locked_out_by_many_challenges(desk: Any) -> None:
    key, claim = desk.set_up(), Claim(purpose=Purpose.RESUME, profile="default")
    with desk.store.write() as tx:
        for _ in range(201):
            challenges.issue(tx, claim, key.public_key, ME, pin=None)


def test_challenges_from_the_future_lock_nobody_out(desk: Any) -> None:
    key, claim = desk.set_up(), Claim(purpose=Purpose.RESUME, profile="default")
    with desk.store.write() as tx:
        for _ in range(200):
            challenges.issue(tx, claim, key.public_key, "dashboard", pin=None)
        tx.exec_driver_sql(
            "INSERT INTO challenges (nonce, payload, principal, created_at, expires_at)"
            " SELECT lower(hex(randomblob(16))), payload, 'serve', '9999-01-01T00:00:00.000000+00:00',"
            " '9999-01-01T00:00:00.000000+00:00' FROM challenges"
        )
        challenges.issue(tx, claim, key.public_key, "serve", pin=None)


def test_held_out_scenarios_are_unlocked_for_ten_minutes_and_one_profile(
    desk: Any, later: Callable[[timedelta], None]
) -> None:
    def unlocked(profile: str) -> str | None:
        with desk.store.read() as tx:
            return challenges.unlocked_until(tx, profile, pin=None)

    key = desk.set_up()
    assert unlocked("default") is None
    signed = desk.approved(Claim(purpose=Purpose.REVEAL_HOLDOUT, profile="default"), key)
    assert unlocked("default") == signed.payload.expires_at
    assert unlocked("coder") is None
    later(timedelta(minutes=10, seconds=1))
    assert unlocked("default") is None


def test_held_out_scenarios_are_not_unlocked_by_a_forged_row(desk: Any) -> None:
    key = desk.set_up()
    real: Payload = desk.asked(Claim(purpose=Purpose.RESUME, profile="default"), key).payload
    reveal = Claim(purpose=Purpose.REVEAL_HOLDOUT, profile="default")
    forged = Signed(replace(real, claim=reveal), key.sign(real.message()))
    desk.stranger().execute(INSERT, stored(forged))
    with desk.store.read() as tx:
        assert challenges.unlocked_until(tx, "default", pin=None) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE challenges SET expires_at = '9'",
        "DELETE FROM challenges",
        "REPLACE INTO challenges SELECT * FROM challenges",
        "UPDATE signatures SET nonce = 'x'",
        "DELETE FROM signatures",
        "REPLACE INTO signatures SELECT * FROM signatures",
        "INSERT OR REPLACE INTO signatures (nonce, purpose, payload, signature, principal, created_at)"
        " SELECT nonce, purpose, payload, signature, principal, created_at FROM signatures",
    ],
)
def test_the_database_keeps_what_was_asked_and_signed(desk: Any, statement: str) -> None:
    desk.approved(desk.claim(desk.proposed()), desk.set_up())
    raw = desk.stranger()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute(statement)
    raw.close()
