"""Scenarios: what the agent is asked in an evaluation, and the checks that judge what it does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from ... import clock, schema
from ..._db import as_record
from ...errors import BadInput, Conflict, UnknownScenario
from ...ratchet import events
from ...ratchet.actor import Actor
from ...ratchet.context import Context
from ...ratchet.signing import consent, unlocking
from ...reviewing.challenges import Signed
from ...reviewing.payload import Claim, Purpose
from . import readiness
from .placement import FROM_SESSION, Unplaced, belongs_to_holdout, check_apart
from .texts import ScenarioText, cleaned

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NO_CHECKS = "[]"
MAX_SCENARIOS = 2_000
"""In use in one profile: each new one is compared with all others, and no evaluation asks a tenth of them."""


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

    @property
    def is_draft(self) -> bool:
        """Whether a whole scenario still lacks checks; not to be asked of one whose checks are not shown."""
        return self.checks == _NO_CHECKS

    def snapshot(self) -> str:
        """What a result keeps of the scenario, as JSON: later edits never rewrite history."""
        kept = {"name": self.name, "input": self.input, "checks": json.loads(self.checks), "critical": self.critical}
        return json.dumps(kept, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class ListedScenario(Scenario):
    """A scenario beside ``not_run``: why no evaluation runs it, None when one does or it is held out and locked."""

    not_run: str | None


def list_scenarios(
    context: Context,
    profile: str | None = None,
    *,
    include_holdout: bool = False,
    limit: int | None = None,
    after: int | None = None,
) -> list[Scenario]:
    """The scenarios of a profile (None: of all), oldest first; held-out ones, if asked for, by name only.

    ``after`` is the id from which the next page goes on. While a reviewer's unlock of their profile lasts, held-out
    scenarios are shown whole.
    """
    table = schema.scenarios
    query = select(table).where(table.c.deleted_at.is_(None)).order_by(table.c.id).limit(limit)
    if after is not None:
        query = query.where(table.c.id > after)
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
    """Store a scenario, without secrets and personal data; without checks it is a draft, which no evaluation runs.

    Raises UnknownProfile, BadInput for a wrong check or text, Conflict for a name in use.
    """
    context.home(profile)
    text = cleaned(name, input_text, checks)
    with context.store.write() as tx:
        return insert_scenario(tx, profile, text, actor, holdout=holdout, critical=critical, source=source)


def edit_scenario(
    context: Context,
    scenario_id: int,
    actor: Actor,
    *,
    name: str | None = None,
    input_text: str | None = None,
    checks: Sequence[object] | str | None = None,
    critical: bool | None = None,
    signed: Signed | None = None,
) -> Scenario:
    """Change what is given of a scenario; results that it gave keep what it was.

    Of a held-out one only its name and whether it is critical: what nobody may see, nobody may rewrite. That it blocks
    no more is signed. A draft that came from a session falls into its split with its first checks. Raises
    UnknownScenario, BadInput for a wrong check or text, Conflict for a name in use or a held-out scenario, and for want
    of a signature what :func:`consent.require` does.
    """

    def weakens(one: Scenario) -> bool:
        return bool(one.holdout and one.critical and critical is False)

    with _agreed(context, Purpose.UNCRITICAL_HOLDOUT, weakens, scenario_id, actor, signed) as (tx, found, agreed):
        if found.holdout and (input_text is not None or checks is not None):
            raise Conflict(
                f"Scenario {scenario_id} is held out: its input and checks stay. Delete it and add another.",
                scenario_id=scenario_id,
            )
        text = cleaned(
            found.name if name is None else name,
            found.input if input_text is None else input_text,
            found.checks if checks is None else checks,
        )
        if text.name != found.name:
            _check_free(tx, found.profile, text.name)
        holdout = bool(found.holdout) or _drawn(tx, found, text)
        moved = replace(found, input=text.input, checks=text.checks, holdout=int(holdout))
        if (moved.input, moved.holdout, moved.is_draft) != (found.input, found.holdout, found.is_draft):
            check_apart(moved, in_use(tx, moved.profile, holdout=not moved.holdout))
        stored = {
            **_stored(text),
            "holdout": int(holdout),
            "critical": found.critical if critical is None else int(critical),
            "updated_at": clock.stamp(),
        }
        tx.execute(update(schema.scenarios).where(schema.scenarios.c.id == scenario_id).values(stored))
        switched = {} if stored["critical"] == found.critical else {"critical": bool(stored["critical"])}
        facts: dict[str, Any] = {"scenario_id": scenario_id, "actor": agreed.name, **switched}
        events.emit(tx, "scenario.edited", profile=found.profile, **facts)
        return _shown(_load(tx, scenario_id))


def delete_scenario(context: Context, scenario_id: int, actor: Actor, signed: Signed | None = None) -> None:
    """Take a scenario out of use; results that it gave keep it. That of a held-out one is signed.

    Raises UnknownScenario, and for a held-out one what :func:`consent.require` does.
    """
    purpose = Purpose.DELETE_HOLDOUT
    with _agreed(context, purpose, _is_held_out, scenario_id, actor, signed) as (tx, found, agreed):
        table = schema.scenarios
        moment = clock.stamp()
        tx.execute(update(table).where(table.c.id == scenario_id).values(deleted_at=moment, updated_at=moment))
        events.emit(tx, "scenario.deleted", profile=found.profile, scenario_id=scenario_id, actor=agreed.name)


def restore_scenario(context: Context, scenario_id: int, actor: Actor, signed: Signed | None = None) -> Scenario:
    """Take a deleted scenario into use again; one in use stays as it is. That of a held-out one is signed.

    Raises UnknownScenario, Conflict when another one has its name by now, SplitNotDisjoint, and for a held-out one what
    :func:`consent.require` does.
    """
    table, purpose = schema.scenarios, Purpose.RESTORE_HOLDOUT
    with _agreed(context, purpose, needs_restoring, scenario_id, actor, signed, deleted=True) as (tx, found, agreed):
        if found.deleted_at is not None:
            _check_free(tx, found.profile, found.name)
            check_apart(found, in_use(tx, found.profile, holdout=not found.holdout))
            changed = {"deleted_at": None, "updated_at": clock.stamp()}
            tx.execute(update(table).where(table.c.id == scenario_id).values(changed))
            events.emit(tx, "scenario.restored", profile=found.profile, scenario_id=scenario_id, actor=agreed.name)
        return _shown(_load(tx, scenario_id))


def train_set(tx: Connection, profile: str) -> list[Scenario]:
    """The scenarios an evaluation runs: in use, not held out, and able to give a verdict; oldest first."""
    return runnable(in_use(tx, profile, holdout=False))


def holdout_set(tx: Connection, profile: str) -> list[Scenario]:
    """The scenarios a confirmation may run, whole: whoever asks sees to it that nobody else does; oldest first."""
    return runnable(in_use(tx, profile, holdout=True))


def in_use(tx: Connection, profile: str, *, holdout: bool | None = None) -> list[Scenario]:
    """The scenarios of a profile, or of one split, whole, oldest first: whoever asks keeps held-out ones to itself."""
    table = schema.scenarios
    wanted = (table.c.profile == profile) & table.c.deleted_at.is_(None)
    if holdout is not None:
        wanted &= table.c.holdout == int(holdout)
    return [as_record(Scenario, row) for row in tx.execute(select(table).where(wanted).order_by(table.c.id))]


def runnable(found: Sequence[Scenario]) -> list[Scenario]:
    """Those that can give a verdict here, of whole scenarios: no drafts, and no rubrics where nobody judges."""
    with_judge = readiness.judge_is_configured()
    return [one for one in found if readiness.why_not_run(one.checks, with_judge=with_judge) is None]


def listed(found: Sequence[Scenario]) -> list[ListedScenario]:
    """The same scenarios, each with why no evaluation runs it, if none does."""
    with_judge = readiness.judge_is_configured()
    return [_listed(one, with_judge) for one in found]


def set_hash(scenarios: Sequence[Scenario]) -> str:
    """SHA-256 over what the scenarios ask and check; any edit changes it."""
    return hashlib.sha256(json.dumps([[s.id, s.snapshot()] for s in scenarios]).encode("utf-8")).hexdigest()


def deleted_scenario(context: Context, scenario_id: int) -> Scenario:
    """One scenario, deleted or not, a held-out one by name only. Raises UnknownScenario."""
    with context.store.read() as tx:
        return _shown(_load(tx, scenario_id, deleted=True))


def needs_restoring(scenario: Scenario) -> bool:
    """Whether taking it into use again takes a signature."""
    return bool(scenario.holdout and scenario.deleted_at is not None)


def _is_held_out(scenario: Scenario) -> bool:
    return bool(scenario.holdout)


@contextmanager
def _agreed(
    context: Context,
    purpose: Purpose,
    needed: Callable[[Scenario], bool],
    scenario_id: int,
    actor: Actor,
    signed: Signed | None,
    *,
    deleted: bool = False,
) -> Iterator[tuple[Connection, Scenario, Actor]]:
    """A write transaction on a scenario, with a reviewer's consent where it is ``needed``, and by whom it is then."""
    with context.store.read() as tx:
        asked = needed(_load(tx, scenario_id, deleted=deleted))
    with consent.attempt(context, actor, purpose, signed) if asked else context.store.write() as tx:
        found = _load(tx, scenario_id, deleted=deleted)
        if asked:
            claim = Claim(purpose=purpose, profile=found.profile, scenario=scenario_id)
            actor = consent.require(context, tx, claim, actor, signed).actor
        elif needed(found):
            raise Conflict(f"Scenario {scenario_id} was changed this very moment. Try again.", scenario_id=scenario_id)
        yield tx, found, actor


