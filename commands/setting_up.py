"""The commands around the plugin itself: init, doctor, install-service, uninstall, demo."""

from __future__ import annotations

import io
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..errors import ApprovalRefused, BadInput
from . import render
from .exits import Exit
from .output import Answer

if TYPE_CHECKING:
    from ..installation.findings import Finding
    from ..installation.init import SetUp
    from ..installation.uninstall import Item


def init(args: Namespace) -> Answer:
    from ..installation.init import initialise

    done = initialise(args.target, args.approval or _asked_approval(args))
    document = {
        "steps": [asdict(step) for step in done.steps],
        "approval": done.approval,
        "reviewers": list(done.reviewers),
    }
    return Answer(document, lambda console: _set_up(console, done))


def _asked_approval(args: Namespace) -> str | None:
    """The person's choice, asked only on a terminal and only while nobody can approve; None leaves it as it is."""
    from .. import host
    from ..installation.init import has_reviewers

    asks = _at_terminal() and not (args.yes or args.json)
    if not asks or host.settings().approval == "unsigned" or has_reviewers():
        return None
    print(
        "Approvals are signed with a reviewer's key, which you make next: hermes ratchet reviewer add NAME\n"
        "Without keys, whoever runs the command approves, and every approval is marked as unsigned."
    )
    return "unsigned" if _yes("Allow unsigned approvals?") else None


def _set_up(console: Console, done: SetUp) -> None:
    for step in done.steps:
        sign = "+" if step.changed else " "
        render.verbatim(console, f"{sign} {step.kind.replace('_', ' '):14}  {step.where}: {step.note}")
    if done.approval == "unsigned":
        render.say(
            console, "Approvals are UNSIGNED: whoever runs the command, or opens the dashboard, approves.", "yellow"
        )
    elif not done.reviewers:
        render.say(console, "Nobody can approve yet: add a reviewer: hermes ratchet reviewer add NAME", "yellow")
        render.say(console, "To allow it without keys: hermes ratchet init --approval unsigned", "dim")
    render.say(console, 'Next: hermes ratchet new --replace "OLD" "NEW", and hermes ratchet daemon to have it watched.')


def doctor(_: Namespace) -> Answer:
    from ..installation.doctor import examine
    from ..installation.findings import Severity

    found = examine()
    sound = all(finding.severity is not Severity.PROBLEM for finding in found)
    waiting = sum(finding.severity is Severity.NOTE for finding in found)
    document = {"ok": sound, "waiting": waiting, "findings": [asdict(finding) for finding in found]}
    return Answer(document, lambda console: _diagnosis(console, found), Exit.OK if sound else Exit.FAILED)


def _diagnosis(console: Console, found: Sequence[Finding]) -> None:
    for finding in found:
        render.labelled(console, finding.severity, finding.what)
        if finding.fix:
            render.verbatim(console, f"    fix: {finding.fix}")
    problems, notes = (sum(one.severity == severity for one in found) for severity in ("problem", "note"))
    render.say(console, _conclusion(problems, notes), "bold")


def _conclusion(problems: int, notes: int) -> str:
    """Whoever reads only the last line must not think that nothing waits for them."""
    noted = f"{notes} note{'s' if notes > 1 else ''}" if notes else ""
    if problems:
        return f"{problems} problem{'s' if problems > 1 else ''}{f', {noted}' if noted else ''}."
    return f"Nothing is broken; {noted} above {'wait' if notes > 1 else 'waits'} for you." if notes else "All is well."


def service(_: Namespace) -> Answer:
    from ..installation.pinning import install_service

    unit, pinned = install_service()
    commands = list(unit.commands)
    document = {"path": str(unit.path), "changed": unit.changed, "commands": commands, "pinned": pinned}

    def view(console: Console) -> None:
        if pinned:
            render.verbatim(console, f"pinned reviewers  {pinned}")
        else:
            render.say(console, "No reviewer is pinned: there is none yet. Add one, then run this again.", "yellow")
        render.say(console, f"{unit.path} {'is written' if unit.changed else 'was as it should be'}. To start it:")
        for command in unit.commands:
            render.verbatim(console, f"  {command}")

    return Answer(document, view)


def uninstall(args: Namespace) -> Answer:
    from ..installation.uninstall import uninstall as take_away

    _check_person()
    if args.delete_data and not args.yes:
        _confirm_deletion()
    items = take_away(delete_data=args.delete_data, leave_live=args.leave_live)
    document = {
        "removed": [asdict(item) for item in items if item.removed],
        "kept": [asdict(item) for item in items if not item.removed],
    }
    return Answer(document, lambda console: _taken_away(console, items))


def _check_person() -> None:
    """What keeps an agent from its own approval does not go away at its word."""
    from .. import host
    from ..installation.init import has_reviewers

    if host.inside_agent() and has_reviewers():
        raise ApprovalRefused("An agent cannot take its reviewers away. Uninstall in a terminal of your own.")


def _confirm_deletion() -> None:
    if not _at_terminal():
        raise BadInput(
            "--delete-data also deletes the history of every change and the reviewers' private keys. Without a "
            "terminal, add --yes."
        )
    if not _yes("Delete the database with the history of every change, and the reviewers' private keys?"):
        raise BadInput("Nothing was removed.")


def _taken_away(console: Console, items: Sequence[Item]) -> None:
    for title, removed in (("Removed", True), ("Kept", False)):
        render.heading(console, title)
        chosen = [item for item in items if item.removed is removed]
        for item in chosen:
            render.verbatim(console, f"  {item.kind:8} {item.where}")
            if item.note:
                render.say(console, f"           {item.note}", "dim")
        if not chosen:
            render.say(console, "  nothing")


def demo(args: Namespace) -> Answer:
    from ..demo.__main__ import main

    words = [word for word, wanted in (("--headless", args.headless), ("--keep", args.keep)) if wanted]
    if not args.json:
        return Answer({}, lambda _: None, Exit(main(words)))
    printed = io.StringIO()
    with redirect_stdout(printed):
        code = main([*words, "--headless"])
    return Answer(_last_line(printed.getvalue()) or {"ok": False}, lambda _: None, Exit(code))


def _last_line(text: str) -> dict[str, Any] | None:
    """The summary with which a demonstration that nobody decides ends; None when it did not get there."""
    try:
        found = json.loads(text.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _yes(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
