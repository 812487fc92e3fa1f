"""Whatever somebody edits in the rows beside the chain is found: columns that were signed, gaps, wiped logs."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from karpathy_self_improve import schema
from karpathy_self_improve.ratchet.audit import trail
from karpathy_self_improve.reviewing import changes
from karpathy_self_improve.reviewing.payload import Purpose

OLD = b"# Soul\n\nBe brief. Be kind.\n"


def edited(desk: Any, *statements: str) -> list[str]:
    """What the audit finds after somebody took the triggers away, edited rows, and put the triggers back."""
    assert trail.verify(desk.context).breaks == ()
    raw = sqlite3.connect(desk.context.store.path, isolation_level=None)
    for name in schema.TRIGGERS:
        raw.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        raw.execute(statement)
    for ddl in schema.TRIGGERS.values():
        raw.execute(ddl)
    raw.close()
    return [one.problem for one in trail.verify(desk.context).breaks]


def test_a_whole_life_that_was_signed_is_whole(desk: Any) -> None:
    number = desk.verified()
    reason = "taken back"
    desk.revert(number, signed=desk.signed(Purpose.REVERT_VERIFIED, number, reason=reason))
    desk.apply(desk.approved(OLD.replace(b"Be brief.", b"Be very brief.")))
    assert trail.verify(desk.context).breaks == ()


def test_a_forced_life_is_whole(desk: Any) -> None:
    number = desk.overridden()
    (desk.home / "SOUL.md").write_bytes(OLD + b"\nMine.\n")
    desk.apply(number, force="mine", signed=desk.signed(Purpose.FORCE, number, reason="mine"))
    (desk.home / "SOUL.md").write_bytes(OLD + b"\nAgain.\n")
    desk.revert(number, force=True, signed=desk.signed(Purpose.FORCE, number, reason="taken back"))
    assert desk.soul == OLD + b"\nMine.\n"
    assert trail.verify(desk.context).breaks == ()


@pytest.mark.parametrize("table", ["signature_attempts", "events", "signatures", "approvals", "file_operations"])
def test_rows_that_are_gone(desk: Any, table: str) -> None:
    desk.live()
    found = edited(desk, f"DELETE FROM {table}")
    assert any(one.startswith(f"{table}: it ends at row 0, but its rows were numbered up to ") for one in found)


def test_one_row_that_is_gone(desk: Any) -> None:
    desk.live()
    found = edited(desk, "DELETE FROM events WHERE id = 2")
    assert [one for one in found if one.startswith("events: 1 of the rows up to ")]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("actor = 'bob'", "approval 1 names somebody else than its step of the chain"),
        ("principal = 'reviewer:bob'", "approval 1 is not what was signed"),
        ("plan_sha256 = 'x'", "approval 1 names another live plan than the one that is kept"),
        ("override_reason = 'other'", "approval 1 is not the one that its step of the chain speaks of"),
        ("mode = 'unsigned'", "approval 1 is not the one that its step of the chain speaks of"),
        ("relpath = 'USER.md'", "approval 1 is of another change than its experiment"),
        ("expires_at = '9999'", "approval 1 is not what was signed"),
        ("audit_head = '0 '", "approval 1 is not what was signed"),
        ("nonce = 'x'", "approval 1 is not what was signed"),
    ],
)
def test_an_approval_that_was_edited(desk: Any, change: str, problem: str) -> None:
    desk.live()
    assert problem in edited(desk, f"UPDATE approvals SET {change}")


@pytest.mark.parametrize("change", ["purpose = 'decide'", "profile = 'other'", "experiment_id = NULL", "nonce = 'x'"])
def test_a_signature_whose_columns_were_edited(desk: Any, change: str) -> None:
    desk.live()
    assert "the row of signature 1 does not say what was signed" in edited(desk, f"UPDATE signatures SET {change}")


def test_a_signed_report_that_is_gone(desk: Any) -> None:
    desk.approved()
    found = edited(desk, "DELETE FROM reports", "DELETE FROM sqlite_sequence WHERE name = 'reports'")
    assert found == ["the report that approval 1 rests on is gone"]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE experiments SET diff = 'a nicer one'", "the diff of experiment 1 is not that of its content"),
        ("UPDATE experiments SET approved_by = 'bob'", "experiment 1 names somebody else as the one who approved it"),
        (
            "UPDATE experiments SET live_verdict = 'verified'",
            "the window of experiment 1 is verified, but its event says nothing",
        ),
        (
            "UPDATE experiment_snapshots SET prior_sha256 = (SELECT candidate_sha256 FROM experiments)",
            "snapshot 1 is not what the operation that made experiment 1 live wrote over",
        ),
        (
            "UPDATE file_operations SET new_sha256 = expected_sha256",
            "file operation 1 wrote other content than that of experiment 1",
        ),
        ("UPDATE file_operations SET commit_sha = 'x'", "file operation 1 is no step that experiment 1 took"),
    ],
)
def test_other_rows_that_were_edited(desk: Any, statement: str, problem: str) -> None:
    desk.live()
    assert problem in edited(desk, statement)


def test_reviewers_that_were_wiped_with_everything_about_them(desk: Any) -> None:
    desk.live()
    gone = ("reviewer_changes", "signatures", "challenges", "signature_attempts")
    found = edited(
        desk,
        *(f"DELETE FROM {table}" for table in gone),
        *(f"DELETE FROM sqlite_sequence WHERE name = '{table}'" for table in gone),
        "UPDATE approvals SET mode = 'unsigned'",
    )
    assert "was signed by a reviewer, but the log of reviewers is empty" in found


def test_reviewers_other_than_the_pinned_ones_are_named(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATCHET_REVIEWERS", desk.reviewers().fingerprint)
    assert trail.verify(desk.context).notes == ()
    changes.reset(desk.context.store, desk.anothers(), "mallory", "os:mallory")
    found = trail.verify(desk.context)
    assert [note.partition(" by ")[0].partition(":")[0] for note in found.notes] == [
        "the reviewers were set up anew",
        "the reviewers are not those that are pinned",
    ]


def test_reviewers_who_are_pinned_and_gone(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATCHET_REVIEWERS", desk.reviewers().fingerprint)
    found = edited(desk, "DELETE FROM reviewer_changes", "DELETE FROM sqlite_sequence WHERE name = 'reviewer_changes'")
    assert "reviewers are pinned, but the log of reviewers is empty" in found