def _load(tx: Connection, scenario_id: int, *, deleted: bool = False) -> Scenario:
    table = schema.scenarios
    query = select(table).where(table.c.id == scenario_id)
    row = tx.execute(query if deleted else query.where(table.c.deleted_at.is_(None))).one_or_none()
    if row is None:
        raise UnknownScenario(f"There is no scenario {scenario_id}.", scenario_id=scenario_id)
    return as_record(Scenario, row)


def _shown(scenario: Scenario) -> Scenario:
    if not scenario.holdout:
        return scenario
    return Scenario(**{**scenario.__dict__, "input": "", "checks": ""})


def _listed(scenario: Scenario, with_judge: bool) -> ListedScenario:
    locked = scenario.holdout and not scenario.checks
    why = None if locked else readiness.why_not_run(scenario.checks, with_judge=with_judge)
    return ListedScenario(**scenario.__dict__, not_run=why)


def _stored(text: ScenarioText) -> dict[str, Any]:
    return {"name": text.name, "input": text.input, "checks": text.checks}


def _drawn(tx: Connection, draft: Scenario, text: ScenarioText) -> bool:
    """Whether a draft from a session is held out from now on: that is decided once it has checks that can be run."""
    if readiness.can_run(draft.checks) or not readiness.can_run(text.checks):
        return False
    taken = draft.source.startswith(FROM_SESSION)
    return taken and belongs_to_holdout(draft.profile, Unplaced(text.input, draft.source), in_use(tx, draft.profile))


