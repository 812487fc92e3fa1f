"""The words about what changes are measured on: scenarios, single results, and what a person says of a session."""

from __future__ import annotations

from . import scenario_files, values
from .grammar import Commands


def add(commands: Commands) -> None:
    commands.group("what it is measured on")
    _scenario(commands)
    results = commands.add(
        "results",
        "every single result of an experiment's evaluations",
        "results 3",
        "results 3 --to-label",
        handler="labels.results",
    )
    values.identified(results)
    results.add_argument("--to-label", action="store_true", help="only unlabelled ones, without arm and verdict")
    values.limited(results, 200)
    label = commands.add(
        "label",
        "say whether a result is good enough",
        'label 12 fail --note "invents a date"',
        handler="labels.label",
        exits=("3  refused: in a shell that an agent opened",),
    )
    values.identified(label, "the result's number, as results names it")
    label.add_argument("verdict", choices=("pass", "fail"), help="what you say of it")
    label.add_argument("--note", default="", metavar="TEXT", help="why")
    for word, example in (("good", "good"), ("bad", 'bad 20261120_101500_a1b2c3 --note "wrong dates"')):
        said = commands.add(word, f"say that a session went {word}", example, handler=f"session_feedback.{word}")
        said.add_argument(
            "session_id", type=values.line, nargs="?", metavar="SESSION_ID", help="default: the one that just went on"
        )
        values.its_target(said)
        said.add_argument("--note", metavar="TEXT", help="why")


def _scenario(commands: Commands) -> None:
    scenario = commands.add(
        "scenario",
        "the scenarios: list, add, show, edit, unlock and more",
        "scenario list",
        "scenario add --help",
    )
    below = Commands(scenario, "commands")
    listing = below.add(
        "list", "the scenarios of a profile, or all", "scenario list --target coder", handler="scenarios.list_all"
    )
    values.only_target(listing)
    listing.add_argument("--holdout", action="store_true", help="also name the held-out ones")
    _add_scenario(below)
    values.identified(
        below.add("show", "one scenario with its checks", "scenario show 3", handler="scenarios.show"),
        "the scenario's number",
    )
    delete = below.add(
        "delete",
        "take a scenario out of use",
        "scenario delete 3",
        handler="scenarios.delete",
        exits=("3  refused: a held-out one takes a reviewer's signature",),
    )
    values.identified(delete, "the scenario's number")
    values.signing(delete)
    scenario_files.add(below)
    _unlock(below)
    _holdout(below)


def _add_scenario(below: Commands) -> None:
    add = below.add(
        "add",
        "add a scenario",
        """scenario add --name greeting --input "Say hello" \\
      --checks '[{"type": "must_contain", "value": "hello"}]'""",
        "scenario add --name letter --input - --critical < letter.txt",
        handler="scenarios.add",
    )
    values.its_target(add)
    add.add_argument(
        "--name", type=values.line, required=True, metavar="TEXT", help="a short name, unique in the profile"
    )
    add.add_argument("--input", required=True, metavar="TEXT", help="what the agent is asked; '-' reads standard input")
    add.add_argument("--checks", default="[]", metavar="JSON", help="a list of checks that all must pass")
    add.add_argument("--holdout", action="store_true", help="hold it out: never shown, never used for proposals")
    add.add_argument("--critical", action="store_true", help="a proposal that breaks it must not pass")


def _unlock(below: Commands) -> None:
    unlock = below.add(
        "unlock",
        "show a profile's held-out scenarios for ten minutes",
        "scenario unlock --target coder --as ana",
        handler="scenarios.unlock",
        exits=("3  refused: no reviewer, or not rightly signed",),
    )
    values.its_target(unlock, "whose scenarios")
    values.signing(unlock)


def _holdout(below: Commands) -> None:
    used = below.add(
        "holdout",
        "how often a profile's held-out scenarios were asked",
        "scenario holdout --target coder",
        handler="holdout.usage",
    )
    values.its_target(used, "whose scenarios")
    rotate = below.add(
        "rotate",
        "hold out other scenarios, drawn by lot; those held out until now are shown",
        "scenario rotate --target coder --as ana",
        handler="holdout.rotate",
        exits=("3  refused: too few scenarios, no reviewer, or not rightly signed",),
    )
    values.its_target(rotate, "whose scenarios")
    values.signing(rotate)
