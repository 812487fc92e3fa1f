"""Is the audit trail what it was? Its chain is recomputed and held against everything that ever named a link of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ... import schema
from ..._db import Store, driver, fetch_each
from ...schema.experiments import LEGAL_EDGES
from ..context import Context
from . import approvals, own_schema, reviewers
from . import rows as audit_rows
from . import witnesses as audit_witnesses
from .chain import Transition, link
from .witnesses import History, Witness

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NOT_ASKED = History()
_STEPS = frozenset([(None, "proposed"), *LEGAL_EDGES])
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
    reports and plans whose hash was recomputed. ``unread`` are the repositories that could not be asked, and why;
    ``notes`` is what proves nothing and yet a person should know.
    """

    ok: bool
    checked: int
    head: str
    breaks: tuple[Break, ...]
    witnesses: int
    contents: int
    unread: tuple[str, ...]
    notes: tuple[str, ...] = ()


def verify(context: Context) -> Verdict:
    """Check the database as :func:`verify_store` does, and against the profiles' repositories and the pin."""
    found = verify_store(context.store, audit_witnesses.in_history(context))
    breaks = (*found.breaks, *(Break(0, problem) for problem in reviewers.gone_though_pinned(context)))
    notes = (*found.notes, *reviewers.not_as_pinned(context))
    return replace(found, ok=not breaks, breaks=breaks, notes=notes)


def verify_store(store: Store, history: History = _NOT_ASKED) -> Verdict:
    """Recompute the chain row by row, and compare it with all that refers to it.

    That is: each experiment's state; the head in each approval, in everything that was signed and in each commit of
    ``history``; the note beside the database; the highest number ever given out. The hashes of stored files, reports
    and plans are recomputed, the rows that are no links are held against what was signed and against each other
    (:mod:`rows`), and tables, indexes and triggers must be those of the schema.
    """
    beside = audit_witnesses.beside(store)
    with store.read() as tx:
        known = audit_witnesses.own_commits(tx)
        chain = _Chain([beside, *audit_witnesses.in_database(tx), *history.witnesses], known)
        for step in fetch_each(tx, Transition, schema.transitions, "ORDER BY id"):
            chain.follow(step)
        chain.end(int(driver(tx).execute(_NUMBERED).fetchone()[0]))
        contents = _Contents(tx)
        unsigned = [Break(*found) for found in approvals.unsigned_steps(tx)]
        rows = [Break(*found) for found in (*reviewers.wiped(tx), *audit_rows.problems(tx))]
        schema_breaks = [Break(0, problem) for problem in own_schema.differences(tx)]
        breaks = (*chain.breaks, *_check_states(tx, chain), *unsigned, *contents.breaks, *rows, *schema_breaks)
        notes = (*chain.notes, *reviewers.resets(tx))
    if chain.checked and beside.head == audit_witnesses.NOTHING_BESIDE:
        notes = (*notes, "the note beside the database is empty: it cannot tell whether rows at the end are missing")
    counted = (chain.witnesses, contents.checked)
    return Verdict(not breaks, chain.checked, chain.hash, breaks, *counted, history.unread, notes)


class _Chain:
    """What was read so far: each experiment's newest state, and what does not fit.

    ``commits`` are those that our journal knows of. Anybody can make another one that names this chain, so what such a
    commit says is a note, unless it names a link beyond the end: that is what is left of rows that were cut off.
    """

    def __init__(self, witnesses: Iterable[Witness], commits: frozenset[str]) -> None:
        self.breaks: list[Break] = []
        self.notes: list[str] = []
        self._commits = commits
        self.states: dict[int, str] = {}
        self.checked = self.witnesses = self.id = 0
        self.hash = ""
        self._said: dict[int, list[tuple[Witness, str]]] = {}
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
        for witness, linked in self._said.pop(step.id, ()):
            if linked != step.hash:
                self._doubt(witness, step.id, f"is not the row that {witness.name} once held")
        self.checked, self.id, self.hash = self.checked + 1, step.id, step.hash

    def end(self, numbered: int) -> None:
        """No row is left; ``numbered`` is the highest id that the database remembers to have given out."""
        if numbered > self.id:
            self._note(numbered, f"the chain ends at {self.id}, but its rows were numbered up to {numbered}")
        for number in sorted(self._said):
            for witness, _ in self._said[number]:
                if number > self.id:
                    self._note(number, f"the chain ends at {self.id}, but {witness.name} once held it")
                else:
                    self._doubt(witness, number, f"there is no such row, but {witness.name} once held it")

    def _hear(self, witness: Witness) -> None:
        self.witnesses += 1
        try:
            number, linked = witness.link()
        except ValueError as error:
            self._doubt(witness, 0, str(error))
            return
        if number:
            self._said.setdefault(number, []).append((witness, linked))

    def _check_step(self, step: Transition) -> None:
        state = self.states.get(step.experiment_id)
        if step.from_state != state:
            self._note(step.id, f"starts from {step.from_state} but experiment {step.experiment_id} was {state}")
        if (step.from_state, step.to_state) not in _STEPS:
            self._note(step.id, f"goes from {step.from_state} to {step.to_state}, which no experiment can")
        self.states[step.experiment_id] = step.to_state

    def _doubt(self, witness: Witness, transition_id: int, problem: str) -> None:
        if witness.commit and witness.commit not in self._commits:
            row = f"row {transition_id} " if transition_id else ""
            self.notes.append(f"{row}{problem}; no operation of ours made that commit")
        else:
            self._note(transition_id, problem)

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
