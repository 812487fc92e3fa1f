"""The commands that move scenarios in and out of files, and the one that says what is wrong with them."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInput, Conflict
from ..evaluation.scenario import files, linting, starters
from ..evaluation.scenario.documents import MAX_CHARACTERS
from ..evaluation.scenario.files import Exported, Form, Imported, Split
from ..evaluation.scenario.linting import Lint
from ..evaluation.scenario.texts import told
from . import given, render, session
from .exits import Exit
from .output import Answer
from .plain import one_line
from .render import Column

if TYPE_CHECKING:
    from rich.console import Console

    from ..evaluation.scenario.starters import Offered

_MAX_BYTES = 4 * MAX_CHARACTERS


class FileThere(Conflict):
    """A file of that name exists; nothing is written over."""

    code = "file_there"


def take_in(args: Namespace) -> Answer:
    """Add the scenarios of a file."""
    document = _read(args.file)
    profile = session.target(args.target)
    with session.opened() as context:
        found = files.import_scenarios(context, profile, document, session.actor(), Split(args.split))
    answer = {
        "profile": profile,
        "added": [one.id for one in found.added],
        "skipped": [asdict(one) for one in found.skipped],
        "replaced": [asdict(one) for one in found.replaced],
    }
    return Answer(answer, lambda console: _say_imported(console, session.named(args, profile), found))


def hand_out(args: Namespace) -> Answer:
    """Write the scenarios of a profile to a new file, or to standard output."""
    profile = session.target(args.target)
    with session.opened() as context:
        found = files.export_scenarios(context, profile, session.actor(), Form(args.form), holdout=args.holdout)
    if args.output is not None:
        _write_new(Path(args.output), found.text)
    answer = {
        "profile": profile,
        "scenarios": found.scenarios,
        "left_out": found.left_out,
        "path": args.output,
        "text": found.text if args.output is None else None,
    }
    return Answer(answer, lambda console: _say_exported(console, args.output, found))


def schema(_: Namespace) -> Answer:
    """The JSON Schema of a scenario in a file."""
    found = files.json_schema()
    return Answer(found, lambda console: render.verbatim(console, json.dumps(found, indent=2)))


def offered(args: Namespace) -> Answer:
    """What the templates make of a profile's SOUL.md, and add what is missing if asked."""
    profile = session.target(args.target)
    with session.opened() as context:
        added = starters.add_missing(context, profile, session.actor()) if args.add else []
        found = starters.offered(context, profile)
    answer = {
        "profile": profile,
        "templates": [asdict(one) for one in found],
        "added": [one.id for one in added],
    }
    return Answer(answer, lambda console: _say_offered(console, found, len(added) if args.add else None))


def lint(args: Namespace) -> Answer:
    """What is wrong with the scenarios of a profile."""
    profile = session.target(args.target)
    with session.opened() as context:
        found = linting.lint(context, profile)
    code = Exit.OK if found.ok else Exit.FAILED
    return Answer({"ok": found.ok, **asdict(found)}, lambda console: _say_lint(console, found), code)


def _read(named: str) -> str:
    """The text of a file. Raises BadInput."""
    try:
        if named == "-":
            data = given.standard_input(_MAX_BYTES + 1)
        else:
            with open(named, "rb") as file:
                data = file.read(_MAX_BYTES + 1)
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"Line {line} of the file is not UTF-8. Save it as UTF-8 and try again.", line=line) from None
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise BadInput(f"'{one_line(named)}' cannot be read: {_why(error)}. Name another file.") from None


def _write_new(path: Path, text: str) -> None:
    """Raises FileThere, BadInput. Scenarios tell what people asked: the file is for its owner."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise FileThere(f"'{one_line(str(path))}' is there already. Name a new file.") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"'{one_line(str(path))}' cannot be written: {_why(error)}. Name another file.") from None


def _why(error: Exception) -> object:
    return error.strerror if isinstance(error, OSError) else error


def _say_imported(console: Console, profile: str, found: Imported) -> None:
    numbers = ", ".join(str(one.id) for one in found.added)
    render.say(console, f"{_counted(len(found.added))} added to profile {profile}{': ' if numbers else ''}{numbers}.")
    for one in found.skipped:
        same = "an earlier one of the file" if one.scenario_id is None else f"scenario {one.scenario_id}"
        render.say(console, f"Line {one.line}: '{one.name}' is skipped, it asks and checks the same as {same}.")
    drafts = [str(one.id) for one in found.added if one.is_draft]
    if drafts:
        render.say(console, f"Without checks, so drafts that no evaluation runs: {', '.join(drafts)}.")
    if found.replaced:
        render.say(console, told(found.replaced))


def _say_exported(console: Console, path: str | None, found: Exported) -> None:
    if path is None:
        # As it is: a file is read by programs, and a control character in a text stands there escaped.
        console.file.write(found.text)
        return
    render.say(console, f"{_counted(found.scenarios)} written to {path}.")
    if found.left_out:
        render.say(console, f"{found.left_out} held out and not in it; with --holdout, once they are unlocked.")


def _say_offered(console: Console, found: list[Offered], added: int | None) -> None:
    rows = [(one.name, one.scenario_id or "not added") for one in found]
    console.print(render.table((Column("template", takes_rest=True), Column("scenario")), rows))
    if added is not None:
        render.say(console, f"{_counted(added)} added.")


def _say_lint(console: Console, found: Lint) -> None:
    if not found.findings:
        render.say(console, f"Nothing to put right in {_counted(found.looked_at)} of profile '{found.profile}'.")
    for one in found.findings:
        render.labelled(console, one.severity.value, f"scenario {one.scenario_id} ({one.name}): {one.what}")
    if found.locked:
        render.say(console, f"{found.locked} held out: not looked at while they are locked.", "dim")


def _counted(number: int) -> str:
    return f"{number} scenario{'' if number == 1 else 's'}"
