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


@pytest.mark.parametrize(
    "words",
    [
        ("pause", ""),
        ("resume", ""),
        ("status", "--target", ""),
        ("list", "--target", ""),
        ("scenario", "list", "--target", ""),
        ("changes", ""),
        ("metrics", ""),
        ("new", "--target", "", "--replace", "Be brief.", "Be kind."),
        ("scenario", "add", "--target", "", "--name", "a", "--input", "Hi"),
    ],
)
def test_an_empty_name_is_no_profile(ratchet: Any, unsigned: Path, context: Context, words: tuple[str, ...]) -> None:
    """A script's variable that is not set must not pause, or show, another profile."""
    done = ratchet(*words)
    assert (done.code, "There is no profile ''" in done.err) == (2, True), done
    assert not controls.get(context, "default").paused


def test_an_answer_names_the_profile_that_nobody_named(ratchet: Any, unsigned: Path) -> None:
    assert "Profile default (the active one; none was named) is paused." in " ".join(ratchet("pause").out.split())
    assert "Profile default goes on." in ratchet("resume", "default").out


def test_a_word_too_many_is_answered_with_the_help_of_the_command_it_was_given_to(ratchet: Any) -> None:
    assert (
        "Unrecognized arguments: bob. See: hermes ratchet reviewer list --help"
        in ratchet("reviewer", "list", "bob").err
    )
    assert "See: hermes ratchet show --help" in ratchet("show", "1", "--nonsense").err


def test_a_step_that_is_not_possible_names_the_commands_of_those_that_are(ratchet: Any, watched: None) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    ratchet("approve", "1", "--override", "a typo")
    ratchet("apply", "1")
    said = " ".join(ratchet("reject", "1").err.split())
    assert "To do that: hermes ratchet revert 1 or hermes ratchet verify 1" in said


def test_a_file_that_is_not_there_is_named_once(ratchet: Any, unsigned: Path) -> None:
    said = ratchet("new", "--content", "/nonexistent").err
    assert said.count("/nonexistent") == 1
    assert "Errno" not in said


def test_a_wrong_check_is_told_in_words_of_ours(ratchet: Any, unsigned: Path) -> None:
    checks = '[{"type": "regex", "value": "("}]'
    assert "Value error" not in ratchet("scenario", "add", "--name", "a", "--input", "Hi", "--checks", checks).err


def test_a_scenario_that_asks_nothing_is_refused_and_one_that_checks_nothing_says_so(
    ratchet: Any, unsigned: Path
) -> None:
    for nothing in ("", " \n"):
        done = ratchet("scenario", "add", "--name", "a", "--input", nothing)
        assert (done.code, "needs an input" in done.err) == (2, True)
    assert "without checks" in ratchet("scenario", "add", "--name", "a", "--input", "Hi").out


@pytest.mark.parametrize(
    "text", ["x: " + "[" * 3000 + "]" * 3000, "x: " + "9" * 5000, "x: 2020-99-99"], ids=["deep", "number", "date"]
)
def test_a_configuration_that_python_cannot_hold_is_a_sentence(ratchet: Any, unsigned: Path, text: str) -> None:
    (unsigned / "config.yaml").write_text(text)
    done = ratchet("status")
    assert (done.code, "config.yaml" in done.err, "should not happen" in done.err) == (2, True, False), done


def test_without_reviewers_there_is_no_fingerprint(ratchet: Any, unsigned: Path) -> None:
    assert ratchet("reviewer", "list", "--json").document["fingerprint"] is None
