"""`/ratchet` in a chat: short plain answers to look at, and never an exception, whatever is typed."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.commands import entry

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
    for raw in ("show 1", "show #1"):
        assert ask(raw).startswith("Experiment 1: proposed, default/SOUL.md\n")
        assert "+You help. Be very brief." in ask(raw)


def test_what_is_not_there_is_said(unsigned: Path) -> None:
    assert ask("show 77") == "There is no experiment 77."
    assert ask(f"show {'9' * 18}").startswith("There is no experiment")


@pytest.mark.parametrize(
    "verb", ["new", "approve 1", "reject 1", "apply 1", "revert 1", "pause", "init", "uninstall", "scenario add"]
)
def test_whatever_changes_something_is_done_elsewhere(ratchet: Any, unsigned: Path, verb: str) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    before = ratchet("status", "--json").out
    assert "is not done in a chat" in ask(verb)
    assert ratchet("status", "--json").out == before


@pytest.mark.parametrize(
    "raw",
    ["help", "show", "show x", "show 1 2", "list all", "'", '"unclosed', "\x1b[2J", "show -1", "show " + "9" * 5000],
)
def test_anything_else_is_answered_with_help(unsigned: Path, raw: str) -> None:
    assert "/ratchet show N" in ask(raw)


def test_answers_are_a_screenful_of_harmless_text(ratchet: Any, unsigned: Path) -> None:
    (unsigned / "SOUL.md").write_text("".join(f"{n} {HOSTILE}\n" for n in range(200)), encoding="utf-8")
    (unsigned / "skills" / "x").mkdir(parents=True)
    long = "".join(f"line {n} {HOSTILE} {'w' * 50}\n" for n in range(30))
    done = ratchet("new", "--file", "skills/x/SKILL.md", "--content", "-", "--why", HOSTILE * 20, stdin=long)
    assert done.code == 0, done.err
    for raw in ("show 1", "list", "status", HOSTILE):
        lines = ask(raw).split("\n")
        assert len(lines) <= 24
        assert max(map(len, lines)) <= 161
        assert not DANGEROUS.search(ask(raw))


def test_a_damaged_database_is_a_sentence(home: Path) -> None:
    (home / "ratchet").mkdir(mode=0o700)
    (home / "ratchet" / "ratchet.db").write_bytes(b"this is no database at all, " * 40)
    assert "is damaged" in ask("status")


def test_a_fault_of_ours_is_still_an_answer(unsigned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from karpathy_self_improve.installation import overview

    monkeypatch.setattr(overview, "look", None)
    assert ask("status").startswith("This should not happen: TypeError")
