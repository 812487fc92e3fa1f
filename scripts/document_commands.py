"""Writes docs/commands.md from the command tree; with --check, only says whether it is up to date."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from karpathy_self_improve.commands import arguments, documents
from karpathy_self_improve.evaluation.labels import LabelledResult
from karpathy_self_improve.evaluation.scenario.scenarios import Scenario
from karpathy_self_improve.installation.findings import Finding
from karpathy_self_improve.observation.snapshots import Snapshot
from karpathy_self_improve.ratchet.audit.chain import Transition
from karpathy_self_improve.routes.rows import ExperimentRow, JobRow
from karpathy_self_improve.watching.changes import Change

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
HEADER = """# Commands

Written by `scripts/document_commands.py` from the command tree; `hermes ratchet COMMAND --help` says the same. Every
command takes `--json`, answers wrong use with one sentence, and ends with 0 (done), 1 (failed), 2 (wrong use),
3 (refused) or 4 (inconclusive). Numbers are those that `hermes ratchet list` and `hermes ratchet scenario list` show.
`-p`, `-c` and `-r` are the host's own flags: a profile is named by `--target`.

With `--json` standard output holds one JSON document and nothing else, logs and warnings go to standard error. Keys
that are listed here stay; further ones may come. A failed command prints `{"error": "a sentence", "code": "a_word"}`
and the ids involved, on one line. With `--watch` besides, it prints one object a line, the first at once and a further
one whenever something changed, until it is interrupted.
"""
RECORDS_INTRODUCTION = """
Times are UTC with their offset. What is not known, or is not yet, is null, never 0. `cost` is in US dollars.
"""
RECORDS = {
    "experiment": ExperimentRow,
    "job": JobRow,
    "step (transition)": Transition,
    "scenario": Scenario,
    "result": LabelledResult,
    "change (external)": Change,
    "window of figures": Snapshot,
    "finding": Finding,
}


def section(name: str, parser: argparse.ArgumentParser) -> str:
    """One command: what it is for, its words and flags, and what its help ends with."""
    parts = [f"## {name}", parser.description or "", _table(parser), _keys(name), _block(_without_keys(parser.epilog))]
    return "\n\n".join(part for part in parts if part)


def _table(parser: argparse.ArgumentParser) -> str:
    rows = [_row(parser, action) for action in parser._actions if action.dest not in ("help", "json")]
    return "\n".join(["| word or flag | meaning |", "|---|---|", *rows]) if rows else ""


def _keys(name: str) -> str:
    """The document that ``--json`` prints."""
    rows = [f"| `{key}` | {_escaped(meaning)} |" for key, meaning in documents.DOCUMENTS.get(name, {}).items()]
    return "\n".join(["| key of its JSON | meaning |", "|---|---|", *rows]) if rows else ""


def _without_keys(epilog: str | None) -> str:
    return "\n\n".join(part for part in (epilog or "").split("\n\n") if not part.startswith("--json has:"))


def records() -> str:
    """The fields of what the documents hold, as they are stored."""
    rows = [f"| {what} | {', '.join(f'`{one.name}`' for one in fields(kind))} |" for what, kind in RECORDS.items()]
    return "\n".join(["## Records in JSON", RECORDS_INTRODUCTION, "| record | fields |\n|---|---|", *rows])


def _row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    said = parser._get_formatter()._expand_help(action) if action.help else ""
    cells = (f"`{_typed(action)}`", said + (" (required)" if action.required and action.option_strings else ""))
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _typed(action: argparse.Action) -> str:
    """How it is typed: ``--flag VALUE``, ``ID`` or ``[PROFILE]``."""
    value = "" if action.nargs == 0 else _value(action)
    if action.option_strings:
        return f"{', '.join(action.option_strings)} {value}".rstrip()
    return f"[{value}]" if action.nargs == "?" else value


def _value(action: argparse.Action) -> str:
    if action.choices is not None and not isinstance(action.metavar, str):
        return "|".join(map(str, action.choices))
    named = action.metavar or action.dest.upper()
    return " ".join(named) if isinstance(named, tuple) else named


def _block(text: str) -> str:
    return f"```\n{text.strip()}\n```" if text else ""


def text() -> str:
    """The whole page."""
    sections = (section(name, parser) for name, parser in arguments.commands())
    return "\n\n".join([HEADER.rstrip(), *sections, records()]) + "\n"


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text() else 1
    PAGE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
