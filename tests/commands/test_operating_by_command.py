"""Status, pause, audit and daemon by typed commands."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import controls
from karpathy_self_improve.ratchet.context import Context


def test_status_tells_a_newcomer_what_is_missing(ratchet: Any, unsigned: Path) -> None:
    shown = ratchet("status").out
    assert "UNSIGNED" in shown
    assert "silent, never started" in shown
    assert shown.count("unmeasured") == 2
    document = ratchet("status", "--json").document
    assert document["daemon"] == {"alive": False, "heartbeat_at": None, "pid": None}
    assert [p["state"] for p in document["profiles"]] == ["idle", "idle"]


def test_status_follows_a_change(ratchet: Any, watched: None) -> None:
    def state() -> str:
        return str(ratchet("status", "--target", "default", "--json").document["profiles"][0]["state"])

    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    assert state() == "proposed"
    ratchet("approve", "1", "--override", "a typo")
    assert state() == "approved"
    ratchet("apply", "1")
    assert state() == "live"
    assert "1: SOUL.md, 0/30" in ratchet("status").out
    assert ratchet("status", "--json").document["daemon"]["alive"] is True
    ratchet("revert", "1")
    assert state() == "idle"


def test_status_shows_a_profile_that_keeps_failing(ratchet: Any, unsigned: Path, context: Context) -> None:
    controls.note_failure(context, "coder", RuntimeError("the disk is gone"))
    found = ratchet("status", "--target", "coder", "--json").document["profiles"][0]
    assert (found["state"], found["failures"], found["last_error"]) == ("backing off", 1, "the disk is gone")
    assert "the disk is gone" in ratchet("status").out


def test_a_paused_profile_refuses_changes_until_it_is_resumed(ratchet: Any, unsigned: Path) -> None:
    ratchet("new", "--target", "coder", "--replace", "Be brief.", "Be very brief.")
    assert ratchet("pause", "coder").code == 0
    assert ratchet("status", "--target", "coder", "--json").document["profiles"][0]["state"] == "paused"
    refused = ratchet("approve", "1", "--override", "a typo")
    assert refused.code == 3
    assert "hermes ratchet resume coder" in refused.err
    assert ratchet("resume", "coder").code == 0
    assert ratchet("approve", "1", "--override", "a typo").code == 0


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_profile_that_is_not_there_cannot_be_paused(ratchet: Any, unsigned: Path, command: str) -> None:
    done = ratchet(command, "nobody", "--json")
    assert (done.code, done.document["code"]) == (2, "unknown_profile")


def test_a_broken_audit_chain_is_exit_1(ratchet: Any, unsigned: Path, context: Context) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    assert ratchet("audit", "verify").code == 0
    database = sqlite3.connect(context.store.path)
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f"DROP TRIGGER {name}")
    database.execute("UPDATE experiment_state_transitions SET actor = 'somebody else'")
    database.commit()
    database.close()
    done = ratchet("audit", "verify")
    assert done.code == 1
    assert "BROKEN" in done.out
    assert ratchet("audit", "verify", "--json").document["ok"] is False


def test_one_round_of_the_daemon_applies_what_was_approved(ratchet: Any, unsigned: Path) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    ratchet("reject", "1")
    ratchet("jobs", "--cancel", "1")
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    ratchet("jobs", "--cancel", "2")
    ratchet("approve", "2", "--override", "a typo")
    done = ratchet("daemon", "--once")
    assert (done.code, done.out) == (0, "")
    assert "experiment 2 is live" in done.err
    assert "Be very brief." in (unsigned / "SOUL.md").read_text(encoding="utf-8")
