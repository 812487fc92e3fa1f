"""The words of `hermes ratchet`: each command has help with an example and --json, and clashes with no host flag."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import errors
from karpathy_self_improve.commands import arguments, documents, exits
from karpathy_self_improve.commands.exits import Exit

ROOT = Path(__file__).resolve().parents[2]


COMMANDS = dict(arguments.commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example_that_parses(ratchet: Any, name: str) -> None:
    done = ratchet(*name.split(), "--help")
    assert done.code == 0
    purpose, _, examples = done.out.replace("\\\n", " ").partition("\n\n")[2].rpartition("\nexample")
    assert re.match(r"[A-Z].+(\n  .+)*\.\n\n", purpose)
    assert max(map(len, done.out.splitlines())) <= 80
    assert all(action.help for action in COMMANDS[name]._actions)
    assert re.sub(r"\s+", " ", f"--json has: {', '.join(documents.DOCUMENTS[name])}") in re.sub(r"\s+", " ", done.out)
    commands = re.findall(r"^  hermes ratchet (.+)", examples, re.MULTILINE)
    assert commands
    for command in commands:
        words = shlex.split(re.sub(r" [<>] \S+$", "", command))
        assert " ".join(words).startswith(name)
        assert arguments.parse(words).handler


@pytest.mark.parametrize("words", [("scenario", "--help"), ("reviewer", "--help"), ("audit", "--help"), ("help",)])
def test_what_only_leads_to_commands_explains_itself_too(ratchet: Any, words: tuple[str, ...]) -> None:
    done = ratchet(*words)
    assert (done.code, max(map(len, done.out.splitlines())) <= 80) == (0, True)


def test_a_newcomer_finds_the_loop_first(ratchet: Any) -> None:
    shown = ratchet("--help").out
    titles = re.findall(r"^([a-z][^:\n]+):$", shown, re.MULTILINE)
    assert [*titles[:1], *titles[2:4]] == [
        "one change, from proposal to verdict",
        "begin here",
        "the loop, in its order",
    ]
    missing = {name.split()[0] for name in COMMANDS} - set(re.findall(r"^  ([a-z-]+) +\S", shown, re.MULTILINE))
    assert missing == set()
    assert ratchet("help", "show").out == ratchet("show", "--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_somebody_who_carries_it_out(name: str) -> None:
    from karpathy_self_improve.commands import cli

    assert callable(cli._handler(argparse.Namespace(handler=COMMANDS[name].get_default("handler"))))


def test_without_words_the_overview_is_shown(ratchet: Any) -> None:
    done = ratchet()
    assert done.code == 0
    assert "one change, from proposal to verdict" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


WRONG = [
    ("frobnicate",),
    ("approve",),
    ("approve", "x"),
    ("approve", "0"),
    ("approve", "-1"),
    ("approve", str(2**63)),
    ("approve", "9" * 5000),
    ("approve", "1", "2"),
    ("approve", "1", "--frobnicate"),
    ("approve", "1", "--override"),
    ("new",),
    ("new", "--content", "x", "--diff", "y"),
    ("new", "--replace", "only one"),
    ("list", "--state", "dead"),
    ("list", "--limit", "0"),
    ("list", "--limit", "many"),
    ("jobs", "--state", "dead"),
    ("scenario",),
    ("scenario", "add"),
    ("audit",),
    ("init", "--approval", "maybe"),
]


@pytest.mark.parametrize("words", WRONG, ids=lambda words: " ".join(words)[:40])
def test_wrong_use_is_exit_2_and_a_sentence_in_either_form(ratchet: Any, words: tuple[str, ...]) -> None:
    plain, as_json = ratchet(*words), ratchet(*words, "--json")
    assert (plain.code, as_json.code) == (2, 2)
    assert plain.out == ""
    assert len(plain.err.splitlines()) == 1
    assert as_json.err == ""
    assert as_json.document["error"] == plain.err.strip()
    assert as_json.document["code"]


def test_json_can_be_asked_for_before_the_command(ratchet: Any) -> None:
    done = ratchet("--json", "frobnicate")
    assert done.code == 2
    assert done.document["code"] == "bad_input"
    assert ratchet("--json", "list").document["experiments"] == []
    assert ratchet("--json", "changes", "--", "x").document["code"] == "unknown_profile"


def test_what_stands_behind_two_dashes_is_no_flag(ratchet: Any) -> None:
    assert "There is no profile '--json'" in ratchet("changes", "--", "--json").err
    assert arguments.parse(["acknowledge", "default", "--", "--"]).file == "--"
    assert arguments.parse(["reject", "1", "--reason=--"]).reason == "--"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BadInput, Exit.USAGE),
        (errors.UnknownProfile, Exit.USAGE),
        (errors.ApprovalRefused, Exit.REFUSED),
        (errors.NobodyWatching, Exit.REFUSED),
        (errors.GitUnavailable, Exit.FAILED),
        (errors.RatchetError, Exit.FAILED),
    ],
)
def test_each_family_of_errors_has_its_exit_code(error: type[errors.RatchetError], code: Exit) -> None:
    assert exits.exit_for(error("...")) is code


def _start(home: Path, *words: str, **options: Any) -> subprocess.Popen[bytes]:
    code = "import sys; from karpathy_self_improve.commands import entry; sys.exit(entry.main(sys.argv[1:]))"
    env = {**os.environ, "HERMES_HOME": str(home), "PYTHONPATH": ""}
    return subprocess.Popen([sys.executable, "-P", "-c", code, *words], env=env, stderr=subprocess.PIPE, **options)


def test_a_reader_that_went_away_is_no_error(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = _start(home, "--help", stdout=writing)
    os.close(writing)
    listed = _start(home, "status", stdout=subprocess.PIPE)
    assert listed.stdout is not None
    listed.stdout.close()
    for process in (done, listed):
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")


def test_a_terminal_without_our_characters_gets_escapes_instead_of_a_crash(home: Path) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "HERMES_HOME": str(home)}
    code = "import sys; from karpathy_self_improve.commands import entry; sys.exit(entry.main(['show', '1']))"
    (home / "config.yaml").write_text("plugins: {}\n", encoding="utf-8")
    new = _start(home, "new", "--replace", "briefly", "bri\u00e8vement", "--why", "caf\u00e9 \u2192 tea", stdout=-1)
    new.communicate(timeout=60)
    shown = subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True, timeout=60)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert rb"caf\xe9 \u2192 tea" in shown.stdout


def test_help_names_every_exit_code() -> None:
    described = re.findall(r"(\d+) ", arguments._EXITS.split("exit codes: ")[1].split("\n")[0])
    assert {int(code) for code in described} == {code.value for code in Exit} - {Exit.INTERRUPTED}
