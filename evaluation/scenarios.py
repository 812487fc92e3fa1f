"""Scenarios: what the agent is asked in an evaluation, and the checks that judge what it does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from .. import clock, schema
from .._db import as_record
from ..errors import BadInput, Conflict, PathRefused, UnknownScenario
from ..ratchet import events
from ..ratchet.actor import Actor
from ..ratchet.context import Context
from ..ratchet.experiments import checked_text
from ..ratchet.files.guarded_file import read_file
from ..ratchet.signing import consent, unlocking
from ..reviewing.challenges import Signed
from ..reviewing.payload import Claim, Purpose
from . import templates
from .checks import parse_checks

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MAX_NAME, _MAX_INPUT, _MAX_CHECKS_TEXT = 200, 20_000, 200_000


@dataclass(frozen=True)
class Scenario:
    """One scenario as stored; ``checks`` is JSON. Of a held-out one, listings show neither input nor checks."""

    id: int
    profile: str
    name: str
    input: str
    checks: str
    holdout: int
    source: str
    critical: int
    created_at: str
    updated_at: str
    deleted_at: str | None

    def snapshot(self) -> str:
        """What a result keeps of the scenario, as JSON: later edits never rewrite history."""
        kept = {"name": self.name, "input": self.input, "checks": json.loads(self.checks), "critical": self.critical}
        return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def list_scenarios(context: Context, profile: str | None = None, *, include_holdout: bool = False) -> list[Scenario]:
    """The scenarios of a profile (None: of all), oldest first; held-out ones, if asked for, by name only.

    While a reviewer's unlock of their profile lasts, those are shown whole.
    """
    table = schema.scenarios
    query = select(table).where(table.c.deleted_at.is_(None)).order_by(table.c.id)
    if profile is not None:
        query = query.where(table.c.profile == profile)
    if not include_holdout:
        query = query.where(table.c.holdout == 0)
    with context.store.read() as tx:
        found = [as_record(Scenario, row) for row in tx.execute(query)]
        locked = {one.profile for one in found if one.holdout}
        unlocked = {one for one in locked if unlocking.unlocked_until(context, tx, one)}
        return [one if one.profile in unlocked else _shown(one) for one in found]


def get_scenario(context: Context, scenario_id: int) -> Scenario:
    """One scenario, a held-out one by name only unless it is unlocked. Raises UnknownScenario."""
    with context.store.read() as tx:
        found = _load(tx, scenario_id)
        return found if unlocking.unlocked_until(context, tx, found.profile) else _shown(found)


def add_scenario(
    context: Context,
    profile: str,
    name: str,
    input_text: str,
    checks: Sequence[object] | str,
    actor: Actor,
    *,
    holdout: bool = False,
    critical: bool = False,
    source: str = "person",
) -> Scenario:
    """Store a scenario. Raises UnknownProfile, BadInput for a wrong check or text, Conflict for a name in use."""
    context.home(profile)
    stored = _validated(name, input_text, checks)
    with context.store.write() as tx:
        _check_free(tx, profile, stored["name"])
        row = {**stored, "profile": profile, "holdout": int(holdout), "critical": int(critical), "source": source}
        return _insert(tx, row, actor)


def edit_scenario(
    context: Context,
    scenario_id: int,
    actor: Actor,
    *,
    name: str | None = None,
    input_text: str | None = None,
    checks: Sequence[object] | str | None = None,
    critical: bool | None = None,
) -> Scenario:
    """Change what is given of a scenario; results that it gave keep what it was.

    Of a held-out one only its name and whether it is critical: what nobody may see, nobody may rewrite. Raises
    UnknownScenario, BadInput for a wrong check or text, Conflict for a name in use or a held-out scenario.
    """
    with context.store.write() as tx:
        found = _load(tx, scenario_id)
        if found.holdout and (input_text is not None or checks is not None):
            raise Conflict(
                f"Scenario {scenario_id} is held out: its input and checks stay. Delete it and add another.",
                scenario_id=scenario_id,
            )
        stored = _validated(
            found.name if name is None else name,
            found.input if input_text is None else input_text,
            found.checks if checks is None else checks,
        )
        if stored["name"] != found.name:
            _check_free(tx, found.profile, stored["name"])
        stored |= {"critical": found.critical if critical is None else int(critical), "updated_at": clock.stamp()}
        tx.execute(update(schema.scenarios).where(schema.scenarios.c.id == scenario_id).values(stored))
        events.emit(tx, "scenario.edited", profile=found.profile, scenario_id=scenario_id, actor=actor.name)
        return _shown(_load(tx, scenario_id))


def delete_scenario(context: Context, scenario_id: int, actor: Actor, signed: Signed | None = None) -> None:
    """Take a scenario out of use; results that it gave keep it. That of a held-out one is signed.

    Raises UnknownScenario, and for a held-out one what :func:`consent.require` does.
    """
    with context.store.read() as tx:
        held_out = _load(tx, scenario_id).holdout
    attempt = consent.attempt(context, actor, Purpose.DELETE_HOLDOUT, signed) if held_out else context.store.write()
    with attempt as tx:
        found = _load(tx, scenario_id)
        if held_out:
            claim = Claim(purpose=Purpose.DELETE_HOLDOUT, profile=found.profile, scenario=scenario_id)
            actor = consent.require(context, tx, claim, actor, signed).actor
        table = schema.scenarios
        moment = clock.stamp()
        tx.execute(update(table).where(table.c.id == scenario_id).values(deleted_at=moment, updated_at=moment))
        events.emit(tx, "scenario.deleted", profile=found.profile, scenario_id=scenario_id, actor=actor.name)


def ensure_starters(context: Context, profile: str) -> list[Scenario]:
    """Give a profile that never had a scenario the starter ones from the templates. Returns those it made."""
    starters = templates.starter_scenarios(_soul(context, profile))
    table = schema.scenarios
    with context.store.write() as tx:
        if tx.execute(select(table.c.id).where(table.c.profile == profile).limit(1)).one_or_none():
            return []
        made = []
        for starter in starters:
            stored = _validated(starter.name, starter.input, starter.checks)
            row = {**stored, "profile": profile, "holdout": 0, "critical": 0, "source": templates.SOURCE}
            made.append(_insert(tx, row, Actor("templates", "ratchet")))
        return made


def train_set(tx: Connection, profile: str) -> list[Scenario]:
    """The scenarios an evaluation runs: in use and not held out, oldest first."""
    table = schema.scenarios
    query = select(table).where(table.c.profile == profile, table.c.deleted_at.is_(None), table.c.holdout == 0)
    return [as_record(Scenario, row) for row in tx.execute(query.order_by(table.c.id))]


def set_hash(scenarios: Sequence[Scenario]) -> str:
    """SHA-256 over what the scenarios ask and check; any edit changes it."""
    return hashlib.sha256(json.dumps([[s.id, s.snapshot()] for s in scenarios]).encode("utf-8")).hexdigest()


def _soul(context: Context, profile: str) -> str | None:
    """The text of SOUL.md; None without one, and for a link, which no evaluation follows either."""
    try:
        found = read_file(context.home(profile), PurePosixPath("SOUL.md"), context.settings.changes.max_file_bytes)
    except PathRefused:
        return None
    return None if found.content is None else found.content.decode("utf-8", "replace")


def _load(tx: Connection, scenario_id: int) -> Scenario:
    table = schema.scenarios
    query = select(table).where(table.c.id == scenario_id, table.c.deleted_at.is_(None))
    row = tx.execute(query).one_or_none()
    if row is None:
        raise UnknownScenario(f"There is no scenario {scenario_id}.", scenario_id=scenario_id)
    return as_record(Scenario, row)


def _shown(scenario: Scenario) -> Scenario:
    if not scenario.holdout:
        return scenario
    return Scenario(**{**scenario.__dict__, "input": "", "checks": ""})


def _validated(name: str, input_text: str, checks: Sequence[object] | str) -> dict[str, Any]:
    if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        raise BadInput(f"A scenario needs a name of 1 to {_MAX_NAME} printable characters.")
    asked = checked_text(input_text, "A scenario's input", _MAX_INPUT)
    if not asked.strip():
        raise BadInput("A scenario needs an input: what the agent is asked.")
    listed = [check.model_dump(mode="json") for check in parse_checks(checks)]
    stored = checked_text(json.dumps(listed, ensure_ascii=False), "The checks together", _MAX_CHECKS_TEXT)
    return {"name": name.strip(), "input": asked, "checks": stored}


def _check_free(tx: Connection, profile: str, name: str) -> None:
    table = schema.scenarios
    query = select(table.c.id).where(table.c.profile == profile, table.c.name == name, table.c.deleted_at.is_(None))
    if tx.execute(query).one_or_none():
        raise Conflict(f"Profile '{profile}' has a scenario named '{name}' already. Choose another name.")


def _insert(tx: Connection, row: dict[str, Any], actor: Actor) -> Scenario:
    moment = clock.stamp()
    scenario_id = int(
        tx.execute(insert(schema.scenarios).values(**row, created_at=moment, updated_at=moment)).lastrowid
    )
    events.emit(tx, "scenario.added", profile=row["profile"], scenario_id=scenario_id, actor=actor.name)
    return _load(tx, scenario_id)
