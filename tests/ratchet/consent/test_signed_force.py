"""Whatever writes over a person's edit, or takes a proven change back, is signed for exactly that."""

from __future__ import annotations

from typing import Any

import pytest

from karpathy_self_improve.errors import ApprovalVoid, FileDrifted, GitRefused, StoreCorrupt
from karpathy_self_improve.ratchet import blobs, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.reviewing import changes
from karpathy_self_improve.reviewing.payload import Purpose
from karpathy_self_improve.reviewing.refusals import NoReviewer, SignatureRefused
from karpathy_self_improve.watching import guarded, waiting

SOMEBODY = Actor("somebody", "os:somebody")
OLD = b"# Soul\n\nBe brief. Be kind.\n"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
EDITED = OLD + b"\nMine.\n"
UNSIGNED = "plugins: {entries: {karpathy-self-improve: {approval: unsigned}}}\n"
REASON = "taken back"


def edit(desk: Any, content: bytes = EDITED) -> None:
    (desk.home / "SOUL.md").write_bytes(content)


# --- taking back


def test_a_live_change_is_taken_back_without_a_signature(desk: Any) -> None:
    number = desk.live()
    assert desk.revert(number) == "reverted"
    assert desk.soul == OLD


def test_a_verified_change_is_taken_back_by_a_reviewer_only(desk: Any) -> None:
    number = desk.verified()
    with pytest.raises(SignatureRefused):
        desk.revert(number)
    assert (desk.experiment(number).state, desk.soul) == ("verified", NEW)
    assert desk.events("consent.refused")[-1].payload["purpose"] == "revert-verified"
    assert desk.revert(number, signed=desk.signed(Purpose.REVERT_VERIFIED, number, reason=REASON)) == "reverted"
    step = experiments.transitions(desk.context, number)[-1]
    assert (step.actor, step.principal) == ("alice", f"reviewer:{desk.key.public_key[:16]}")
    assert desk.soul == OLD


def test_the_reason_of_taking_back_is_part_of_what_is_signed(desk: Any) -> None:
    number = desk.verified()
    with pytest.raises(SignatureRefused, match="reason"):
        desk.revert(number, signed=desk.signed(Purpose.REVERT_VERIFIED, number, reason="another"))
    assert desk.soul == NEW


def test_an_edited_file_is_overwritten_only_with_a_signed_force(desk: Any) -> None:
    number = desk.live()
    edit(desk)
    with pytest.raises(FileDrifted, match="--force"):
        desk.revert(number)
    with pytest.raises(SignatureRefused):
        desk.revert(number, force=True)
    assert desk.soul == EDITED
    assert desk.revert(number, force=True, signed=desk.signed(Purpose.FORCE, number, reason=REASON)) == "reverted"
    assert desk.soul == OLD
    with desk.context.store.read() as tx:
        kept = [bytes(row[0]) for row in tx.exec_driver_sql("SELECT content FROM blobs")]
    assert EDITED in kept


def test_a_force_is_signed_for_the_file_as_it_was_found(desk: Any) -> None:
    number = desk.live()
    edit(desk)
    signed = desk.signed(Purpose.FORCE, number, reason=REASON)
    edit(desk, b"# Mine, and newer\n")
    with pytest.raises(SignatureRefused, match="found_sha256"):
        desk.revert(number, force=True, signed=signed)
    assert desk.soul == b"# Mine, and newer\n"


def test_a_file_that_somebody_removed_is_put_back_by_force(desk: Any) -> None:
    number = desk.live()
    (desk.home / "SOUL.md").unlink()
    assert desk.revert(number, force=True, signed=desk.signed(Purpose.FORCE, number, reason=REASON)) == "reverted"
    assert desk.soul == OLD


def test_a_signature_is_not_used_up_by_a_git_that_is_not_ready(desk: Any) -> None:
    number = desk.verified()
    signed = desk.signed(Purpose.REVERT_VERIFIED, number, reason=REASON)
    (git_dir,) = (desk.context.data / "git").iterdir()
    lock = git_dir / "MERGE_HEAD"
    lock.write_text("0" * 40)
    with pytest.raises(GitRefused):
        desk.revert(number, signed=signed)
    lock.unlink()
    assert desk.revert(number, signed=signed) == "reverted"


# --- putting in


def test_an_apply_over_an_edit_is_forced_by_a_reviewer_only(desk: Any) -> None:
    number = desk.overridden()
    edit(desk)
    with pytest.raises(FileDrifted):
        desk.apply(number)
    (refused,) = desk.events("apply.refused")
    assert (refused.experiment_id, refused.payload["actor"]) == (number, "somebody")
    with pytest.raises(SignatureRefused):
        desk.apply(number, force="I know")
    assert (desk.soul, desk.experiment(number).state) == (EDITED, "approved")
    signed = desk.signed(Purpose.FORCE, number, reason="I know")
    assert desk.apply(number, force="I know", signed=signed) == "live"
    assert desk.soul == NEW
    assert experiments.transitions(desk.context, number)[-1].reason.endswith("forced: I know")
    assert desk.revert(number) == "reverted"
    assert desk.soul == EDITED  # what the force wrote over comes back


def test_a_force_does_not_stand_in_for_an_approval(desk: Any) -> None:
    number = desk.overridden()
    signed = desk.signed(Purpose.FORCE, number, reason="I know")
    changes.add(desk.context.store, desk.key, desk.anothers("bob").public_key, "bob", "os:alice")
    with pytest.raises(ApprovalVoid):
        desk.apply(number, force="I know", signed=signed)
    assert desk.soul == OLD


def test_a_force_is_never_unsigned(desk: Any) -> None:
    desk.settings(UNSIGNED)
    desk.forge("DELETE FROM reviewer_changes")
    desk.forge("DELETE FROM sqlite_sequence")
    number = desk.proposed()
    desk.approve(number, None, override_reason="x")
    edit(desk)
    with pytest.raises(NoReviewer):
        desk.apply(number, force="I know")
    assert desk.soul == EDITED


# --- what comes back


def test_a_revert_restores_no_bytes_that_nobody_approved_on(desk: Any) -> None:
    number = desk.live()
    with desk.context.store.write() as tx:
        planted = blobs.keep(tx, b"Obey.\n")
    desk.forge("UPDATE experiment_snapshots SET prior_sha256 = ?", planted)
    desk.forge("UPDATE experiments SET base_sha256 = ?", planted)
    with pytest.raises(StoreCorrupt):
        desk.revert(number)
    assert desk.soul == NEW


def test_an_edit_that_was_signed_away_waits_for_nobody_any_more(desk: Any) -> None:
    guarded.watch(desk.context, "default")
    number = desk.live()
    guarded.watch(desk.context, "default")
    edit(desk)
    guarded.watch(desk.context, "default")
    assert [change.relpath for change in waiting.unacknowledged(desk.context, "default")] == ["SOUL.md"]
    desk.revert(number, force=True, signed=desk.signed(Purpose.FORCE, number, reason=REASON))
    guarded.watch(desk.context, "default")
    assert waiting.unacknowledged(desk.context, "default") == []


def test_taking_back_is_not_asked_for_while_a_persons_edit_is_in_the_way(desk: Any) -> None:
    number = desk.verified()
    desk.home.joinpath("SOUL.md").write_bytes(NEW + b"Mine.\n")
    with pytest.raises(FileDrifted, match="the edit was kept"):
        desk.signed(Purpose.REVERT_VERIFIED, number, reason=REASON)
