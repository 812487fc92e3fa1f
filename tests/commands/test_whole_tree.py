"""Nonsense after any command of the whole tree: its exit code, one line that helps, and nothing changed."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.commands import arguments, signing
from karpathy_self_improve.commands.words import values
from karpathy_self_improve.commands.words.grammar import Parser
from karpathy_self_improve.reviewing.refusals import PassphraseRefused

TREE: dict[str, Parser] = dict(arguments.commands())
TRACES = {"events", "signature_attempts"}  # what was refused may leave one
DANGEROUS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
NUMBERS = (values.identifier, values.count, values.port)
FREE_TEXT = {"why", "reason", "note", "override", "input", "replace", "name", "by", "output"}
"""What these are given is kept as it is, or not needed here; a strange one need not be refused."""

FILL = {"id": "1", "file": "SOUL.md", "target": "default", "session_id": "20260101_000000_abcdef"}
NO_NUMBERS = ["", "x", "0", "-1", "+1", "1.5", "1e3", "0x1", "\u0663", " 1", "1\0", "9" * 5000, str(2**63), "\x1b[2J"]
HOSTILE = [
    "\x1b[2J\x1b[31mapproved",
    "9" * 5000,
    "../../../etc/passwd",
    "a\0b",
    "x" * 100_000,
    "",
    "--",
    "--json",
    "\udcff\u202e",
    "%(prog)s %s {0}",
    "a\nb",
    "/dev/zero",
    "a " * 50_000,
    "$(reboot) `reboot` ; reboot",
]


def pieces(parser: Parser) -> dict[argparse.Action, list[str]]:
    """Plausible words for each argument that this command cannot do without."""
    found = {action: plausible(action) for action in parser._actions if action.required}
    for group in parser._mutually_exclusive_groups:
        if group.required:
            chosen = next(action for action in group._group_actions if action.dest == "replace")
            found[chosen] = ["--replace", "Be brief.", "Be very brief."]
    if parser.prog.endswith(" serve"):  # refused without TLS; on another address it would go on serving
        found[parser._option_string_actions["--host"]] = ["--host", "192.0.2.1"]
    return found


def plausible(action: argparse.Action) -> list[str]:
    value = str(next(iter(action.choices))) if action.choices else FILL.get(action.dest, "x")
    return [action.option_strings[0], value] if action.option_strings else [value]


def required(parser: Parser) -> list[str]:
    return list(itertools.chain.from_iterable(pieces(parser).values()))


def words_with(name: str, action: argparse.Action, value: str) -> list[str]:
    """The command with ``value`` for one of its arguments, and what it needs besides."""
    parser = TREE[name]
    without = {
        action,
        *(one for g in parser._mutually_exclusive_groups if action in g._group_actions for one in g._group_actions),
    }
    found = {one: words for one, words in pieces(parser).items() if one not in without}
    flags = [word for one, words in found.items() if one.option_strings for word in words]
    if not action.option_strings:
        names = {one.dest: words[0] for one, words in found.items() if not one.option_strings} | {action.dest: value}
        order = [one.dest for one in parser._get_positional_actions() if one.dest in names]
        return [*name.split(), *flags, "--", *(names[dest] for dest in order)]
    names = [word for one, words in found.items() if not one.option_strings for word in words]
    flag = action.option_strings[0]
    given = [flag, "Be brief.", value] if action.nargs == 2 else [f"{flag}={value}"]
    return [*name.split(), *names, *flags, *given]


def valued() -> Iterator[tuple[str, argparse.Action]]:
    """Every argument of every command that takes a value."""
    for name, parser in TREE.items():
        for action in parser._actions:
            if action.nargs != 0 and not isinstance(action, argparse._HelpAction):
                yield name, action


def state(home: Path) -> str:
    """A fingerprint of every row but traces, and of every file of the profiles."""
    seen = hashlib.sha256()
    for path in sorted(home.rglob("*")):
        if path.is_file() and "ratchet" not in path.relative_to(home).parts and "logs" not in path.parts:
            seen.update(repr((str(path), path.read_bytes())).encode())
    database = sqlite3.connect(home / "ratchet" / "ratchet.db")
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        if table not in TRACES:
            seen.update(repr((table, database.execute(f"SELECT * FROM {table}").fetchall())).encode())
    database.close()
    return seen.hexdigest()


@pytest.fixture
def arranged(ratchet: Any, unsigned: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A proposal and a scenario, no terminal to type a passphrase at, and no git to start a demonstration with."""

    def nobody(_prompt: str) -> str:
        raise PassphraseRefused("A passphrase is typed at a terminal, and there is none here.")

    monkeypatch.setattr(signing, "_asked", nobody)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    ratchet("scenario", "add", "--name", "first", "--input", "Hello?")
    return unsigned


