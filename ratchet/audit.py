"""The audit chain: each transition's hash covers the hash before it, so that no row can be changed unseen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from .. import schema
from .._db import Store, as_record

if TYPE_CHECKING:
    from sqlalchemy import Connection


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
    """One place where the chain and the rows do not agree."""

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
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8")).hexdigest()


def history(tx: Connection, experiment_id: int) -> list[Transition]:
    """The steps of one experiment, oldest first."""
    table = schema.transitions
    rows = tx.execute(select(table).where(table.c.experiment_id == experiment_id).order_by(table.c.id))
    return [as_record(Transition, row) for row in rows]


def verify(store: Store) -> Verdict:
    """Recompute the chain from its first row, and compare each experiment's state with its newest transition."""
    breaks: list[Break] = []
    previous_hash, previous_id, checked = "", 0, 0
    newest: dict[int, str] = {}
    with store.read() as tx:
        for row in tx.execute(select(schema.transitions).order_by(schema.transitions.c.id)):
            step = as_record(Transition, row)
            breaks += _check(step, previous_hash, previous_id, newest.get(step.experiment_id))
            newest[step.experiment_id] = step.to_state
            previous_hash, previous_id, checked = step.hash, step.id, checked + 1
        breaks += _check_states(tx, newest, previous_id)
    anchor = store.anchor()
    if anchor and anchor.id > previous_id:
        breaks.append(Break(anchor.id, f"the chain ends at {previous_id} but once reached {anchor.id}"))
    return Verdict(not breaks, checked, previous_hash, tuple(breaks))


def _check(step: Transition, previous_hash: str, previous_id: int, state: str | None) -> list[Break]:
    found: list[Break] = []
    if step.id != previous_id + 1:
        found.append(Break(step.id, f"rows {previous_id + 1} to {step.id - 1} are missing"))
    if step.previous_hash != previous_hash:
        found.append(Break(step.id, "does not follow the row before it"))
    if step.hash != _recomputed(step):
        found.append(Break(step.id, "its contents were changed"))
    if step.from_state != state:
        found.append(Break(step.id, f"starts from {step.from_state} but experiment {step.experiment_id} was {state}"))
    return found


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


def _check_states(tx: Connection, newest: dict[int, str], last_id: int) -> list[Break]:
    rows: Any = tx.execute(select(schema.experiments.c.id, schema.experiments.c.state))
    return [
        Break(last_id, f"experiment {row.id} is {row.state} but its last transition says {newest.get(row.id)}")
        for row in rows
        if newest.get(row.id) != row.state
    ]
