"""The commands about held-out scenarios as a set: how worn it is, and drawing another one."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from rich.console import Console

from ..evaluation.scenario import holdout
from ..evaluation.scenario.holdout import Rotation, Usage
from ..ratchet.signing.questions import Question
from ..reviewing.payload import Purpose
from . import render, session, signing
from .output import Answer


def usage(args: Namespace) -> Answer:
    """How often the held-out set of a profile was asked, and how often it may be."""
    with session.opened() as context:
        found = holdout.usage(context, session.target(args.target))
    return Answer(asdict(found), lambda console: _usage(console, found))


def rotate(args: Namespace) -> Answer:
    """Hold out other scenarios; where some are held out already, that shows them, and a reviewer signs it."""
    with session.opened() as context:
        profile, actor, signed = session.target(args.target), session.actor(), None
        if holdout.holds_any_out(context, profile):
            signed = signing.signed_here(context, Question(Purpose.ROTATE_HOLDOUT, profile=profile), actor, args.by)
        done = holdout.rotate(context, profile, actor, signed)
    return Answer({"ok": True, **asdict(done)}, lambda console: _rotated(console, done))


def _usage(console: Console, found: Usage) -> None:
    render.heading(console, f"Held-out scenarios of profile {found.profile}")
    render.facts(
        console,
        [
            ("scenarios", found.scenarios),
            ("version", found.version),
            ("since", render.ago(found.since) if found.since else "the beginning"),
            ("asked about", f"{found.confirmations} of {found.planned} changes"),
            ("shown", f"{found.reveals} times, by a reviewer" if found.reveals else "never"),
        ],
    )
    if found.confirmations >= found.planned:
        render.say(console, "It is used up. Hold out others: hermes ratchet scenario rotate", "dim")


def _rotated(console: Console, done: Rotation) -> None:
    render.say(
        console,
        f"Version {done.version} of the held-out set of profile {done.profile}: {len(done.held_out)} scenarios were "
        f"drawn by lot, and {len(done.released)} are train scenarios from now on. Reports from before do not count for "
        "approvals any more.",
    )
