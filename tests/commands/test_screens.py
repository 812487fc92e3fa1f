"""What a terminal of 80 columns shows: tables and sentences that fit, colours only there, and screens that follow."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from karpathy_self_improve.commands import following, hints, output, progress
from karpathy_self_improve.commands.output import Answer
from karpathy_self_improve.errors import UnknownExperiment, UnknownProfile

LONG = "skills/reviewing-pull-requests-carefully/SKILL.md"
TEAM = "a-team-whose-name-is-rather-long"
WHY = "people said in several sessions that they stopped reading after the second paragraph; " * 3
SGR = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture
def crowded(ratchet: Any, unsigned: Path, watched: None) -> None:
    """Long names everywhere: a profile, a file, reasons, a scenario; a live change, and a rejected one."""
    team = unsigned / "profiles" / TEAM
    (team / "skills" / "reviewing-pull-requests-carefully").mkdir(parents=True)
    (team / "config.yaml").write_text((unsigned / "config.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (team / LONG).write_text("---\nname: r\ndescription: d\n---\n# Review\n\nSay what is good.\n", encoding="utf-8")
    for words in (
        ("new", "--replace", "Be brief.", "Be very brief.", "--why", WHY),
        ("approve", "1", "--override", WHY),
        ("apply", "1"),
        ("new", "--target", TEAM, "--file", LONG, "--replace", "good.", "good in it.", "--why", WHY),
        ("reject", "2", "--reason", WHY),
        (
            "scenario",
            "add",
            "--target",
            TEAM,
            "--name",
            "greets " * 15,
            "--input",
            "Hi",
            "--checks",
            '[{"type": "exit_ok"}]',
        ),
    ):
        assert ratchet(*words).code == 0, words


SCREENS = [
    ("list",),
    ("status",),
    ("jobs",),
    ("history", "1"),
    ("history", "2"),
    ("show", "2"),
    ("live", "1"),
    ("scenario", "list"),
    ("changes",),
    ("metrics",),
    ("reviewer", "list"),
    ("doctor",),
]


def test_screens_fit_their_terminal_and_tear_no_word_apart(
    on_screen: Any, crowded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in (80, 60):
        monkeypatch.setenv("COLUMNS", str(columns))
        for words in SCREENS:
            shown = SGR.sub("", on_screen(*words))
            lines = [line for line in shown.splitlines() if "fix: " not in line]  # what is to be copied is not broken
            assert max(map(cell_len, lines)) <= columns, (words, shown)
            assert "Traceback" not in shown
            assert not re.search(r"^\s*\S\s*\n\s*\S\s*\n\s*\S\s*$", shown, re.MULTILINE), (words, shown)


def test_colours_are_for_terminals_that_want_them(
    on_screen: Any, ratchet: Any, crowded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[32m+" in on_screen("diff", "1")
    assert "\x1b[31m-" in on_screen("show", "1")
    assert "\x1b" not in ratchet("show", "1").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search("\x1b\\[(3|4|9)[0-9]", on_screen("show", "1"))


def test_an_error_is_wrapped_and_the_command_it_ends_with_stays_whole(
    on_screen: Any, crowded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "66")
    shown = on_screen("approve", "2", "--as", "ana")
    assert max(map(len, shown.splitlines())) <= 66
    assert "\nhermes ratchet reviewer add NAME\n" in shown


def test_an_error_that_names_no_command_gets_one() -> None:
    said = hints.with_next_command(UnknownExperiment("There is no experiment 7.", experiment_id=7))
    assert said == "There is no experiment 7. All there are: hermes ratchet list"
    named = UnknownProfile("There is no profile 'x'. See: hermes ratchet status")
    assert hints.with_next_command(named) == named.message


class Interrupted:
    """Somebody presses Ctrl-C after so many pauses; how long those were is kept."""

    def __init__(self, pauses: int) -> None:
        self.left, self.slept = pauses, 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def test_watching_draws_anew_until_ctrl_c(on_screen: Any, crowded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (("status",), ("list",), ("live", "1"), ("jobs",)):
        person = Interrupted(2)
        monkeypatch.setattr(following.time, "sleep", person.sleep)
        shown = on_screen(*words, "--watch")
        assert shown.count("Ctrl-C ends it") >= 3
        assert "Stopped" not in shown
        assert person.slept == 3 * following.EVERY_S
        assert shown.count("\x1b[?25h") == 1  # the cursor is back


def test_watching_for_a_program_is_an_object_a_line_when_something_changed(
    ratchet: Any, crowded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following.time, "sleep", Interrupted(2).sleep)
    done = ratchet("list", "--watch", "--json")
    assert done.code == 0
    assert [len(json.loads(line)["experiments"]) for line in done.out.splitlines()] == [2]
    broken = ratchet("live", "77", "--watch", "--json")
    assert (broken.code, json.loads(broken.out)["code"]) == (2, "unknown_experiment")


def test_watching_needs_a_terminal_or_json(ratchet: Any, unsigned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following.time, "sleep", Interrupted(0).sleep)
    done = ratchet("status", "--watch")
    assert (done.code, "--watch --json" in done.err) == (2, True)
    assert ratchet("jobs", "--watch", "--cancel", "1").code == 2


def test_a_bar_shows_how_far_it_is_and_leaves_nothing_behind(on_screen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress.shown("evaluation", "agent runs") as report:
        report(3, 40)
        time.sleep(0)
        report(4, 40)
    shown = SGR.sub("", screen.getvalue())
    assert "4/40 agent runs" in shown
    assert " left" in shown
    assert shown.endswith("\x1b[2K")


def test_without_a_terminal_a_plain_line_comes_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.shown("evaluation", "agent runs") as report:
        for done in range(0, 41, 10):
            report(done, 40)
            now += 20.0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "evaluation: 20 of 40 agent runs, about 1 min left",
        "evaluation: 40 of 40 agent runs",
    ]


def test_a_warning_reaches_a_person_whose_output_goes_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    answer = Answer({"ok": True}, lambda _: None, warning=lambda console: console.print("PIN"))
    for as_json in (True, False):
        output.write(answer, as_json)
        assert capsys.readouterr().err == "PIN\n"
