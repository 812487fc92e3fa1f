"""The commands about single scenarios: list, add, show, edit, remember, delete, restore, unlock."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from ..errors import BadInput
from ..evaluation.scenario import from_session, scenarios
from ..evaluation.scenario.texts import cleaned, told
from ..ratchet.signing import unlocking
from ..ratchet.signing.questions import Question
from ..reviewing.payload import Purpose
from . import experiment_views as views
from . import given, render, session, signing
from .output import Answer
from .render import Column

if TYPE_CHECKING:
    from ..evaluation.scenario.scenarios import ListedScenario, Scenario
    from ..evaluation.scenario.texts import Replaced

_MAX_READ = 1 << 20
_LIST = (
    Column("#"),
    Column("profile", most=18),
    Column("split"),
    Column("name", takes_rest=True),
    Column("checks", takes_rest=True),
    Column("source"),
)


def list_all(args: Namespace) -> Answer:
    with session.opened() as context:
        found = scenarios.list_scenarios(context, session.only(args.target), include_holdout=args.holdout)
        shown = scenarios.listed(found)
    return Answer({"scenarios": [asdict(one) for one in shown]}, lambda console: _listing(console, shown))


def add(args: Namespace) -> Answer:
    asked = _standard_input() if args.input == "-" else args.input
    profile = session.target(args.target)
    with session.opened() as context:
        made = scenarios.add_scenario(
            context,
            profile,
            args.name,
            asked,
            args.checks,
            session.actor(),
            holdout=args.holdout,
            critical=args.critical,
        )
    shown = scenarios.listed([made])[0]
    text = f"Scenario {made.id} is added to profile {session.named(args, made.profile)}."
    return _kept(shown, text, cleaned(args.name, asked, args.checks).replaced)


def edit(args: Namespace) -> Answer:
    asked = _standard_input() if args.input == "-" else args.input
    critical = None if args.critical is None else args.critical == "yes"
    changes = {"name": args.name, "input_text": asked, "checks": args.checks, "critical": critical}
    if all(value is None for value in changes.values()):
        raise BadInput("Say what to change: --name, --input, --checks or --critical.")
    with session.opened() as context:
        before = scenarios.get_scenario(context, args.id)
        actor, signed = session.actor(), None
        if before.holdout and before.critical and critical is False:
            question = Question(Purpose.UNCRITICAL_HOLDOUT, profile=before.profile, scenario=before.id)
            signed = signing.signed_here(context, question, actor, args.by)
        made = scenarios.edit_scenario(context, args.id, actor, **changes, signed=signed)
        shown = scenarios.listed([made])[0]
    given = cleaned(args.name or "-", asked or "-", args.checks or "").replaced
    text = f"Scenario {made.id} is changed; the results it gave keep what it was."
    if made.holdout and not before.holdout:
        text += " It is held out from now on: its input and checks are not shown any more."
    return _kept(shown, text, given)


def remember(args: Namespace) -> Answer:
    profile = session.target(args.target)
    with session.opened() as context:
        made = from_session.draft_from_session(
            context, profile, args.session_id, args.note, session.actor(), first=args.first
        )
        shown = scenarios.listed([scenarios.get_scenario(context, made.id)])[0]
    text = f"Scenario {made.id} of profile {session.named(args, made.profile)} repeats what was asked in that session."
    if made.holdout:
        text += " It is held out, as its session fell: its text is not shown."
    said = [{"type": "judge", "rubric": args.note}] if (args.note or "").strip() else ""
    return _kept(shown, text, cleaned("-", "-", said).replaced)


def restore(args: Namespace) -> Answer:
    with session.opened() as context:
        found, actor, signed = scenarios.deleted_scenario(context, args.id), session.actor(), None
        if scenarios.needs_restoring(found):
            question = Question(Purpose.RESTORE_HOLDOUT, profile=found.profile, scenario=found.id)
            signed = signing.signed_here(context, question, actor, args.by)
        made = scenarios.restore_scenario(context, args.id, actor, signed)
    text = f"Scenario {args.id} ({made.name}) is in use."
    return Answer({"ok": True, "scenario_id": args.id}, views.sentence(text))


def show(args: Namespace) -> Answer:
    with session.opened() as context:
        found = scenarios.listed([scenarios.get_scenario(context, args.id)])[0]
    return Answer({"scenario": asdict(found)}, lambda console: _full(console, found))


def delete(args: Namespace) -> Answer:
    with session.opened() as context:
        found, actor, signed = scenarios.get_scenario(context, args.id), session.actor(), None
        if found.holdout:
            question = Question(Purpose.DELETE_HOLDOUT, profile=found.profile, scenario=found.id)
            signed = signing.signed_here(context, question, actor, args.by)
        scenarios.delete_scenario(context, args.id, actor, signed)
    text = (
        f"Scenario {args.id} is out of use; the results it gave are kept. "
        f"Take it back with: hermes ratchet scenario restore {args.id}"
    )
    return Answer({"ok": True, "scenario_id": args.id}, views.sentence(text))


def unlock(args: Namespace) -> Answer:
    """Show a profile's held-out scenarios for ten minutes, to whoever asks; a reviewer signs it."""
    with session.opened() as context:
        profile, actor = session.target(args.target), session.actor()
        question = Question(Purpose.REVEAL_HOLDOUT, profile=profile)
        signed = signing.signed_here(context, question, actor, args.by)
        until = unlocking.unlock(context, profile, actor, signed)
    text = (
        f"The held-out scenarios of profile {session.named(args, profile)} are shown until {until[11:19]} UTC, to "
        "whoever asks: hermes ratchet scenario list --holdout"
    )
    return Answer({"ok": True, "profile": profile, "until": until}, views.sentence(text))


