"""The words that only look: what stands where, what there is, what was done and what it cost."""

from __future__ import annotations

from . import values
from .grammar import Commands


def add(commands: Commands) -> None:
    commands.group("look")
    status = commands.add(
        "status",
        "what stands where, profile by profile",
        "status",
        "status --target coder --watch",
        "status --json --watch",
        handler="operating.status",
    )
    values.only_target(status)
    values.watched(status)
    _list(commands)
    _of_one(commands)
    _metrics(commands)
    _changes(commands)


def _list(commands: Commands) -> None:
    listing = commands.add(
        "list",
        "the experiments, newest first",
        "list --state proposed",
        "list --target coder --limit 50 --before 120",
        handler="changes.list_all",
    )
    values.only_target(listing)
    values.in_state(listing, values.STATES)
    values.limited(listing, 20)
    listing.add_argument("--before", type=values.identifier, metavar="ID", help="only those older than this one")
    values.watched(listing)


def _of_one(commands: Commands) -> None:
    values.identified(
        commands.add(
            "diff",
            "the proposed change as a unified diff",
            "diff 3",
            "diff 3 > change.patch",
            handler="changes.diff",
        )
    )
    values.identified(
        commands.add("history", "every step an experiment took, and by whom", "history 3", handler="changes.history")
    )


def _metrics(commands: Commands) -> None:
    metrics = commands.add(
        "metrics",
        "sessions, errors, warnings, tokens and cost by window",
        "metrics default",
        "metrics coder --collect --json",
        handler="metrics.show",
    )
    metrics.add_argument(
        "target", type=values.line, nargs="?", metavar="PROFILE", help="default: the newest window of every profile"
    )
    values.limited(metrics, 20)
    metrics.add_argument("--collect", action="store_true", help="first take in what is new, as one more window")


def _changes(commands: Commands) -> None:
    changes = commands.add(
        "changes",
        "guarded files that changed without an experiment",
        "changes --diff",
        handler="watching.changes",
    )
    changes.add_argument("target", type=values.line, nargs="?", metavar="PROFILE", help="default: every profile")
    changes.add_argument("--diff", action="store_true", help="with what changed in them")
    agree = commands.add(
        "acknowledge", "agree to such a change", "acknowledge default SOUL.md", handler="watching.acknowledge"
    )
    agree.add_argument("target", type=values.line, metavar="PROFILE", help="whose file it is")
    agree.add_argument("file", type=values.line, metavar="FILE", help="the file, as changes names it")
    agree.add_argument("--event", type=values.identifier, metavar="ID", help="only if nothing came after this event")
