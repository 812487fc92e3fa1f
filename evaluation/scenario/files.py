"""Scenarios from files and into files: YAML or JSONL, all of a file or nothing, the same file twice is once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, ValidationError

from ...errors import BadInput, Conflict, Forbidden, RatchetError
from ...privacy.documents import without_secrets
from ...ratchet import events
from ...ratchet.actor import Actor
from ...ratchet.context import Context
from ...ratchet.signing import unlocking
from ..checks import MAX_CHECKS, Check
from . import documents
from .documents import Entry
from .placement import Unplaced, belongs_to_holdout
from .scenarios import Scenario, in_use, insert_checked, made_of
from .texts import MAX_INPUT, MAX_NAME, Replaced, ScenarioText, cleaned, content_hash

if TYPE_CHECKING:
    from sqlalchemy import Connection

SOURCE = "file"
_LONGEST_FIELD = 60
_ATTEMPTS = 3


class Form(StrEnum):
    """How scenarios are written down."""

    YAML = "yaml"
    JSONL = "jsonl"


class Split(StrEnum):
    """The split of an imported scenario that names none; ``auto``: that of its twins, else by lot of its input."""

    TRAIN = "train"
    HOLDOUT = "holdout"
    AUTO = "auto"


class HoldoutLocked(Forbidden):
    """Held-out scenarios leave this machine only while a reviewer has them unlocked."""

    code = "holdout_locked"


class ScenarioEntry(BaseModel):
    """One scenario in a file: what the agent is asked, and the checks that its answer must all pass."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Scenario")

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME, description="Short, unique in the profile.")]
    input: Annotated[str, Field(min_length=1, max_length=MAX_INPUT, description="What the agent is asked.")]
    # Each is validated with the words that every other door uses.
    checks: list[SkipValidation[Check]] = Field(
        [], max_length=MAX_CHECKS, description="All must pass; without any it is a draft, which no evaluation runs."
    )
    split: Literal["train", "holdout"] | None = Field(
        None, description="'holdout': never shown, asked only to confirm."
    )
    critical: bool = Field(False, description="A proposal that breaks it must not pass.")


@dataclass(frozen=True)
class Skipped:
    """An entry that is there already: its line, its name in the file, and the scenario that asks and checks the same.

    ``scenario_id`` is None when an earlier line of the same file is what it repeats.
    """

    line: int
    name: str
    scenario_id: int | None


@dataclass(frozen=True)
class Imported:
    """What came of a file."""

    added: tuple[Scenario, ...]
    skipped: tuple[Skipped, ...]
    replaced: tuple[Replaced, ...]


@dataclass(frozen=True)
class Exported:
    """A file's text, how many scenarios are in it, and how many held-out ones are not."""

    text: str
    scenarios: int
    left_out: int


@dataclass(frozen=True)
class _Wanted:
    entry: Entry
    given: ScenarioEntry
    text: ScenarioText


@dataclass
class _Planned:
    """What is to be added to the scenarios that are ``there``, and what is there already."""

    there: list[Scenario]
    added: list[Scenario] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of one scenario in a file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ScenarioEntry.model_json_schema()}


def import_scenarios(
    context: Context, profile: str, document: str, actor: Actor, split: Split = Split.TRAIN
) -> Imported:
    """Add what the text of a file holds, all of it or nothing; what asks and checks the same as one in use is skipped.

    Raises UnknownProfile; BadInput, Conflict for a name in use or too many scenarios, and SplitNotDisjoint, each naming
    the line; Conflict when others change the scenarios all the time.
    """
    context.home(profile)
    wanted = [_wanted(entry) for entry in documents.read(document)]
    if not wanted:
        raise BadInput("The file holds no scenarios. See: hermes ratchet scenario import --help")
    for _ in range(_ATTEMPTS):
        planned = _planned(context, profile, wanted, split)
        # Comparing takes seconds, and whoever writes keeps everybody else from it: also a daemon that takes back.
        with context.store.write() as tx:
            if in_use(tx, profile) == planned.there:
                added = tuple(insert_checked(tx, one, actor) for one in planned.added)
                found = [replaced for one in wanted for replaced in _placed(one)]
                return Imported(added, tuple(planned.skipped), tuple(found))
    raise Conflict(f"Others change the scenarios of '{profile}' right now. Import the file again.", profile=profile)


def export_scenarios(
    context: Context, profile: str, actor: Actor, form: Form = Form.YAML, *, holdout: bool = False
) -> Exported:
    """The scenarios in use as the text of a file that can be imported; held-out ones only while they are unlocked.

    Secrets and personal data of rows from before they were looked for are replaced. Raises UnknownProfile,
    HoldoutLocked.
    """
    context.home(profile)
    with context.store.write() if holdout else context.store.read() as tx:
        found = in_use(tx, profile)
        if holdout:
            _check_unlocked(context, tx, profile)
            shown = sum(one.holdout for one in found)
            events.emit(tx, "holdout.exported", profile=profile, scenarios=shown, actor=actor.name)
    chosen = [one for one in found if holdout or not one.holdout]
    text = _written([_as_entry(one) for one in chosen], form)
    return Exported(text, len(chosen), len(found) - len(chosen))


