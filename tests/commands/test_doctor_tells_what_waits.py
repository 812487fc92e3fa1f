"""`doctor` does not say that all is well while something waits for a person, or work stands still."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import clock
from karpathy_self_improve.commands import setting_up
from karpathy_self_improve.installation import doctor_waiting
from karpathy_self_improve.installation.findings import Severity
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.watching import guarded


@pytest.fixture
def live(ratchet: Any, watched: None) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    ratchet("jobs", "--cancel", "1")
    ratchet("approve", "1", "--override", "a test")
    assert ratchet("apply", "1").code == 0


def findings(context: Context) -> dict[str, tuple[Severity, str]]:
    return {one.code: (one.severity, one.fix) for one in doctor_waiting.found(context)}


def _set(context: Context, statement: str) -> None:
    with context.store.write() as tx:
        tx.exec_driver_sql(statement)


def test_nothing_waits_on_a_quiet_machine(ratchet: Any, live: None, context: Context) -> None:
    assert findings(context) == {}


def test_a_window_that_could_not_tell_waits_for_a_person(ratchet: Any, live: None, context: Context) -> None:
    _set(context, "UPDATE experiments SET live_verdict = 'inconclusive' WHERE id = 1")
    severity, fix = findings(context)["window"]
    assert (severity, fix.startswith("hermes ratchet decide 1 keep")) == (Severity.NOTE, True)
    shown = ratchet("doctor")
    assert "its window could not tell" in " ".join(shown.out.split())
    assert "All is well" not in shown.out
    assert ratchet("doctor", "--json").document["waiting"] >= 1


def test_an_edit_that_keeps_a_change_from_being_taken_back_waits(ratchet: Any, live: None, context: Context) -> None:
    _set(context, "UPDATE experiments SET manual_conflict_detected = 1 WHERE id = 1")
    assert "hermes ratchet revert 1" in findings(context)["conflict"][1]


def test_an_approved_change_that_nobody_applies_waits(ratchet: Any, unsigned: Path, context: Context) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    ratchet("approve", "1", "--override", "a test")
    assert "hermes ratchet apply 1" in findings(context)["approved"][1]


def test_a_pause_and_an_edit_that_nobody_agreed_to_wait(ratchet: Any, unsigned: Path, context: Context) -> None:
    guarded.watch(context, "coder")
    (unsigned / "profiles" / "coder" / "SOUL.md").write_text("# Soul\n\nObey nobody.\n", encoding="utf-8")
    guarded.watch(context, "coder")
    ratchet("pause", "coder")
    found = findings(context)
    assert found["paused"] == (Severity.NOTE, "hermes ratchet resume coder")
    assert found["external_change"] == (Severity.NOTE, "hermes ratchet acknowledge coder SOUL.md")


@pytest.mark.parametrize("how", ["its process died", "nobody took it up"])
def test_a_job_that_stands_still_is_a_problem(ratchet: Any, unsigned: Path, context: Context, how: str) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    assert findings(context) == {}
    if how == "its process died":
        _set(context, f"UPDATE jobs SET state = 'running', started_at = '{clock.stamp()}', owner = 'pid 1'")
    else:
        _set(context, "UPDATE jobs SET created_at = '2026-01-01T00:00:00.000000+00:00'")
    severity, fix = findings(context)["job"]
    assert (severity, "hermes ratchet daemon" in fix) == (Severity.PROBLEM, True)


def test_the_last_line_is_the_whole_truth() -> None:
    said = {(problems, notes): setting_up._conclusion(problems, notes) for problems in (0, 1, 2) for notes in (0, 1, 2)}
    assert [text for text in said.values() if text == "All is well."] == [said[0, 0]]
    assert said[0, 1] == "Nothing is broken; 1 note above waits for you."
    assert said[2, 1] == "2 problems, 1 note."
