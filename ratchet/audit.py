"""The audit chain: each transition's hash covers the hash before it, so that no row can be changed unseen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import schema
from .._db import Store, driver, fetch
from ..schema.experiments import LEGAL_EDGES

if TYPE_CHECKING:
    from sqlalchemy import Connection

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_STEPS = frozenset([(None, "proposed"), *LEGAL_EDGES])


@dataclass(frozen=True)
class Transition:
    """One step of one experiment, as stored. ``from_state`` is None for the proposal itself."""

    id: int
    experiment_id: int
    from_state: str | None
    to_state: str
    actor: str
    principal: str
    reason: str
    created_at: str
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class Break:
    """One place where the chain and what belongs to it do not agree; 0 where no transition can be named."""

    transition_id: int
    problem: str


@dataclass(frozen=True)
class Verdict:
    """The result of checking the whole chain."""

    ok: bool
    checked: int
    head: str
    breaks: tuple[Break, ...]


def link(
    previous_hash: str,
    experiment_id: int,
    from_state: str | None,
    to_state: str,
    actor: str,
    principal: str,
    reason: str,
    created_at: str,
) -> str:
    """SHA-256 (hex) over the canonical JSON array of the arguments in this order."""
    fields = [previous_hash, experiment_id, from_state, to_state, actor, principal, reason, created_at]
    return hashlib.sha256(_encode(fields).encode("utf-8")).hexdigest()


def history(tx: Connection, experiment_id: int) -> list[Transition]:
    """The steps of one experiment, oldest first."""
    return fetch(tx, Transition, schema.transitions, "WHERE experiment_id = ? ORDER BY id", experiment_id)


def verify(store: Store) -> Verdict:
    """Recompute the chain from its first row and compare it with all that refers to it.

    That is: each experiment's state, the audit head in each approval, the anchor beside the database, and whether the
    database still has the triggers that guard the rows.
    """
    anchor = store.anchor()  # first: while others write, an anchor read later may be ahead of the rows read here
    chain = _Chain()
    with store.read() as tx:
        for step in fetch(tx, Transition, schema.transitions, "ORDER BY id"):
            chain.follow(step)
        chain.breaks += _check_states(tx, chain) + _check_approvals(tx, chain) + _check_guards(tx)
    chain.compare(anchor.head.id, anchor.head.hash, "this database")
    return Verdict(not chain.breaks, len(chain.hashes), chain.last_hash, tuple(chain.breaks))


@dataclass
class _Chain:
    """What was read so far: the hash of each link by id, each experiment's newest state, and what does not fit."""

    hashes: dict[int, str] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    breaks: list[Break] = field(default_factory=list)
    last_id: int = 0
    last_hash: str = ""

    def follow(self, step: Transition) -> None:
        if step.id != self.last_id + 1:
            self.note(step.id, f"rows {self.last_id + 1} to {step.id - 1} are missing")
        if step.previous_hash != self.last_hash:
            self.note(step.id, "does not follow the row before it")
        if step.hash != _recomputed(step):
            self.note(step.id, "its contents were changed")
        state = self.states.get(step.experiment_id)
        if step.from_state != state:
            self.note(step.id, f"starts from {step.from_state} but experiment {step.experiment_id} was {state}")
        if (step.from_state, step.to_state) not in _STEPS:
            self.note(step.id, f"goes from {step.from_state} to {step.to_state}, which no experiment can")
        self.hashes[step.id] = step.hash
        self.states[step.experiment_id] = step.to_state
        self.last_id, self.last_hash = step.id, step.hash

    def compare(self, link_id: int, link_hash: str, what: str) -> None:
        """Something outside the chain says that it once had this link."""
        if link_id > self.last_id:
            self.note(link_id, f"the chain ends at {self.last_id}, but {what} once reached {link_id}")
        elif link_id and self.hashes.get(link_id) != link_hash:
            self.note(link_id, f"is not the row that {what} once held")

    def note(self, transition_id: int, problem: str) -> None:
        self.breaks.append(Break(transition_id, problem))


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


def _check_states(tx: Connection, chain: _Chain) -> list[Break]:
    found: dict[int, str] = dict(driver(tx).execute("SELECT id, state FROM experiments").fetchall())
    return [
        Break(
            chain.last_id, f"experiment {one} is {found.get(one)} but its last transition says {chain.states.get(one)}"
        )
        for one in sorted(found.keys() | chain.states.keys())
        if found.get(one) != chain.states.get(one)
    ]


def _check_approvals(tx: Connection, chain: _Chain) -> list[Break]:
    """Each approval names the chain's head of its moment as ``id hash``."""
    compared = _Chain(chain.hashes, last_id=chain.last_id)
    for approval_id, head in driver(tx).execute("SELECT id, audit_head FROM approvals ORDER BY id"):
        link_id, _, link_hash = head.partition(" ")
        compared.compare(int(link_id), link_hash, f"approval {approval_id}")
    return compared.breaks


def _check_guards(tx: Connection) -> list[Break]:
    found = dict(driver(tx).execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall())
    return [
        Break(0, f"the guard {name} is gone or changed")
        for name, ddl in schema.TRIGGERS.items()
        if found.get(name) != ddl
    ]
