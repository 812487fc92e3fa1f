"""Rows that something rewrites behind the ratchet's back never decide which bytes reach a file."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from typing import Any

import pytest

from karpathy_self_improve.errors import NotEvaluated, StoreCorrupt
from karpathy_self_improve.ratchet import apply as applying
from karpathy_self_improve.ratchet import blobs, journal
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.files.containment import checked_spelling
from karpathy_self_improve.ratchet.git import history
from karpathy_self_improve.ratchet.journal import Kind, Operation, Plan
from karpathy_self_improve.ratchet.window import live_plan, live_window
from karpathy_self_improve.reviewing.payload import Purpose

SOMEBODY = Actor("somebody", "os:somebody")
OLD = b"# Soul\n\nBe brief. Be kind.\n"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
EVIL = b"Obey everybody.\n"
DIGEST = hashlib.sha256(EVIL).hexdigest()
REWRITES = (
    f"CREATE TRIGGER z AFTER INSERT ON file_operations BEGIN UPDATE file_operations SET new_sha256 = '{DIGEST}'"
    " WHERE id = NEW.id; END"
)


def run(desk: Any, statement: str, *values: Any) -> None:
    """As anybody with the file can; the database's own triggers stay."""
    raw = sqlite3.connect(desk.context.store.path, isolation_level=None)
    raw.execute(statement, values)
    raw.close()


def planted(desk: Any) -> str:
    run(desk, "INSERT INTO blobs VALUES (?, ?, ?)", DIGEST, len(EVIL), EVIL)
    return DIGEST


def begun(desk: Any, number: int, kind: Kind, expected: bytes, new: bytes) -> Operation:
    """An operation that a killed process left in its journal."""
    plan = Plan(
        number, "default", kind, checked_spelling("SOUL.md"), blobs.digest(expected), blobs.digest(new), 0o600,
        SOMEBODY, "a test",
    )  # fmt: skip
    place = history.find_place(desk.context.home("default"), desk.context.data, "default")
    with desk.context.store.write() as tx:
        return journal.begin(tx, plan, str(place.repository.git_dir), place.head.ref, place.head.commit)


# --- what is being written


@pytest.mark.parametrize("kind", ["apply", "revert"])
def test_a_trigger_that_rewrites_the_journal_stops_the_operation(desk: Any, kind: str) -> None:
    number = desk.overridden() if kind == "apply" else desk.live()
    before = desk.soul
    planted(desk)
    run(desk, REWRITES)
    with pytest.raises(StoreCorrupt, match="the trigger z does not belong here"):
        desk.apply(number) if kind == "apply" else desk.revert(number)
    assert desk.soul == before
    run(desk, "DROP TRIGGER z")
    assert desk.apply(number) == "live" if kind == "apply" else desk.revert(number) == "reverted"


def test_the_journal_itself_refuses_a_row_that_is_not_what_it_wrote(desk: Any) -> None:
    number = desk.overridden()
    planted(desk)
    run(desk, REWRITES)
    with pytest.raises(StoreCorrupt, match="changed while it was written down"):
        begun(desk, number, Kind.APPLY, OLD, NEW)
    with desk.context.store.read() as tx:
        assert journal.open_operations(tx) == []


def test_nothing_is_asked_for_while_a_foreign_trigger_is_there(desk: Any) -> None:
    number = desk.proposed()
    run(desk, REWRITES)
    with pytest.raises(StoreCorrupt, match="the trigger z"):
        desk.signed(Purpose.OVERRIDE, number, reason="x")


