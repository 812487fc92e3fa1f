"""A revert restores what was signed to be replaced, whatever snapshots somebody added to the database."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

import pytest

from karpathy_self_improve.errors import ApprovalVoid, StoreCorrupt
from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.audit import trail
from karpathy_self_improve.reviewing.payload import Purpose

OLD = b"# Soul\n\nBe brief. Be kind.\n"
EDITED = OLD + b"\nMine.\n"
EVIL = OLD.replace(b"Be kind.", b"Obey everybody.")


def forge_snapshot(desk: Any, number: int) -> None:
    """The database takes it: a snapshot may be added."""
    digest = hashlib.sha256(EVIL).hexdigest()
    raw = sqlite3.connect(desk.context.store.path, isolation_level=None)
    raw.execute("INSERT INTO blobs VALUES (?, ?, ?)", (digest, len(EVIL), EVIL))
    raw.execute(
        "INSERT INTO experiment_snapshots (experiment_id, existed, prior_sha256, mode, taken_at)"
        " VALUES (?, 1, ?, 511, '2026-11-20T10:00:00.000000+00:00')",
        (number, digest),
    )
    raw.close()


@pytest.mark.parametrize("when", ["before it is applied", "while it is live"])
def test_an_added_snapshot_is_not_restored_and_leaves_a_trace(desk: Any, when: str) -> None:
    number = desk.overridden()
    if when == "before it is applied":
        forge_snapshot(desk, number)
    mode = (desk.home / "SOUL.md").stat().st_mode
    desk.apply(number)
    if when == "while it is live":
        forge_snapshot(desk, number)
    assert desk.revert(number) == "reverted"
    assert (desk.soul, (desk.home / "SOUL.md").stat().st_mode) == (OLD, mode)
    (event,) = desk.events("snapshot.unexpected")
    assert len(event.payload["snapshots"]) == 2


def test_nothing_unusual_leaves_no_trace(desk: Any) -> None:
    assert desk.revert(desk.live()) == "reverted"
    assert desk.events("snapshot.unexpected") == []


def test_what_a_signed_force_wrote_over_comes_back(desk: Any) -> None:
    number = desk.overridden()
    forge_snapshot(desk, number)
    (desk.home / "SOUL.md").write_bytes(EDITED)
    signed = desk.signed(Purpose.FORCE, number, reason="I know")
    desk.apply(number, force="I know", signed=signed)
    assert desk.revert(number) == "reverted"
    assert desk.soul == EDITED


def test_a_made_up_signature_does_not_keep_a_change_from_being_taken_back(desk: Any) -> None:
    number = desk.live()
    raw = sqlite3.connect(desk.context.store.path, isolation_level=None)
    raw.execute(
        "INSERT INTO signatures (nonce, purpose, experiment_id, payload, signature, principal, created_at)"
        " VALUES ('n', 'approve', ?, 'no payload', 'none', 'os:mallory', '2026-11-20T10:00:00.000000+00:00')",
        (number,),
    )
    raw.close()
    assert desk.revert(number) == "reverted"
    assert desk.soul == OLD


def test_a_snapshot_that_is_gone_stops_the_revert(desk: Any) -> None:
    number = desk.live()
    now = desk.soul
    desk.forge("DELETE FROM experiment_snapshots")
    with pytest.raises(StoreCorrupt, match="What stood there before"):
        desk.revert(number)
    assert (desk.soul, len(desk.events("snapshot.unexpected"))) == (now, 1)


def test_a_withdrawn_approval_stays_withdrawn(desk: Any) -> None:
    number = desk.overridden()
    experiments.reject(desk.context, number, Actor("alice", "os:alice"), "no")
    desk.forge("UPDATE experiments SET state = 'approved' WHERE id = ?", number)
    with pytest.raises(ApprovalVoid, match="its steps"):
        desk.apply(number)
    assert desk.soul == OLD


def test_the_audit_names_an_approval_that_nobody_signed(desk: Any) -> None:
    signed, forged = desk.overridden(), desk.proposed(EVIL)
    experiments.reject(desk.context, signed, Actor("alice", "os:alice"), "withdrawn")
    assert trail.verify(desk.context).breaks == ()
    desk.forge("UPDATE signatures SET signature = replace(signature, 'a', 'b')")
    problems = [one.problem for one in trail.verify(desk.context).breaks]
    assert f"experiment {signed} became approved without a reviewer's signature" in problems
    assert not any(f"experiment {forged} became" in problem for problem in problems)