def _planned(context: Context, profile: str, wanted: Sequence[_Wanted], split: Split) -> _Planned:
    """What a file would add today. Raises as :func:`import_scenarios` does."""
    with context.store.read() as tx:
        planned = _Planned(in_use(tx, profile))
    known: dict[str, int | None] = {content_hash(one.input, one.checks): one.id for one in planned.there}
    for one in wanted:
        if one.text.content_hash in known:
            planned.skipped.append(Skipped(one.entry.line(), one.text.name, known[one.text.content_hash]))
            continue
        planned.added.append(_made(profile, one, split, [*planned.there, *planned.added]))
        known[one.text.content_hash] = None
    return planned


def _wanted(entry: Entry) -> _Wanted:
    """Raises BadInput naming the line and the field."""
    try:
        given = ScenarioEntry.model_validate(entry.value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        line, where = entry.line(*first["loc"]), ".".join(map(str, first["loc"]))[:_LONGEST_FIELD]
        why = f"{where}: {first['msg']}" if where else "a scenario is a mapping with name, input and checks"
        raise BadInput(f"Line {line}: {why}. Correct it and import the file again.", line=line) from None
    with _on_line(entry):
        return _Wanted(entry, given, cleaned(given.name, given.input, given.checks))


def _made(profile: str, one: _Wanted, split: Split, known: Sequence[Scenario]) -> Scenario:
    chosen = one.given.split or split
    holdout = chosen == Split.HOLDOUT
    if chosen == Split.AUTO and one.given.checks:
        holdout = belongs_to_holdout(profile, Unplaced(one.text.input, SOURCE), known)
    with _on_line(one.entry):
        return made_of(profile, one.text, known, holdout=holdout, critical=one.given.critical, source=SOURCE)


@contextmanager
def _on_line(entry: Entry) -> Iterator[None]:
    """Errors inside say on which line of the file they happened."""
    try:
        yield
    except RatchetError as error:
        number = error.ids.get("check")
        line = entry.line("checks", number - 1) if isinstance(number, int) else entry.line()
        raise type(error)(f"Line {line}: {error.message}", **{**error.ids, "line": line}) from None


def _placed(one: _Wanted) -> Iterator[Replaced]:
    """What was replaced, as a reader of the file finds it."""
    for found in one.text.replaced:
        yield Replaced(f"{found.part} of the scenario on line {one.entry.line()}", found.type, found.line)


def _check_unlocked(context: Context, tx: Connection, profile: str) -> None:
    if unlocking.unlocked_until(context, tx, profile) is None:
        raise HoldoutLocked(
            f"The held-out scenarios of profile '{profile}' are locked. A reviewer unlocks them for ten minutes: "
            f"hermes ratchet scenario unlock --target {profile}",
            profile=profile,
        )


def _as_entry(scenario: Scenario) -> dict[str, Any]:
    """What :class:`ScenarioEntry` reads, without what is not said."""
    said: dict[str, Any] = {
        "name": without_secrets(scenario.name),
        "input": without_secrets(scenario.input),
        "checks": [_check(check) for check in json.loads(scenario.checks)],
    }
    if scenario.holdout:
        said["split"] = Split.HOLDOUT.value
    if scenario.critical:
        said["critical"] = True
    return said


def _check(check: Mapping[str, Any]) -> dict[str, Any]:
    """A check without what is not said; its type is a word of ours, and nothing in that is anybody's name."""
    kept = {name: without_secrets(value) for name, value in check.items() if name != "type"}
    return {"type": check["type"], **{name: value for name, value in kept.items() if (name, value) != _UNSAID}}


_UNSAID = ("ignore_case", False)


def _style(text: str) -> str | None:
    """Of YAML's ways to write a text, one that keeps every character: other line ends than ours are escaped."""
    if not text.replace("\n", "").replace("\t", "").isprintable():
        return '"'
    return "|" if "\n" in text else None


def _written(entries: Sequence[Mapping[str, Any]], form: Form) -> str:
    if form is Form.JSONL:
        return "".join(f"{_seen(json.dumps(entry, ensure_ascii=False), form)}\n" for entry in entries)
    import yaml

    class Readable(yaml.SafeDumper):
        """Writes texts of several lines as such, and everything out: no aliases."""

        def ignore_aliases(self, _: object) -> bool:
            return True

    def as_block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))

    Readable.add_representer(str, as_block)
    written: str = yaml.dump(list(entries), Dumper=Readable, sort_keys=False, allow_unicode=True, width=100)
    return "\n".join(_seen(line, form) for line in written.split("\n"))


def _seen(line: str, form: Form) -> str:
    """A line in which nothing hides or acts on a terminal; such characters stand in quoted texts only."""

    def escaped(letter: str) -> str:
        return json.dumps(letter)[1:-1] if form is Form.JSONL or letter < "\U00010000" else f"\\U{ord(letter):08x}"

    return "".join(one if one.isprintable() or one == "\t" else escaped(one) for one in line)
