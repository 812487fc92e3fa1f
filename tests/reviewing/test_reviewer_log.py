"""Nobody becomes a reviewer, or stops being one, without a reviewer's signature; what was forged is found and named."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from karpathy_self_improve import clock
from karpathy_self_improve.reviewing import changes, reviewers
from karpathy_self_improve.reviewing.keys import SigningKey
from karpathy_self_improve.reviewing.payload import Claim, Purpose
from karpathy_self_improve.reviewing.refusals import (
    NoReviewer,
    ReviewersChanged,
    ReviewersTampered,
    SignatureRefused,
)
from karpathy_self_improve.reviewing.reviewers import ReviewerSet

ME = "os:me"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
INSERT = (
    "INSERT INTO reviewer_changes (kind, payload, signature, nonce, fingerprint, principal, created_at)"
    " VALUES (:kind, :payload, :signature, :nonce, :fingerprint, :principal, :created_at)"
)


def names(found: ReviewerSet) -> list[str]:
    return sorted(one.name for one in found.members)


def row(desk: Any, number: int) -> dict[str, Any]:
    with desk.store.read() as tx:
        found = tx.execute(text("SELECT * FROM reviewer_changes WHERE id = :id"), {"id": number}).one()
    return {name: value for name, value in found._mapping.items() if name != "id"}


def require(desk: Any, pin: str | None = None) -> ReviewerSet:
    with desk.store.read() as tx:
        return reviewers.require(tx, pin)


def test_without_reviewers_nobody_can_sign(desk: Any) -> None:
    assert desk.reviewers().fingerprint == EMPTY
    with pytest.raises(NoReviewer):
        require(desk)


def test_the_first_reviewer_is_the_set_up_and_is_announced(desk: Any) -> None:
    key = desk.set_up()
    found = require(desk)
    assert [(one.name, one.public_key) for one in found.members] == [("alice", key.public_key)]
    (event,) = desk.events("reviewers.setup")
    assert event.payload["fingerprint"] == found.fingerprint != EMPTY


def test_a_second_first_reviewer_is_refused(desk: Any) -> None:
    desk.set_up()
    _, mallory = desk.new_key("mallory")
    with pytest.raises(SignatureRefused, match="second first reviewer"):
        changes.set_up(desk.store, mallory, "mallory", ME)
    assert names(require(desk)) == ["alice"]


def test_of_two_that_want_to_be_first_at_once_one_is(desk: Any) -> None:
    candidates = [desk.new_key(name)[1] for name in ("alice", "mallory")]
    refused: list[Exception] = []

    def try_it(number: int) -> None:
        try:
            changes.set_up(desk.store, candidates[number], f"r{number}", ME)
        except SignatureRefused as error:
            refused.append(error)

    threads = [threading.Thread(target=try_it, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert len(require(desk).members) == 1


def test_reviewers_add_rotate_and_remove_one_another(desk: Any) -> None:
    alice = desk.set_up()
    bob = desk.added(alice, "bob")
    first = require(desk).fingerprint
    _, fresh = desk.new_key("alice")
    changes.rotate(desk.store, alice, fresh.public_key, "alice", ME)
    assert names(require(desk)) == ["alice", "bob"]
    assert require(desk).fingerprint != first
    changes.remove(desk.store, fresh, bob.public_key, ME)
    assert [one.public_key for one in require(desk).members] == [fresh.public_key]
    assert [event.kind for event in desk.events("reviewers.rotate") + desk.events("reviewers.remove")] == [
        "reviewers.rotate",
        "reviewers.remove",
    ]


def test_who_was_removed_or_rotated_away_vouches_for_nobody(desk: Any) -> None:
    alice = desk.set_up()
    bob = desk.added(alice, "bob")
    changes.remove(desk.store, alice, bob.public_key, ME)
    _, fresh = desk.new_key("alice")
    changes.rotate(desk.store, alice, fresh.public_key, "alice", ME)
    for former in (alice, bob):
        with pytest.raises(SignatureRefused, match="not signed by a reviewer"):
            changes.add(desk.store, former, desk.new_key("eve")[1].public_key, "eve", ME)


@pytest.mark.parametrize("change", ["add", "rotate", "remove"])
def test_a_stranger_changes_nothing(desk: Any, change: str) -> None:
    alice = desk.set_up()
    desk.added(alice, "bob")
    _, mallory = desk.new_key("mallory")
    tries: dict[str, Callable[[], object]] = {
        "add": lambda: changes.add(desk.store, mallory, mallory.public_key, "mallory", ME),
        "rotate": lambda: changes.rotate(desk.store, mallory, "ab" * 32, "alice", ME),
        "remove": lambda: changes.remove(desk.store, mallory, alice.public_key, ME),
    }
    with pytest.raises(SignatureRefused, match="not signed by a reviewer"):
        tries[change]()
    assert names(require(desk)) == ["alice", "bob"]


def test_the_last_reviewer_cannot_be_removed(desk: Any) -> None:
    alice = desk.set_up()
    with pytest.raises(SignatureRefused, match="last reviewer"):
        changes.remove(desk.store, alice, alice.public_key, ME)
    assert names(require(desk)) == ["alice"]


def test_a_name_and_a_key_are_there_once(desk: Any) -> None:
    alice = desk.set_up()
    _, other = desk.new_key("bob")
    with pytest.raises(SignatureRefused, match="name that is there"):
        changes.add(desk.store, alice, other.public_key, "alice", ME)
    with pytest.raises(SignatureRefused, match="key that is there"):
        changes.add(desk.store, alice, alice.public_key, "bob", ME)
    with pytest.raises(SignatureRefused, match="no reviewer"):
        changes.remove(desk.store, alice, other.public_key, ME)


def test_a_reviewer_cannot_rotate_into_the_name_of_another(desk: Any) -> None:
    alice = desk.set_up()
    bob = desk.added(alice, "bob")
    with pytest.raises(SignatureRefused, match="somebody else"):
        changes.rotate(desk.store, bob, "ab" * 32, "alice", ME)


def test_a_reset_starts_anew_and_is_loud(desk: Any) -> None:
    alice = desk.set_up()
    pin = require(desk).fingerprint
    _, carol = desk.new_key("carol")
    changes.reset(desk.store, carol, "carol", ME)
    found = require(desk)
    assert [one.public_key for one in found.members] == [carol.public_key]
    (event,) = desk.events("reviewers.reset")
    assert event.payload["fingerprint"] == found.fingerprint
    with pytest.raises(ReviewersChanged, match=pin):
        require(desk, pin)
    with pytest.raises(SignatureRefused):
        changes.add(desk.store, alice, alice.public_key, "alice", ME)


def test_the_pinned_set_is_accepted_and_every_other_is_not(desk: Any) -> None:
    alice = desk.set_up()
    pin = require(desk).fingerprint
    assert names(require(desk, pin)) == ["alice"]
    desk.added(alice, "bob")
    with pytest.raises(ReviewersChanged):
        require(desk, pin)


FORGERIES: dict[str, Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]] = {
    "the signature of another row": lambda own, other: {**own, "signature": other["signature"]},
    "no signature": lambda own, other: {**own, "signature": ""},
    "another key in the payload": lambda own, other: {
        **own,
        "payload": own["payload"].replace('"name":"bob"', '"name":"eve"'),
    },
    "another kind": lambda own, other: {**own, "kind": "remove"},
    "a rotation made of an addition": lambda own, other: {**own, "kind": "rotate"},
    "a reset made of an addition": lambda own, other: {**own, "kind": "reset"},
    "a wrong fingerprint": lambda own, other: {**own, "fingerprint": "ab" * 32},
    "another nonce": lambda own, other: {**own, "nonce": "ab" * 16},
    "a payload that is none": lambda own, other: {**own, "payload": "{}"},
    "written after it expired": lambda own, other: {**own, "created_at": clock.stamp(clock.now() + timedelta(1))},
    "written at no time": lambda own, other: {**own, "created_at": "2000"},
    "a reset made of an addition, well done": lambda own, other: {
        **own,
        "kind": "reset",
        "fingerprint": fingerprint_of([json.loads(own["payload"])["key"]]),
    },
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_row_leaves_no_reviewers_and_is_named(desk: Any, how: str) -> None:
    alice = desk.set_up()
    desk.added(alice, "bob")
    forged = FORGERIES[how](row(desk, 2), row(desk, 1))
    columns = ", ".join(f"{name} = :{name}" for name in forged)
    desk.forge((f"UPDATE reviewer_changes SET {columns} WHERE id = 2", forged))
    with pytest.raises(ReviewersTampered, match="row 2"):
        require(desk)
    with pytest.raises(ReviewersTampered, match="row 2"):
        changes.add(desk.store, alice, "ab" * 32, "eve", ME)


def test_a_row_inserted_with_sql_leaves_no_reviewers_and_a_trace(desk: Any) -> None:
    desk.set_up()
    forged = {**row(desk, 1), "kind": "add", "nonce": "ab" * 16}
    desk.stranger().execute(INSERT, forged)
    with pytest.raises(ReviewersTampered, match="row 2"):
        require(desk)
    assert [event.payload["id"] for event in desk.events("reviewers.add")] == [2]


def drafted(desk: Any, signer: SigningKey, **claimed: Any) -> dict[str, Any]:
    """The row of an addition that ``signer`` signs today."""
    claim = Claim(purpose=Purpose.REVIEWER_ADD, **claimed)
    with desk.store.read() as tx:
        payload = changes._draft(tx, desk.reviewers(), claim, signer.public_key)
    members = [*(one.public_key for one in desk.reviewers().members), claimed["key"]]
    return {
        "kind": "add",
        "payload": payload.text(),
        "signature": signer.sign(payload.message()),
        "nonce": payload.nonce,
        "fingerprint": fingerprint_of(members),
        "principal": ME,
        "created_at": clock.stamp(),
    }


def fingerprint_of(public_keys: list[str]) -> str:
    return hashlib.sha256(b"".join(sorted(map(bytes.fromhex, public_keys)))).hexdigest()


def test_a_row_of_ones_own_signed_by_oneself_is_no_addition(desk: Any) -> None:
    """Mallory does everything right but being a reviewer."""
    desk.set_up()
    _, mallory = desk.new_key("mallory")
    desk.stranger().execute(INSERT, drafted(desk, mallory, key=mallory.public_key, name="mallory"))
    with pytest.raises(ReviewersTampered, match="not signed by a reviewer"):
        require(desk)


def test_a_signature_for_an_earlier_set_is_not_kept_for_later(desk: Any) -> None:
    """Alice signs an addition, thinks better of it, and lets others in; then the old signature is put in."""
    alice = desk.set_up()
    old = drafted(desk, alice, key="ab" * 32, name="eve")
    bob = desk.added(alice, "bob")
    after = fingerprint_of([alice.public_key, bob.public_key, "ab" * 32])
    desk.stranger().execute(INSERT, {**old, "fingerprint": after})
    with pytest.raises(ReviewersTampered, match="another set"):
        require(desk)


def test_a_signed_replacement_is_not_written_as_an_addition(desk: Any) -> None:
    alice = desk.set_up()
    row = drafted(desk, alice, key="ab" * 32, name="alice2", replaces=alice.public_key)
    desk.stranger().execute(INSERT, row)
    with pytest.raises(ReviewersTampered, match="something else"):
        require(desk)


def test_the_set_up_replayed_is_noticed(desk: Any) -> None:
    """Whoever was first, and was removed, puts their old row in again."""
    alice = desk.set_up()
    bob = desk.added(alice, "bob")
    changes.remove(desk.store, bob, alice.public_key, ME)
    for kind in ("add", "reset"):
        replayed = {**row(desk, 1), "kind": kind, "nonce": f"{kind:a<32}"}
        desk.forge((INSERT, replayed))
        with pytest.raises(ReviewersTampered, match="row 4"):
            require(desk)
        desk.forge(("DELETE FROM reviewer_changes WHERE id > 3", {}), ("UPDATE sqlite_sequence SET seq = 3", {}))
        assert names(require(desk)) == ["bob"]


@pytest.mark.parametrize(("gone", "named"), [(1, "rows 1 to 1"), (2, "rows 2 to 2"), (3, "rows 3 to 3")])
def test_a_row_that_is_missing_is_named(desk: Any, gone: int, named: str) -> None:
    alice = desk.set_up()
    bob = desk.added(alice, "bob")
    changes.remove(desk.store, alice, bob.public_key, ME)
    desk.forge(("DELETE FROM reviewer_changes WHERE id = :id", {"id": gone}))
    with pytest.raises(ReviewersTampered, match=named):
        require(desk)


def test_an_emptied_log_is_no_fresh_start(desk: Any) -> None:
    desk.set_up()
    desk.forge(("DELETE FROM reviewer_changes", {}))
    _, mallory = desk.new_key("mallory")
    with pytest.raises(ReviewersTampered):
        changes.set_up(desk.store, mallory, "mallory", ME)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE reviewer_changes SET signature = '' WHERE id = 2",
        "DELETE FROM reviewer_changes WHERE id = 1",
        "DELETE FROM reviewer_changes WHERE id = 2",
        "DELETE FROM reviewer_changes",
    ],
)
def test_after_a_reset_a_tampered_log_works_again(desk: Any, damage: str) -> None:
    alice = desk.set_up()
    desk.added(alice, "bob")
    desk.forge((damage, {}))
    _, carol = desk.new_key("carol")
    changes.reset(desk.store, carol, "carol", ME)
    assert names(require(desk)) == ["carol"]
    desk.added(carol, "dave")
    assert names(require(desk)) == ["carol", "dave"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reviewer_changes SET principal = 'x'",
        "DELETE FROM reviewer_changes",
        "REPLACE INTO reviewer_changes SELECT * FROM reviewer_changes",
        "INSERT OR REPLACE INTO reviewer_changes (kind, payload, signature, nonce, fingerprint, principal, created_at)"
        " SELECT 'reset', payload, signature, nonce, fingerprint, principal, created_at FROM reviewer_changes",
        "UPDATE OR REPLACE reviewer_changes SET id = 2 WHERE id = 1",
        "INSERT INTO reviewer_changes SELECT * FROM reviewer_changes WHERE true"
        " ON CONFLICT (id) DO UPDATE SET principal = 'x'",
        "INSERT INTO reviewer_changes (kind, payload, signature, nonce, fingerprint, principal, created_at)"
        " VALUES ('setup', '', '', 'n', '', '', '')",
    ],
)
def test_the_database_refuses_to_rewrite_the_log(desk: Any, statement: str) -> None:
    alice = desk.set_up()
    desk.added(alice, "bob")
    before = [row(desk, number) for number in (1, 2)]
    raw = desk.stranger()
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(statement)
    raw.close()
    assert [row(desk, number) for number in (1, 2)] == before
    assert names(require(desk)) == ["alice", "bob"]


def test_no_row_gets_in_before_the_newest(desk: Any) -> None:
    alice = desk.set_up()
    desk.added(alice, "bob")
    fresh = desk.stranger()
    fresh.execute("DROP TRIGGER tr_reviewer_changes_no_delete")
    fresh.execute("DELETE FROM reviewer_changes WHERE id = 1")
    with pytest.raises(sqlite3.IntegrityError, match="after all others"):
        fresh.execute(
            INSERT.replace("(kind", "(id, kind").replace("(:kind", "(1, :kind"), {**row(desk, 2), "nonce": "n"}
        )
