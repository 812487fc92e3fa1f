"""Is the audit trail what it was? Its chain is recomputed and held against everything that ever named a link of it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import schema
from .._db import Store, driver, fetch_each
from ..migrations.to_head import statements
from ..schema.experiments import LEGAL_EDGES
from . import audit_consent, audit_witnesses
from .audit import Transition, link
from .audit_witnesses import History, Witness
from .context import Context

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NOT_ASKED = History()
_STEPS = frozenset([(None, "proposed"), *LEGAL_EDGES])
_OBJECTS = "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
_NUMBERED = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'experiment_state_transitions'"
_DIGESTS = (
    ("stored content", "SELECT sha256, content FROM blobs"),
    ("report", "SELECT sha256, document FROM reports"),
    ("live plan", "SELECT sha256, document FROM live_plans"),
)


@dataclass(frozen=True)
class Break:
    """One place that does not agree with the rest. ``transition_id`` is 0 where no transition can be named."""

    transition_id: int
    problem: str


@dataclass(frozen=True)
class Verdict:
    """The result of checking everything.

    ``checked`` counts transitions, ``witnesses`` what named a link and was compared, ``contents`` the stored files,
    reports and plans whose hash was recomputed. ``unread`` are the repositories that could not be asked, and why.
    """

    ok: bool
    checked: int
    head: str
    breaks: tuple[Break, ...]
    witnesses: int
    contents: int
    unread: tuple[str, ...]


def verify(context: Context) -> Verdict:
    """Check the database as :func:`verify_store` does, and against the commits in the profiles' repositories."""
    return verify_store(context.store, audit_witnesses.in_history(context))


def verify_store(store: Store, history: History = _NOT_ASKED) -> Verdict:
    """Recompute the chain row by row, and compare it with all that refers to it.

    That is: each experiment's state; the head in each approval, in everything that was signed and in each commit of
    ``history``; the note beside the database; the highest number ever given out. The hashes of stored files, reports
    and plans are recomputed, and tables, indexes and triggers must be those of the schema.
    """
    beside = audit_witnesses.beside(store)
    with store.read() as tx:
        chain = _Chain([beside, *audit_witnesses.in_database(tx), *history.witnesses])
        for step in fetch_each(tx, Transition, schema.transitions, "ORDER BY id"):
            chain.follow(step)
        chain.end(int(driver(tx).execute(_NUMBERED).fetchone()[0]))
        contents = _Contents(tx)
        unsigned = [Break(*found) for found in audit_consent.unsigned_steps(tx)]
        breaks = (*chain.breaks, *_check_states(tx, chain), *unsigned, *contents.breaks, *_check_schema(tx))
    return Verdict(not breaks, chain.checked, chain.hash, breaks, chain.witnesses, contents.checked, history.unread)


class _Chain:
    """What was read so far: each experiment's newest state, and what does not fit."""

    def __init__(self, witnesses: Iterable[Witness]) -> None:
        self.breaks: list[Break] = []
        self.states: dict[int, str] = {}
        self.checked = self.witnesses = self.id = 0
        self.hash = ""
        self._said: dict[int, list[tuple[str, str]]] = {}
        for witness in witnesses:
            self._hear(witness)

    def follow(self, step: Transition) -> None:
        """Take in the next row."""
        if step.id != self.id + 1:
            self._note(step.id, f"{_rows(self.id + 1, step.id - 1)} missing")
        if step.previous_hash != self.hash:
            self._note(step.id, "does not follow the row before it")
        if step.hash != _recomputed(step):
            self._note(step.id, "its contents were changed")
        self._check_step(step)
        for name, linked in self._said.pop(step.id, ()):
            if linked != step.hash:
                self._note(step.id, f"is not the row that {name} once held")
        self.checked, self.id, self.hash = self.checked + 1, step.id, step.hash

    def end(self, numbered: int) -> None:
        """No row is left; ``numbered`` is the highest id that the database remembers to have given out."""
        if numbered > self.id:
            self._note(numbered, f"the chain ends at {self.id}, but its rows were numbered up to {numbered}")
        for number in sorted(self._said):
            for name, _ in self._said[number]:
                gone = f"the chain ends at {self.id}" if number > self.id else "there is no such row"
                self._note(number, f"{gone}, but {name} once held it")

    def _hear(self, witness: Witness) -> None:
        self.witnesses += 1
        try:
            number, linked = witness.link()
        except ValueError as error:
            self._note(0, str(error))
            return
        if number:
            self._said.setdefault(number, []).append((witness.name, linked))

    def _check_step(self, step: Transition) -> None:
        state = self.states.get(step.experiment_id)
        if step.from_state != state:
            self._note(step.id, f"starts from {step.from_state} but experiment {step.experiment_id} was {state}")
        if (step.from_state, step.to_state) not in _STEPS:
            self._note(step.id, f"goes from {step.from_state} to {step.to_state}, which no experiment can")
        self.states[step.experiment_id] = step.to_state

    def _note(self, transition_id: int, problem: str) -> None:
        self.breaks.append(Break(transition_id, problem))


class _Contents:
    """Everything that is kept under its own SHA-256, hashed again one by one."""

    def __init__(self, tx: Connection) -> None:
        self.checked = 0
        self.breaks = list(self._check(tx))

    def _check(self, tx: Connection) -> Iterator[Break]:
        for what, query in _DIGESTS:
            for name, content in driver(tx).execute(query):
                self.checked += 1
                if hashlib.sha256(content.encode("utf-8") if isinstance(content, str) else content).hexdigest() != name:
                    yield Break(0, f"the {what} {name[:12]} was changed")


def _rows(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"


def _recomputed(step: Transition) -> str:
    return link(
        step.previous_hash,
        step.experiment_id,
        step.from_state,
        step.to_state,
        step.actor,
        step.principal,
        step.reason,
        step.created_at,
    )


def _check_states(tx: Connection, chain: _Chain) -> Iterator[Break]:
    found: dict[int, str] = dict(driver(tx).execute("SELECT id, state FROM experiments").fetchall())
    for one in sorted(found.keys() | chain.states.keys()):
        if one not in found:
            yield Break(chain.id, f"experiment {one} is gone")
        elif found[one] != chain.states.get(one):
            said = chain.states.get(one)
            last = f"its last transition says {said}" if said else "no transition speaks of it"
            yield Break(chain.id, f"experiment {one} is {found[one]} but {last}")


def _check_schema(tx: Connection) -> Iterator[Break]:
    """The database guards itself by triggers and constraints, so they must be there, word for word, and no others."""
    found = {name: (kind, sql) for name, kind, sql in driver(tx).execute(_OBJECTS)}
    with closing(sqlite3.connect(":memory:")) as fresh:
        for statement in statements():
            fresh.execute(statement)
        expected = {name: (kind, sql) for name, kind, sql in fresh.execute(_OBJECTS)}
    for name in sorted(found.keys() | expected.keys()):
        if name not in expected:
            yield Break(0, f"the {found[name][0]} {name} does not belong here")
        elif found.get(name) != expected[name]:
            yield Break(0, f"the {expected[name][0]} {name} is {'changed' if name in found else 'gone'}")
