"""The parsers under ``hermes ratchet``: their errors are ours and name the near word, their help ends with examples."""

from __future__ import annotations

import argparse
import difflib
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from ...errors import BadInput
from ..documents import keys_of
from ..plain import one_line

PROG = "hermes ratchet"
_WIDTH = 78
_LONGEST_WORD, _LONGEST = 60, 300
_ENDLESS = re.compile(r"\S{120,}")
_NO_COMMAND = "the following arguments are required: COMMAND"


class Parser(argparse.ArgumentParser):
    """Reports wrong use as an error of ours, so that it is answered like every other."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._given: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """What argparse does; the words are kept for :meth:`error`, which may know a word that is near."""
        self._given = list(args or [])
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raises BadInput: what is wrong on one line, the option that may have been meant, and where to read on."""
        if message == _NO_COMMAND:
            message = f"which one? {', '.join(self.names())}"
        said = _bounded(f"{message[:1].upper()}{message[1:]}".rstrip("."))
        raise BadInput(f"{said}{_end(said)} {self._meant()}See: {self.prog} --help")

    def names(self) -> list[str]:
        """The commands below this one."""
        return [name for action in self._below() for name in action.choices]

    def leaves(self) -> Iterator[tuple[str, Parser]]:
        """Every command at or below this parser that does something, as typed, with its parser."""
        if not self._below():
            yield self.prog.removeprefix(f"{PROG} "), self
        for action in self._below():
            for child in action.choices.values():
                yield from child.leaves()

    def _below(self) -> list[Any]:
        return [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Before Python 3.13 argparse takes the text ``--`` away where it is the value, and hands on an empty list."""
        found = super()._get_values(action, arg_strings)
        return self._get_value(action, "--") if found == [] and action.nargs in (None, argparse.OPTIONAL) else found

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            deeper = [name for name, _ in self.leaves() if name.endswith(f" {value}")]
            near = deeper or nearest(value, self.names(), 2)
            said = f"there is no command '{one_line(str(value), _LONGEST_WORD)}'"
            self.error(f"{said}. {meant(near)}" if near else said)
        super()._check_value(action, value)

    def _meant(self) -> str:
        """Which of this command's options a misspelt one is near to."""
        options = list(self._option_string_actions)
        unknown = [word.split("=")[0] for word in self._given if word.startswith("--") and len(word) > 2]
        for word in unknown:
            if word not in options and (near := nearest(word, options)):
                return f"{meant(near)} "
        return ""


def nearest(word: object, among: Iterable[str], most: int = 1) -> list[str]:
    """At most so many of ``among`` that ``word`` may have been meant to be, the nearest first."""
    return difflib.get_close_matches(str(word)[:_LONGEST_WORD], list(among), n=most, cutoff=0.6)


def meant(near: Sequence[str]) -> str:
    quoted = [word if word.startswith("-") else f"'{word}'" for word in near]
    return f"Did you mean {' or '.join(quoted)}?"


def _end(sentence: str) -> str:
    return "" if sentence.endswith("?") else "."


def _bounded(message: str) -> str:
    """One line; a word that nobody can read is cut in its middle, so that what follows it is still said."""
    return one_line(_ENDLESS.sub(lambda found: f"{found[0][:_LONGEST_WORD]}\u2026{found[0][-1]}", message), _LONGEST)


class Commands:
    """Adds commands below one parser, each with ``--json``, a line of help, its exit codes and examples.

    Those that are added under the same :meth:`group` stand together in :meth:`overview`.
    """

    def __init__(self, parser: Parser, title: str | None = None) -> None:
        self._groups: list[tuple[str, list[tuple[str, str]]]] = []
        shown = {"title": title} if title else {"help": argparse.SUPPRESS}
        self._below = parser.add_subparsers(
            **shown, prog=parser.prog, metavar="COMMAND", required=True, parser_class=Parser
        )

    def group(self, title: str) -> None:
        """What is added from now on stands under this title."""
        self._groups.append((title, []))

    def add(
        self, name: str, purpose: str, *examples: str, handler: str | None = None, exits: Sequence[str] = ()
    ) -> Parser:
        """One command. ``examples`` are words after ``hermes ratchet``; ``exits`` say what a code means here."""
        if self._groups:
            self._groups[-1][1].append((name, purpose))
        made: Parser = self._below.add_parser(
            name, help=purpose, description=_wrapped(f"{purpose[:1].upper()}{purpose[1:]}.")
        )
        typed = made.prog.removeprefix(f"{PROG} ")
        parts = [_listed("exit codes", exits), _listed(_plural("example", examples), _typed(examples))]
        if handler:
            made.add_argument("--json", action="store_true", help="print JSON instead of text")
            made.set_defaults(handler=handler)
            parts.insert(0, _wrapped(f"--json has: {', '.join(keys_of(typed))}"))
        made.epilog = "\n\n".join(part for part in parts if part)
        return made

    def overview(self) -> str:
        """All commands, group by group."""
        return "\n\n".join(_section(title, rows) for title, rows in self._groups)


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join([f"{title}:", *(_wrapped(f"  {name:<16} {purpose}", " " * 19) for name, purpose in rows)])


def _listed(title: str, lines: Iterable[str]) -> str:
    body = [f"  {line}" for line in lines]
    return "\n".join([f"{title}:", *body]) if body else ""


def _plural(word: str, things: Sequence[str]) -> str:
    return word if len(things) == 1 else f"{word}s"


def _typed(examples: Iterable[str]) -> list[str]:
    return [_continued(f"{PROG} {example}") for example in examples]


def _continued(command: str) -> str:
    """A command that is too long for a line goes on behind a backslash, as a shell takes it."""
    at = command.rfind(" --", 0, _WIDTH - 2)
    if "\n" in command or len(command) <= _WIDTH or at < 0:
        return command
    return f"{command[:at]} \\\n      {command[at + 1 :]}"


def _wrapped(text: str, indent: str = "  ") -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)
