"""A profile's first scenarios, made from the templates, and those that a changed SOUL.md adds to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from sqlalchemy import select

from ... import schema
from ...errors import BadInput, PathRefused
from ...ratchet.actor import Actor
from ...ratchet.context import Context
from ...ratchet.files.guarded_file import read_file
from . import templates
from .scenarios import Scenario, in_use, insert_scenario
from .texts import ScenarioText, cleaned, content_hash

_BY = Actor("templates", "ratchet")


@dataclass(frozen=True)
class Offered:
    """A scenario that a template makes for a profile, and the one in use that asks and checks the same, if any."""

    name: str
    input: str
    checks: str
    scenario_id: int | None


def ensure_starters(context: Context, profile: str) -> list[Scenario]:
    """Give a profile that never had a scenario the starter ones from the templates. Returns those it made."""
    texts = _texts(context, profile)
    table = schema.scenarios
    with context.store.write() as tx:
        if tx.execute(select(table.c.id).where(table.c.profile == profile).limit(1)).one_or_none():
            return []
        return [insert_scenario(tx, profile, text, _BY, source=templates.SOURCE) for text in texts]


def offered(context: Context, profile: str) -> list[Offered]:
    """What the templates make of a profile's SOUL.md as it is now. Raises UnknownProfile."""
    texts = _texts(context, profile)
    with context.store.read() as tx:
        known = {content_hash(one.input, one.checks): one.id for one in in_use(tx, profile)}
    return [Offered(text.name, text.input, text.checks, known.get(text.content_hash)) for text in texts]


def add_missing(context: Context, profile: str, actor: Actor) -> list[Scenario]:
    """Add what the templates offer and the profile does not have. Raises UnknownProfile, SplitNotDisjoint."""
    texts = _texts(context, profile)
    with context.store.write() as tx:
        found = in_use(tx, profile)
        known, names = {content_hash(one.input, one.checks) for one in found}, {one.name for one in found}
        missing = [text for text in texts if text.content_hash not in known and text.name not in names]
        return [insert_scenario(tx, profile, text, actor, source=templates.SOURCE) for text in missing]


def _texts(context: Context, profile: str) -> list[ScenarioText]:
    """Without those whose check, taken from SOUL.md, would hold a secret or somebody's name."""
    found = []
    for starter in templates.starter_scenarios(_soul(context, profile)):
        try:
            found.append(cleaned(starter.name, starter.input, starter.checks))
        except BadInput:
            continue
    return found


def _soul(context: Context, profile: str) -> str | None:
    """The text of SOUL.md; None without one, and for a link, which no evaluation follows either."""
    try:
        found = read_file(context.home(profile), PurePosixPath("SOUL.md"), context.settings.changes.max_file_bytes)
    except PathRefused:
        return None
    return None if found.content is None else found.content.decode("utf-8", "replace")
