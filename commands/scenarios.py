"""The commands about scenarios: list, add, show, delete."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from ..errors import BadInput
from ..evaluation import scenarios
from ..ratchet.signing.questions import Question
from ..reviewing.payload import Purpose
from . import experiment_views as views
from . import render, session, signing
from .output import Answer
from .render import Column

if TYPE_CHECKING:
    from ..evaluation.scenarios import Scenario

_MAX_READ = 1 << 20
_LIST = (
    Column("#"),
    Column("profile"),
    Column("split"),
    Column("name", takes_rest=True),
    Column("checks", takes_rest=True),
    Column("source"),
)


def list_all(args: Namespace) -> Answer:
    with session.opened() as context:
        found = scenarios.list_scenarios(context, session.only(args.target), include_holdout=args.holdout)
    return Answer({"scenarios": [asdict(one) for one in found]}, lambda console: _listing(console, found))


def add(args: Namespace) -> Answer:
    text = _standard_input() if args.input == "-" else args.input
    profile = session.target(args.target)
    with session.opened() as context:
        made = scenarios.add_scenario(
            context,
            profile,
            args.name,
            text,
            args.checks,
            session.actor(),
            holdout=args.holdout,
            critical=args.critical,
        )
    text = f"Scenario {made.id} is added to profile {session.named(args, made.profile)}."
    if not json.loads(made.checks):
        text += " It has no checks, so it gives no verdict: it only shows what both versions answer."
    return Answer({"scenario_id": made.id}, views.sentence(text))


def show(args: Namespace) -> Answer:
    with session.opened() as context:
        found = scenarios.get_scenario(context, args.id)
    return Answer({"scenario": asdict(found)}, lambda console: _full(console, found))


def delete(args: Namespace) -> Answer:
    with session.opened() as context:
        found, actor, signed = scenarios.get_scenario(context, args.id), session.actor(), None
        if found.holdout:
            question = Question(Purpose.DELETE_HOLDOUT, profile=found.profile, scenario=found.id)
            signed = signing.signed_here(context, question, actor, args.by)
        scenarios.delete_scenario(context, args.id, actor, signed)
    text = f"Scenario {args.id} is out of use; the results it gave are kept."
    return Answer({"ok": True, "scenario_id": args.id}, views.sentence(text))


def _standard_input() -> str:
    found = sys.stdin.read(_MAX_READ + 1)
    if len(found) > _MAX_READ:
        raise BadInput("The input of a scenario is too long.")
    return found


def _listing(console: Console, found: list[Scenario]) -> None:
    if not found:
        render.say(console, "No scenarios. Add one: hermes ratchet scenario add --help")
        return
    rows = [(s.id, s.profile, _split(s), s.name, _checks(s), s.source) for s in found]
    console.print(render.table(_LIST, rows))


def _split(scenario: Scenario) -> str:
    return "holdout" if scenario.holdout else "train"


def _checks(scenario: Scenario) -> str | None:
    """The kinds of checks; a held-out scenario shows none."""
    if not scenario.checks:
        return None
    return ", ".join(check["type"] for check in json.loads(scenario.checks)) or "none: gives no verdict"


def _full(console: Console, scenario: Scenario) -> None:
    render.heading(console, f"Scenario {scenario.id}: {scenario.name}")
    render.facts(
        console,
        [
            ("profile", scenario.profile),
            ("split", _split(scenario)),
            ("critical", "yes" if scenario.critical else "no"),
            ("source", scenario.source),
            ("created", render.ago(scenario.created_at)),
        ],
    )
    if scenario.holdout and not scenario.checks:
        render.say(console, "It is held out: its input and checks are not shown.", "dim")
        return
    console.print()
    render.say(console, scenario.input)
    console.print()
    for check in json.loads(scenario.checks):
        render.say(console, f"  {json.dumps(check, ensure_ascii=False)}")
