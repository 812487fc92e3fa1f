"""`/ratchet` in a chat: short plain answers to look at, and never an exception, whatever is typed."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.commands import entry
from karpathy_self_improve.installation import overview

HOSTILE = "\x1b[2J\x1b[31m[bold]approved[/]\x07\u202e\u200b"
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]")


def ask(raw: str) -> str:
    return asyncio.run(entry.slash(raw))


def test_status_is_the_answer_to_nothing_in_particular(unsigned: Path) -> None:
    assert ask("") == ask("status")
    assert ask("").splitlines()[0] == "approval: unsigned, daemon: SILENT: nothing is applied, watched or taken back"
    assert "coder: idle, 0 proposed, unmeasured" in ask("status")


def test_list_and_show(ratchet: Any, unsigned: Path) -> None:
    assert ask("list") == "No experiments."
    ratchet("new", "--replace", "Be brief.", "Be very brief.", "--why", "answers ran long")
    assert ask("list") == "1 proposed default/SOUL.md (queued) answers ran long"
    for raw in ("show 1", "show #1", "diff 1"):
        assert ask(raw).startswith("Experiment 1: ")
        assert "\n- You help. Be brief.\n+ You help. Be very brief.\n" in ask(raw)
        assert ask(raw).endswith("http://127.0.0.1:9119/self-improve#/experiments/1")
    assert ask("show 1").startswith("Experiment 1: proposed, default/SOUL.md\nevaluation: queued\nanswers ran long\n")


def test_what_is_not_there_is_said(unsigned: Path) -> None:
    assert ask("show 77") == "There is no experiment 77."
    assert ask(f"show {'9' * 18}").startswith("There is no experiment")


@pytest.mark.parametrize(
    "verb", ["new", "apply 1", "verify 1", "decide 1 keep", "resume", "init", "uninstall", "reviewer add eve"]
)
def test_whatever_else_changes_something_is_done_elsewhere(ratchet: Any, unsigned: Path, verb: str) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    before = ratchet("status", "--json").out
    assert "is not done in a chat" in ask(verb)
    assert ratchet("status", "--json").out == before


@pytest.mark.parametrize(
    "raw",
    ["help", "list all", "'", "frob", "\x1b[2J"],
)
def test_anything_else_is_answered_with_help(unsigned: Path, raw: str) -> None:
    assert "/ratchet show N" in ask(raw)


@pytest.mark.parametrize("raw", ["show", "show x", "diff 1 2", "approve", "reject all", "show " + "9" * 5000])
def test_a_missing_number_is_asked_for(unsigned: Path, raw: str) -> None:
    assert f"Which experiment? /ratchet {raw.split()[0]} N" in ask(raw)


def test_answers_are_a_screenful_of_harmless_text(ratchet: Any, unsigned: Path) -> None:
    (unsigned / "SOUL.md").write_text("".join(f"{n} {HOSTILE}\n" for n in range(200)), encoding="utf-8")
    (unsigned / "skills" / "x").mkdir(parents=True)
    long = "".join(f"line {n} {HOSTILE} {'w' * 50}\n" for n in range(30))
    done = ratchet("new", "--file", "skills/x/SKILL.md", "--content", "-", "--why", HOSTILE * 20, stdin=long)
    assert done.code == 0, done.err
    for raw in ("show 1", "diff 1", "list", "status", "help", HOSTILE):
        rows = [max(1, -(-len(line) // 40)) for line in ask(raw).split("\n")]
        assert sum(rows) <= 34
        assert not DANGEROUS.search(ask(raw))
    assert "more lines in the dashboard\n" in ask("diff 1")


def test_what_was_typed_is_answered_within_bounds_even_when_it_is_no_text(unsigned: Path) -> None:
    for raw in ("\ud800", f"show {'9' * 100_000}", f"pause \ud800{'x' * 100_000}", "status"):
        assert len(ask(raw).encode()) < 2_000
        assert "should not happen" not in ask(raw)


def test_anybody_pauses_the_profile_they_talk_to_and_says_why(ratchet: Any, unsigned: Path) -> None:
    answered = ask("pause it answers in riddles, write to ana" + "@example.org")
    assert answered.startswith("Profile 'default' is paused. ")
    assert "hermes ratchet resume default" in answered
    assert ask("pause").startswith("Profile 'default' was paused before, by ")
    paused = [one["profile"] for one in ratchet("status", "--json").document["profiles"] if one["paused"]]
    assert paused == ["default"]
    shown = ask("status")
    assert "it answers in riddles, write to" in shown
    assert "ana@" not in shown


def test_a_damaged_database_is_a_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = home / "\x1b[2J.db"
    damaged.write_bytes(b"this is no database at all, " * 40)
    monkeypatch.setenv("RATCHET_DB", str(damaged))
    assert "is damaged" in ask("status")
    assert "\u27e8U+001B\u27e9[2J.db" in ask("status")


def test_a_fault_of_ours_is_still_an_answer(unsigned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ArithmeticError("9" * 100_000)

    monkeypatch.setattr(overview, "look", broken)
    assert ask("status").startswith("This should not happen: ArithmeticError: 999")
    assert len(ask("status")) < 2_000