def _kept(shown: ListedScenario, text: str, replaced: Sequence[Replaced]) -> Answer:
    """What was stored: its number, its split, why no evaluation runs it, and what was replaced in it."""
    answer = {
        "scenario_id": shown.id,
        "split": _split(shown),
        "not_run": shown.not_run,
        "replaced": [asdict(one) for one in replaced],
    }
    unused = f"No evaluation runs it yet: {shown.not_run}." if shown.not_run else ""
    return Answer(answer, views.sentence(" ".join(filter(None, (text, unused, told(replaced))))))


def _standard_input() -> str:
    found = given.standard_input(_MAX_READ + 1)
    if len(found) > _MAX_READ:
        raise BadInput("The input of a scenario is too long.")
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput("The input of a scenario is text in UTF-8, and this is not. Convert it and try again.") from None


def _listing(console: Console, found: list[ListedScenario]) -> None:
    if not found:
        render.say(console, "No scenarios. Add one: hermes ratchet scenario add --help")
        return
    rows = [(s.id, s.profile, _split(s), s.name, _checks(s), s.source) for s in found]
    console.print(render.table(_LIST, rows))


def _split(scenario: Scenario) -> str:
    return "holdout" if scenario.holdout else "train"


def _checks(scenario: ListedScenario) -> str | None:
    """The kinds of checks, and that it is not run, if so; a held-out scenario shows none."""
    if not scenario.checks:
        return None
    kinds = ", ".join(check["type"] for check in json.loads(scenario.checks))
    if scenario.is_draft:
        return "none: a draft, not run"
    return f"{kinds}: not run, no judge" if scenario.not_run else kinds


def _full(console: Console, scenario: ListedScenario) -> None:
    render.heading(console, f"Scenario {scenario.id}: {scenario.name}")
    render.facts(
        console,
        [
            ("profile", scenario.profile),
            ("split", _split(scenario)),
            ("critical", "yes" if scenario.critical else "no"),
            ("source", scenario.source),
            ("created", render.ago(scenario.created_at)),
            ("not run", scenario.not_run),
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