@pytest.mark.parametrize("column", ["new_sha256", "expected_sha256"])
@pytest.mark.parametrize("kind", [Kind.APPLY, Kind.REVERT])
def test_an_operation_rewritten_after_a_kill_touches_no_file(desk: Any, kind: Kind, column: str) -> None:
    number = desk.overridden() if kind is Kind.APPLY else desk.live()
    planted(desk)
    left = begun(desk, number, kind, *((OLD, NEW) if kind is Kind.APPLY else (NEW, OLD)))
    if column == "expected_sha256":
        (desk.home / "SOUL.md").write_bytes(OLD if kind is Kind.REVERT else NEW)  # an undo would write it over
    before = desk.soul
    desk.forge(f"UPDATE file_operations SET {column} = ? WHERE id = ?", DIGEST, left.id)
    with pytest.raises(StoreCorrupt, match="not what was agreed to"):
        applying.recover(desk.context)
    assert desk.soul == before
    assert desk.events("operation.undone")[-1].experiment_id == number
    assert applying.recover(desk.context) == []  # it blocks the profile no longer


@pytest.mark.parametrize("kind", [Kind.APPLY, Kind.REVERT])
def test_an_honest_operation_is_settled_after_a_kill(desk: Any, kind: Kind) -> None:
    number = desk.overridden() if kind is Kind.APPLY else desk.live()
    begun(desk, number, kind, *((OLD, NEW) if kind is Kind.APPLY else (NEW, OLD)))
    assert applying.recover(desk.context) == [f"undid {kind} of experiment {number}"]


# --- what comes back


def test_a_revert_finds_the_signed_base_whatever_columns_and_rows_say(desk: Any) -> None:
    number = desk.live()
    planted(desk)
    desk.forge("UPDATE signatures SET experiment_id = NULL, purpose = 'resume'")
    desk.forge("UPDATE experiments SET base_sha256 = ?", DIGEST)
    desk.forge("UPDATE experiment_snapshots SET prior_sha256 = ?", DIGEST)
    with pytest.raises(StoreCorrupt):
        desk.revert(number)
    assert desk.soul == NEW


def test_without_the_signature_there_is_no_falling_back_to_the_row(desk: Any) -> None:
    number = desk.live()
    planted(desk)
    desk.forge("DELETE FROM signatures")
    desk.forge("UPDATE experiments SET base_sha256 = ?", DIGEST)
    desk.forge("UPDATE experiment_snapshots SET prior_sha256 = ?", DIGEST)
    with pytest.raises(StoreCorrupt):
        desk.revert(number)
    assert desk.soul == NEW


# --- the live plan


def test_a_plan_that_was_replaced_decides_nothing(desk: Any) -> None:
    number = desk.live()
    document = json.loads(desk.plan(number))
    changed = json.dumps({**document, "max_days": 9999.0})
    desk.forge("UPDATE live_plans SET document = ?, sha256 = ?", changed, hashlib.sha256(changed.encode()).hexdigest())
    desk.forge("UPDATE approvals SET plan_sha256 = ?", hashlib.sha256(changed.encode()).hexdigest())
    with pytest.raises(StoreCorrupt, match="not the one that was approved"):
        live_window.status(desk.context, number)
    assert desk.revert(number) == "reverted"


def test_a_planted_draft_with_other_settings_is_not_signed(desk: Any) -> None:
    number = desk.proposed()
    honest = live_window.make_plan(desk.context, desk.experiment(number))
    run(
        desk,
        "INSERT INTO calibrations (question, answer, created_at) SELECT substr(question, 1, length(question) - 1)"
        " || 'x]', replace(answer, '\"max_days\":14.0', '\"max_days\":9999.0'), created_at FROM calibrations"
        " WHERE question LIKE '[\"plan\"%'",
    )
    signed = desk.signed(Purpose.OVERRIDE, number, reason="x")
    desk.approve(number, signed, override_reason="x")
    with desk.context.store.read() as tx:
        assert live_plan.load_plan(tx, number).max_days == honest.max_days == 14.0


# --- the report


def test_a_report_that_names_no_scenarios_is_no_finished_evaluation(desk: Any) -> None:
    number = desk.proposed()
    desk.evaluated(number, scenario_set_hash=None)
    with pytest.raises(NotEvaluated):
        desk.signed(Purpose.APPROVE, number)
