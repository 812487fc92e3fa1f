"""``hermes ratchet metrics``: a profile's figures per window of time, and what its sessions usually bring along."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from .. import host
from ..errors import BadInput
from ..observation import snapshots
from ..observation.snapshots import Rates, Snapshot
from . import render, session
from .output import Answer
from .render import Column

if TYPE_CHECKING:
    from ..ratchet.context import Context

_FIGURES = (Column("errors"), Column("warnings"), Column("retries"), Column("tokens"), Column("cost"))
_WINDOWS = (Column("profile", takes_rest=True), Column("ended", 9), Column("sessions"), *_FIGURES)
_PER_SESSION = (Column("per session", takes_rest=True), Column("sessions"), *_FIGURES)


def show(args: Namespace) -> Answer:
    """The windows of one profile, or the newest one of each; beside them the usual figures of those before it."""
    if args.collect and args.target is None:
        raise BadInput("Which profile? Say: hermes ratchet metrics PROFILE --collect")
    with session.opened() as context:
        found = _windows(context, args)
        usual = {profile: _usual(context, profile, found) for profile in dict.fromkeys(one.profile for one in found)}
    document = {
        "metrics": [asdict(one) for one in found],
        "baselines": {profile: asdict(rates) for profile, rates in usual.items()},
    }
    return Answer(document, lambda console: _show(console, found, usual))


def _windows(context: Context, args: Namespace) -> list[Snapshot]:
    if args.target is None:
        return snapshots.newest_of_each(context)
    profile = host.profile(args.target).name
    if args.collect:
        snapshots.collect(context, profile)
    return snapshots.list_snapshots(context, profile=profile, limit=args.limit)


def _usual(context: Context, profile: str, found: Sequence[Snapshot]) -> Rates:
    newest = next(one.id for one in found if one.profile == profile)
    return snapshots.baseline(context, profile, before=newest)


def _show(console: Console, found: Sequence[Snapshot], usual: Mapping[str, Rates]) -> None:
    if not found:
        render.say(
            console, "Nothing was collected yet. The daemon does so; or: hermes ratchet metrics PROFILE --collect"
        )
        return
    console.print(render.table(_WINDOWS, [_window(one) for one in found]))
    for profile, before in usual.items():
        newest = next(one for one in found if one.profile == profile)
        rows = [("newest window", snapshots.rates([newest])), (f"{before.windows} before it", before)]
        console.print()
        render.heading(console, f"{profile}, per session")
        console.print(render.table(_PER_SESSION, [_rates(*row) for row in rows]))
        for logger in _loudest(newest):
            render.say(console, logger, "dim")


def _window(one: Snapshot) -> tuple[object, ...]:
    cost = None if one.cost is None else f"${one.cost:.4f}"
    figures = (one.error_count, one.warn_count, one.retries, one.tokens, cost)
    return (one.profile, render.ago(one.window_ended_at), one.sessions_count, *figures)


def _rates(name: str, rates: Rates) -> tuple[object, ...]:
    cost = None if rates.cost is None else f"${rates.cost:.4f}"
    few = [None if figure is None else f"{figure:.2f}" for figure in (rates.errors, rates.warnings, rates.retries)]
    return (name, rates.sessions, *few, None if rates.tokens is None else round(rates.tokens), cost)


def _loudest(newest: Snapshot) -> list[str]:
    """Where most of the newest window's errors and warnings come from."""
    loggers = json.loads(newest.payload)["log"]["loggers"]
    ranked = sorted(loggers, key=lambda name: (-loggers[name]["errors"], -loggers[name]["warnings"], name))
    return [f"{name}: {loggers[name]['errors']} errors, {loggers[name]['warnings']} warnings" for name in ranked[:5]]
