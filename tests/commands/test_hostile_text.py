"""Text that an agent wrote can neither move the cursor, nor hide, nor pass for our own words on a terminal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.commands.plain import one_line, visible

ESCAPE, BELL, RIGHT_TO_LEFT, ZERO_WIDTH, TAG = "\x1b[2J\x1b[31m", "\x07", "\u202e", "\u200b", "\U000e0041"
HOSTILE = f"{ESCAPE}[bold red]approved[/]{BELL}{RIGHT_TO_LEFT}{ZERO_WIDTH}{TAG} :warning: \x9b31m"
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


@pytest.fixture
def planted(ratchet: Any, unsigned: Path) -> None:
    """The hostile text as a rationale, in a file, as a reason, as an override and as a scenario's input."""
    skill = "skills/plain/SKILL.md"  # of SOUL.md the host would load nothing then, so that such a proposal is refused
    (unsigned / skill).parent.mkdir(parents=True)
    (unsigned / skill).write_text(f"# Plain\n\nBe brief.\n{HOSTILE}\n", encoding="utf-8")
    ratchet("new", "--file", skill, "--replace", "Be brief.", f"Be {HOSTILE} brief.", "--why", HOSTILE)
    ratchet("approve", "1", "--override", HOSTILE)
    ratchet("new", "--target", "coder", "--replace", "hello", "good day", "--why", HOSTILE)
    ratchet("reject", "2", "--reason", HOSTILE)
    checks = '[{"type": "must_contain", "value": "\\u001b[31m"}]'
    assert ratchet("scenario", "add", "--name", "planted", "--input", HOSTILE, "--checks", checks).code == 0


SCREENS = [
    ("list",),
    ("show", "1"),
    ("show", "2"),
    ("history", "1"),
    ("history", "2"),
    ("live", "1"),
    ("status",),
    ("scenario", "list"),
    ("scenario", "show", "1"),
    ("jobs",),
]


def test_no_screen_passes_control_characters_on(ratchet: Any, planted: None) -> None:
    for words in SCREENS:
        done = ratchet(*words)
        assert done.code == 0
        assert not DANGEROUS.search(done.out), (words, done.out)
        as_json = ratchet(*words, "--json")
        assert as_json.out.isascii()
        assert not DANGEROUS.search(as_json.out), words


def test_a_patch_is_exact_and_says_what_it_hides(ratchet: Any, on_screen: Any, planted: None) -> None:
    """It is for git; on a terminal the same command names what does not show."""
    piped = ratchet("diff", "1")
    assert f"+Be {HOSTILE} brief." in piped.out
    assert "hermes ratchet show 1" in piped.err
    shown = on_screen("diff", "1")
    assert "\u27e8U+001B\u27e9[2J" in shown
    assert not DANGEROUS.search(re.sub("\x1b\\[[0-9;]*m", "", shown))
    assert not DANGEROUS.search(ratchet("diff", "1", "--json").out)


def test_what_was_hidden_is_named_and_markup_is_plain_text(ratchet: Any, planted: None) -> None:
    shown = ratchet("show", "1").out
    for name in ("\u27e8U+001B\u27e9[2J", "\u27e8U+202E\u27e9", "\u27e8U+200B\u27e9", "\u27e8U+E0041\u27e9"):
        assert name in shown
    assert "[bold red]approved[/]" in shown
    assert ":warning:" in shown


@pytest.mark.parametrize("words", [("status", "--target", HOSTILE), (HOSTILE,), ("show", HOSTILE)])
def test_an_error_that_quotes_is_safe_too(ratchet: Any, home: Path, words: tuple[str, ...]) -> None:
    done = ratchet(*words)
    assert done.code == 2
    assert not DANGEROUS.search(done.err)


def test_no_table_is_wider_than_80_columns(ratchet: Any, planted: None) -> None:
    ratchet("new", "--target", "coder", "--replace", "hello", "good day", "--why", "w" * 300)
    for words in (("list",), ("status",), ("jobs",), ("history", "1"), ("scenario", "list")):
        table = ratchet(*words).out.partition("\u2500\n")[2]  # what is no table is wrapped on a terminal only
        assert 10 < max(map(len, table.splitlines())) <= 80, words


def test_a_lone_surrogate_can_be_printed() -> None:
    assert visible("a\udc80b") == "a\u27e8U+DC80\u27e9b"
    assert one_line("a\n\tb\r\n" + "c" * 10, 8) == "a b\u27e8U+0\u2026"