def check_refusal(done: Any, words: list[str]) -> None:
    """One bounded line on stderr, in words of ours."""
    assert done.out == "", words
    (line,) = done.err.splitlines() or [""]
    assert 10 < len(line) <= 1_600, (words, len(line))
    assert not DANGEROUS.search(line), (words, line)
    assert not re.search(r"Traceback|should not happen|Errno|Error\b|None\b", line), (words, line)


@contextmanager
def unchanged(home: Path) -> Iterator[None]:
    before = state(home)
    yield
    assert state(home) == before


def refuse(ratchet: Any, words: list[str]) -> None:
    done = ratchet(*words)
    assert done.code == 2, (words, done)
    check_refusal(done, words)


def test_what_is_missing_is_named(ratchet: Any, arranged: Path) -> None:
    lacking = [name for name, parser in TREE.items() if required(parser) and name != "serve"]
    assert len(lacking) > 20
    with unchanged(arranged):
        for name in lacking:
            refuse(ratchet, name.split())
        for name, action in valued():
            if action.option_strings:
                refuse(ratchet, [*name.split(), *required(TREE[name]), action.option_strings[0]])


def test_words_that_no_command_knows(ratchet: Any, arranged: Path) -> None:
    with unchanged(arranged):
        for name, parser in TREE.items():
            words = [*name.split(), *required(parser)]
            refuse(ratchet, [*words, "--frobnicate=\x1b[2J", "--jsn"])
            refuse(ratchet, [*words, "too", "many", "words", "\x1b[2J"])


def test_what_is_no_number_or_no_choice_is_refused(ratchet: Any, arranged: Path) -> None:
    typed = [(name, action) for name, action in valued() if action.choices or action.type in NUMBERS]
    wrong = itertools.cycle(NO_NUMBERS)
    assert len(typed) > 25
    with unchanged(arranged):
        for name, action in typed:
            for value in itertools.islice(wrong, 5):
                if (action.dest, value) != ("port", "0"):  # any port that is free
                    refuse(ratchet, words_with(name, action, value))


def test_hostile_text_is_refused_or_kept_as_text(ratchet: Any, arranged: Path) -> None:
    texts = [(name, action) for name, action in valued() if not action.choices and action.type not in NUMBERS]
    hostile = itertools.cycle(HOSTILE)
    assert len(texts) > 40
    for name, action in texts:
        for value in itertools.islice(hostile, 3):
            words = words_with(name, action, value)
            before = state(arranged)
            done = ratchet(*words)
            if done.code == 0:
                assert action.dest in FREE_TEXT, (words, done)
                assert not DANGEROUS.search(done.out), words
            else:
                assert done.code in (1, 2, 3), (words, done)
                check_refusal(done, words)
                assert state(arranged) == before, words


def test_a_misspelt_word_is_answered_with_the_near_one(ratchet: Any) -> None:
    for words, near in (
        (("statsu",), "Did you mean 'status'?"),
        (("scenario", "lst"), "Did you mean 'list'?"),
        (("reset",), "Did you mean 'reviewer reset'?"),
        (("approve", "1", "--overide", "x"), "Did you mean --override?"),
        (("decide", "1", "keep", "--reson", "x"), "Did you mean --reason?"),
        (("list", "--jsno"), "Did you mean --json?"),
    ):
        done = ratchet(*words)
        assert (done.code, near in done.err) == (2, True), done


def test_no_parser_has_a_short_flag_but_help() -> None:
    """The host removes -p and --profile wherever they stand, and glues words together after -c and -r."""
    parsers = [arguments._tree()]
    for parser in parsers:  # grows while it is walked
        parsers += [child for action in parser._below() for child in action.choices.values()]
    flags = {flag for parser in parsers for flag in parser._option_string_actions}
    assert len(parsers) > len(TREE) > 40
    assert {flag for flag in flags if not flag.startswith("--")} == {"-h"}
    assert not flags & {"--profile", "--continue", "--resume"}
