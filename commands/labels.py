"""The commands about single results: list them, and say of one whether it was good enough."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from .. import host
from ..errors import Forbidden
from ..evaluation import labels
from . import experiment_views as views
from . import render, session
from .output import Answer
from .render import Column

if TYPE_CHECKING:
    from ..evaluation.labels import LabelledResult

_OUTCOMES = {1: "pass", 0: "fail", None: None}
_LIST = (
    Column("#"),
    Column("scenario", takes_rest=True),
    Column("arm"),
    Column("run"),
    Column("result"),
    Column("label"),
    Column("why", takes_rest=True),
)


class LabelRefused(Forbidden):
    code = "label_refused"


def label(args: Namespace) -> Answer:
    if host.inside_agent():
        raise LabelRefused(
            "Whether a result is good is for a person to say, and this is an agent's tool shell. "
            "Say it in a terminal of your own."
        )
    with session.opened() as context:
        given = labels.label(context, args.id, args.verdict == "pass", session.actor(), args.note)
    return Answer({"ok": True, **asdict(given)}, views.sentence(f"Kept: {args.verdict}, for result {args.id}."))


def results(args: Namespace) -> Answer:
    """The results of an experiment; ``--to-label`` leaves out whatever could sway a person, the judge's word too."""
    with session.opened() as context:
        found = labels.list_results(context, args.id, unlabelled=args.to_label, limit=args.limit)
    if args.to_label:
        blind = [{"id": one.id, "scenario": one.scenario, "asked": one.asked, "answer": one.answer} for one in found]
        return Answer({"results": blind}, lambda console: _to_label(console, found))
    return Answer({"results": [asdict(one) for one in found]}, lambda console: _listing(console, found))


def _listing(console: Console, found: list[LabelledResult]) -> None:
    if not found:
        render.say(console, "No results. Evaluate the experiment first: hermes ratchet evaluate N")
        return
    rows = [
        (
            one.id,
            one.scenario,
            one.arm,
            one.repeat + 1,
            _OUTCOMES[one.passed] or "no result",
            _OUTCOMES[one.label],
            one.judge_rationale or one.no_result_reason,
        )
        for one in found
    ]
    console.print(render.table(_LIST, rows))


def _to_label(console: Console, found: list[LabelledResult]) -> None:
    for one in found:
        render.heading(console, f"Result {one.id}: {one.scenario}")
        render.labelled(console, "asked", one.asked)
        render.labelled(console, "answer", one.answer)
        console.print()
    render.say(
        console, "Say of each: hermes ratchet label N pass|fail" if found else "Every result has a label.", "dim"
    )