def _check_free(tx: Connection, profile: str, name: str) -> None:
    table = schema.scenarios
    query = select(table.c.id).where(table.c.profile == profile, table.c.name == name, table.c.deleted_at.is_(None))
    if tx.execute(query).one_or_none():
        raise _taken(profile, name)


def _taken(profile: str, name: str) -> Conflict:
    return Conflict(f"Profile '{profile}' has a scenario named '{name}' already. Choose another name.")


def insert_scenario(
    tx: Connection,
    profile: str,
    text: ScenarioText,
    actor: Actor,
    *,
    holdout: bool = False,
    critical: bool = False,
    source: str = "person",
) -> Scenario:
    """Store one in the caller's transaction. Raises what :func:`made_of` does."""
    made = made_of(profile, text, in_use(tx, profile), holdout=holdout, critical=critical, source=source)
    return insert_checked(tx, made, actor)


def made_of(
    profile: str,
    text: ScenarioText,
    known: Sequence[Scenario],
    *,
    holdout: bool = False,
    critical: bool = False,
    source: str = "person",
) -> Scenario:
    """A scenario that may stand beside the ``known``, all others of its profile in use; not stored, so without an id.

    Raises Conflict for a name in use or too many of them, SplitNotDisjoint, BadInput for a held-out draft.
    """
    if any(one.name == text.name for one in known):
        raise _taken(profile, text.name)
    if len(known) >= MAX_SCENARIOS:
        raise Conflict(f"Profile '{profile}' has {MAX_SCENARIOS:,} scenarios, and no more are kept. Delete some first.")
    if holdout and not json.loads(text.checks):
        raise BadInput("A held-out scenario needs checks from the start: nobody could add any later.")
    moment, facts = clock.stamp(), (int(holdout), source, int(critical))
    made = Scenario(0, profile, text.name, text.input, text.checks, *facts, moment, moment, None)
    check_apart(made, [one for one in known if one.holdout != made.holdout])
    return made


def insert_checked(tx: Connection, made: Scenario, actor: Actor) -> Scenario:
    """Store what :func:`made_of` made, provided that the scenarios in use are still those it was given."""
    row = {name: value for name, value in made.__dict__.items() if name != "id"}
    scenario_id = int(tx.execute(insert(schema.scenarios).values(row)).lastrowid)
    events.emit(tx, "scenario.added", profile=made.profile, scenario_id=scenario_id, actor=actor.name)
    return replace(made, id=scenario_id)
