"""The words that fill and mend a profile's scenarios: from sessions and files, into files, and what is wrong."""

from __future__ import annotations

from . import values
from .grammar import Commands


def add(below: Commands) -> None:
    _edit(below)
    restore = below.add(
        "restore",
        "take a deleted scenario into use again",
        "scenario restore 3",
        handler="scenarios.restore",
        exits=("3  refused: a held-out one takes a reviewer's signature",),
    )
    values.identified(restore, "the scenario's number")
    values.signing(restore)
    _remember(below)
    _files(below)
    offered = below.add(
        "templates",
        "the starter scenarios that fit a profile's SOUL.md as it is now",
        "scenario templates --add",
        handler="scenario_files.offered",
    )
    offered.add_argument("--add", action="store_true", help="add those that the profile does not have")
    values.its_target(offered, "for which profile")
    lint = below.add(
        "lint",
        "what is wrong with a profile's scenarios, before and after they ran",
        "scenario lint --target coder",
        handler="scenario_files.lint",
        exits=("1  there is a problem; notes alone are none",),
    )
    values.its_target(lint, "whose scenarios")


def _edit(below: Commands) -> None:
    edit = below.add(
        "edit",
        "change a scenario; results it gave keep what it was",
        """scenario edit 3 --checks '[{"type": "exit_ok"}]' --critical yes""",
        handler="scenarios.edit",
        exits=("3  refused: a held-out one keeps its words; critical no more is signed",),
    )
    values.identified(edit, "the scenario's number")
    edit.add_argument("--name", type=values.line, metavar="TEXT", help="another name")
    edit.add_argument("--input", metavar="TEXT", help="another question; '-' reads standard input")
    edit.add_argument("--checks", metavar="JSON", help="other checks, all of them")
    edit.add_argument("--critical", choices=("yes", "no"), help="whether a proposal that breaks it must not pass")
    values.signing(edit)


def _remember(below: Commands) -> None:
    remember = below.add(
        "remember",
        "make a scenario of what went wrong in a session",
        'scenario remember 20261120_101500_a1b2c3 --note "invents a date"',
        handler="scenarios.remember",
    )
    remember.add_argument("session_id", type=values.line, metavar="SESSION_ID", help="of any part of the session")
    remember.add_argument("--note", metavar="TEXT", help="what was wrong: it becomes the rubric of a judge")
    remember.add_argument("--first", action="store_true", help="what was asked first in it, instead of last")
    values.its_target(remember)


def _files(below: Commands) -> None:
    take_in = below.add(
        "import",
        "add the scenarios of a file, all or none; those that are there already are skipped",
        "scenario import scenarios.yaml --target coder",
        "scenario import - < scenarios.jsonl",
        handler="scenario_files.take_in",
    )
    take_in.add_argument("file", metavar="FILE", help="YAML (a list) or JSONL; '-' reads standard input")
    take_in.add_argument(
        "--split",
        choices=("train", "holdout", "auto"),
        default="train",
        help="of those that name none (default: train); auto: beside what they are like, else by lot",
    )
    values.its_target(take_in, "whose they become")
    hand_out = below.add(
        "export",
        "write a profile's scenarios as a file that can be imported",
        "scenario export --output scenarios.yaml",
        "scenario export --form jsonl > scenarios.jsonl",
        handler="scenario_files.hand_out",
        exits=("3  refused: held-out scenarios are locked, or the file is there already",),
    )
    hand_out.add_argument("--form", choices=("yaml", "jsonl"), default="yaml", help="default: yaml")
    hand_out.add_argument("--output", type=values.line, metavar="FILE", help="a new file, instead of standard output")
    hand_out.add_argument("--holdout", action="store_true", help="also the held-out ones, while they are unlocked")
    values.its_target(hand_out, "whose scenarios")
    below.add(
        "schema",
        "the JSON Schema of one scenario in a file",
        "scenario schema > scenario.schema.json",
        handler="scenario_files.schema",
    )
