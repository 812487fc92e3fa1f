"""The commands about what changed without an experiment, and about who is told: changes, acknowledge, notify."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from .. import host
from ..notifying import notifier
from ..notifying.notifier import TargetState, Trial
from ..notifying.watchdog import note_dead_daemon
from ..watching import guarded, waiting
from ..watching.changes import Change
from . import experiment_views as views
from . import render, session
from .exits import Exit
from .output import Answer
from .render import Column

_CHANGES = (
    Column("profile", most=18),
    Column("file", takes_rest=True),
    Column("what"),
    Column("probably by", most=16),
    Column("noticed", 10),
)
_TARGETS = (Column("target", takes_rest=True), Column("waiting"), Column("sent"), Column("last error", most=32))


def changes(args: Namespace) -> Answer:
    with session.opened() as context:
        names = (
            [session.target(args.target)] if args.target is not None else [profile.name for profile in host.profiles()]
        )
        for name in names:
            guarded.watch(context, name)
        found = [change for name in names for change in waiting.unacknowledged(context, name)]
        diffs = {change.event_id: waiting.diff(context, change) for change in found} if args.diff else {}
    document = {"changes": [{**asdict(change), "diff": diffs.get(change.event_id)} for change in found]}
    return Answer(document, lambda console: _show_changes(console, found, diffs))


def _show_changes(console: Console, found: Sequence[Change], diffs: dict[int, str | None]) -> None:
    if not found:
        render.say(console, "Every guarded file is as an experiment, or a person who agreed, left it.")
        return
    rows = [(c.profile, c.relpath, c.what, c.author, render.ago(c.noticed_at)) for c in found]
    console.print(render.table(_CHANGES, rows))
    for change in found:
        if text := diffs.get(change.event_id):
            render.diff(console, text)
    render.say(console, "Agree to one: hermes ratchet acknowledge PROFILE FILE")


def acknowledge(args: Namespace) -> Answer:
    with session.opened() as context:
        profile = session.target(args.target)
        done = waiting.acknowledge(context, profile, args.file, session.actor(), event_id=args.event)
    text = f"Agreed: {done.profile}/{done.relpath} stays as it is."
    return Answer({"ok": True, **asdict(done)}, views.sentence(text))


def notify(args: Namespace) -> Answer:
    """Tell what is still to be told, or try the targets; for a timer that runs beside the daemon."""
    with session.opened() as context:
        if args.test:
            return _tried(notifier.try_targets(context))
        note_dead_daemon(context)
        told = notifier.tell_now(context)
    failed = any(target.last_error for target in told)
    return Answer(
        {"targets": [asdict(target) for target in told]},
        lambda console: _show_targets(console, told),
        Exit.FAILED if failed else Exit.OK,
    )


def _tried(trials: Sequence[Trial]) -> Answer:
    lines = [f"{trial.label}: {trial.error or 'delivered'}" for trial in trials] or [_NOBODY]
    failed = any(trial.error for trial in trials)
    return Answer(
        {"trials": [asdict(trial) for trial in trials]},
        views.sentence("\n".join(lines)),
        Exit.FAILED if failed else Exit.OK,
    )


_NOBODY = "Nobody is to be told: notify.targets in config.yaml is empty."


def _show_targets(console: Console, told: Sequence[TargetState]) -> None:
    if not told:
        render.say(console, _NOBODY)
        return
    console.print(render.table(_TARGETS, [(one.label, one.waiting, one.sent, one.last_error) for one in told]))
