"""Real sessions of the real agent in the live window of a skill: only those count that provably met the new version."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

SKILL = """\
---
name: letters
description: Write letters to customers.
---

# Letters

Start with the date.

- Always end answers with the line: NEXT: post it.
"""
CHECKS = [{"type": "must_contain", "value": "You asked"}]
LOADED, OTHER = "Please use letters for a short note.", "How are you today?"
BEFORE_THE_CHANGE, NEVER_MET = "not eligible: met the version before the change", "not eligible: never met the file"


@dataclass(frozen=True)
class Skill:
    """A profile with one skill, and what is done with it."""

    path: Path
    hermes: Any

    def change(self, old: str, new: str) -> None:
        """Propose, approve and apply one change of it, as experiment 1."""
        for words in (
            ("new", "--file", "skills/letters/SKILL.md", "--replace", old, new),
            ("jobs", "--cancel", "1"),
            ("approve", "1", "--override", "a test"),
            ("apply", "1", "--unwatched"),
        ):
            done = self.hermes("ratchet", *words)
            assert done.returncode == 0, done.stdout + done.stderr
        assert self.path.read_text(encoding="utf-8") == SKILL.replace(old, new)

    def asked(self, question: str) -> None:
        """A session of a process of its own."""
        done = self.hermes("-z", question)
        assert "You asked" in done.stdout, done.stdout + done.stderr

    def window(self) -> dict[str, tuple[bool, str]]:
        """Whether each session counts, and why, by the question it was asked; after one round of the daemon."""
        assert self.hermes("ratchet", "daemon", "--once").returncode == 0
        document = json.loads(self.hermes("ratchet", "live", "1", "--json").stdout)
        return {one["session_id"]: (one["counted"], one["reason"]) for one in document["sessions"]}


@pytest.fixture
def skill(home: Path, hermes: Any, configured: Callable[..., None]) -> Skill:
    configured(approval="unsigned", success_checks=CHECKS, window={"idle_minutes": 0.0, "n0": 2})
    path = home / "skills" / "letters" / "SKILL.md"
    path.parent.mkdir(parents=True)
    path.write_text(SKILL, encoding="utf-8")
    return Skill(path, hermes)


def in_order(found: dict[str, tuple[bool, str]]) -> list[tuple[bool, str]]:
    return [found[session] for session in sorted(found)]


def test_sessions_that_never_loaded_a_changed_body_do_not_count(skill: Skill) -> None:
    skill.asked(LOADED)
    skill.change("Start with the date.", "Start with the place.")
    skill.asked(OTHER)
    skill.asked(LOADED)
    (other, loaded) = in_order(skill.window())
    assert other == (False, NEVER_MET)
    assert loaded[0] is True


def test_sessions_of_a_process_that_still_serves_the_old_description_do_not_count(skill: Skill, gateway: Any) -> None:
    with gateway() as say:
        say("1", OTHER)
        skill.change("Write letters to customers.", "Write letters to anybody.")
        assert "You asked" in say("2", OTHER)
        stale = in_order(skill.window())
        assert stale[-1] == (False, BEFORE_THE_CHANGE)
    skill.asked(OTHER)
    fresh = in_order(skill.window())
    assert [counted for counted, _ in fresh] == [False, True]
