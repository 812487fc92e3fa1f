"""The six states of an experiment, the legal edges between them, and the one function that moves along an edge."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from .. import clock
from .._db import AuditHead, audit_head
from ..errors import IllegalTransition, ProfileInFlight, UnknownExperiment
from ..schema.triggers import LEGAL_EDGES
from . import audit, events
from .actor import Actor

if TYPE_CHECKING:
    from sqlalchemy import Connection


class State(StrEnum):
    """Where an experiment stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    LIVE = "live"
    VERIFIED = "verified"
    REVERTED = "reverted"
    REJECTED = "rejected"


def _edges() -> Mapping[State, frozenset[State]]:
    table: dict[State, set[State]] = defaultdict(set)
    for start, end in LEGAL_EDGES:
        table[State(start)].add(State(end))
    return MappingProxyType({state: frozenset(table[state]) for state in State})


LEGAL: Mapping[State, frozenset[State]] = _edges()
"""For each state, the states it may move to; the database's trigger is built from the same list."""

IN_FLIGHT = (State.APPROVED, State.LIVE)

_INSERT = (
    "INSERT INTO experiment_state_transitions"
    " (experiment_id, from_state, to_state, actor, principal, reason, created_at, previous_hash, hash)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def move(
    tx: Connection,
    experiment_id: int,
    to: State,
    actor: Actor,
    reason: str,
    changes: Mapping[str, object] | None = None,
) -> None:
    """Move an experiment to ``to`` and write the transition, in the caller's write transaction.

    ``changes`` are further columns of the experiment set by the same update. Raises UnknownExperiment,
    IllegalTransition (also for the loser of a race, who learns what the winner did) or ProfileInFlight.
    """
    row = tx.exec_driver_sql("SELECT state, profile FROM experiments WHERE id = ?", (experiment_id,)).one_or_none()
    if row is None:
        raise UnknownExperiment(f"There is no experiment {experiment_id}.", experiment_id=experiment_id)
    state, profile = State(row[0]), str(row[1])
    if to not in LEGAL[state]:
        raise IllegalTransition(_refusal(tx, experiment_id, state, to), experiment_id=experiment_id, state=state.value)
    moment = clock.stamp()
    record(tx, experiment_id, state, to, actor, reason, moment)
    columns = {"state": to.value, "updated_at": moment, **(changes or {})}
    _update(tx, experiment_id, state, profile, columns)
    events.emit(tx, f"experiment.{to}", profile=profile, experiment_id=experiment_id, actor=actor.name, reason=reason)


def record(
    tx: Connection, experiment_id: int, start: State | None, to: State, actor: Actor, reason: str, moment: str
) -> None:
    """Append one link to the audit chain; :func:`move` and the proposal itself are its only callers."""
    previous = audit_head(tx)
    fields = (experiment_id, start.value if start else None, to.value, actor.name, actor.principal, reason, moment)
    linked = audit.link(previous.hash, *fields)
    inserted = tx.exec_driver_sql(_INSERT, (*fields, previous.hash, linked))
    tx.info["audit_head"] = AuditHead(inserted.lastrowid, linked)


def _update(tx: Connection, experiment_id: int, state: State, profile: str, columns: Mapping[str, object]) -> None:
    from sqlalchemy.exc import IntegrityError

    assignments = ", ".join(f"{name} = ?" for name in columns)
    statement = f"UPDATE experiments SET {assignments} WHERE id = ? AND state = ?"
    try:
        done = tx.exec_driver_sql(statement, (*columns.values(), experiment_id, state.value))
    except IntegrityError as error:
        if isinstance(error.orig, sqlite3.IntegrityError) and "in flight" in str(error.orig):
            raise ProfileInFlight(*_in_flight(tx, profile), experiment_id=experiment_id, profile=profile) from None
        raise
    if done.rowcount != 1:
        raise IllegalTransition(f"Experiment {experiment_id} changed at the same moment. Look again and retry.")


def _in_flight(tx: Connection, profile: str) -> tuple[str]:
    row = tx.exec_driver_sql(
        "SELECT id, state FROM experiments WHERE profile = ? AND state IN ('approved', 'live')", (profile,)
    ).one()
    return (
        f"Experiment {row[0]} of profile '{profile}' is {row[1]}; one change at a time. "
        f"Wait for its verdict, or take it back with: hermes ratchet {'reject' if row[1] == 'approved' else 'revert'} "
        f"{row[0]}",
    )


def _refusal(tx: Connection, experiment_id: int, state: State, to: State) -> str:
    last = audit.history(tx, experiment_id)[-1]
    allowed = ", ".join(sorted(LEGAL[state])) or "nothing"
    return (
        f"Experiment {experiment_id} is {state} (by {last.actor}, {last.created_at[:19]}) and cannot become {to}; "
        f"from {state} it can become {allowed}."
    )
