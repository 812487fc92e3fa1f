"""The six states of an experiment, the legal edges between them, and the one function that moves along an edge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from .. import clock
from .._db import audit_head, driver
from .._turnstile import AuditHead
from ..errors import IllegalTransition, ProfileInFlight, UnknownExperiment
from ..schema.experiments import LEGAL_EDGES
from . import events
from .actor import Actor
from .audit import chain

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

_WAYS = {
    State.APPROVED: "approve",
    State.REJECTED: "reject",
    State.LIVE: "apply",
    State.VERIFIED: "verify",
    State.REVERTED: "revert",
}
"""The command that leads to each state."""

_SELECT = "SELECT state, profile FROM experiments WHERE id = ?"
_OTHER = "SELECT id, state FROM experiments WHERE profile = ? AND state IN ('approved', 'live')"
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
    state, profile = check_can_move(tx, experiment_id, to)
    moment = clock.stamp()
    record(tx, experiment_id, state, to, actor, reason, moment)
    columns = {"state": to.value, "updated_at": moment, **(changes or {})}
    assignments = ", ".join(f"{name} = ?" for name in columns)
    statement = f"UPDATE experiments SET {assignments} WHERE id = ? AND state = ?"
    if driver(tx).execute(statement, (*columns.values(), experiment_id, state.value)).rowcount != 1:
        raise IllegalTransition(f"Experiment {experiment_id} changed at the same moment. Look again and retry.")
    events.emit(tx, f"experiment.{to}", profile=profile, experiment_id=experiment_id, actor=actor.name, reason=reason)


def check_can_move(tx: Connection, experiment_id: int, to: State) -> tuple[State, str]:
    """The state and the profile of an experiment that can move to ``to`` now. Raises what :func:`move` does."""
    row = driver(tx).execute(_SELECT, (experiment_id,)).fetchone()
    if row is None:
        raise UnknownExperiment(f"There is no experiment {experiment_id}.", experiment_id=experiment_id)
    state, profile = State(row[0]), str(row[1])
    if to not in LEGAL[state]:
        raise IllegalTransition(_refusal(tx, experiment_id, state, to), experiment_id=experiment_id, state=state.value)
    if to in IN_FLIGHT and state not in IN_FLIGHT:
        _check_none_in_flight(tx, experiment_id, profile)
    return state, profile


def record(
    tx: Connection, experiment_id: int, start: State | None, to: State, actor: Actor, reason: str, moment: str
) -> None:
    """Append one link to the audit chain; :func:`move` and the proposal itself are its only callers."""
    previous = audit_head(tx)
    fields = (experiment_id, start.value if start else None, to.value, actor.name, actor.principal, reason, moment)
    linked = chain.link(previous.hash, *fields)
    inserted = driver(tx).execute(_INSERT, (*fields, previous.hash, linked))
    tx.info["audit_head"] = AuditHead(inserted.lastrowid or 0, linked)


def _check_none_in_flight(tx: Connection, experiment_id: int, profile: str) -> None:
    other = driver(tx).execute(_OTHER, (profile,)).fetchone()
    if other:
        way_out = "reject" if other[1] == State.APPROVED else "revert"
        raise ProfileInFlight(
            f"Experiment {other[0]} of profile '{profile}' is {other[1]}; one change at a time. Wait for its verdict, "
            f"or take it back with: hermes ratchet {way_out} {other[0]}",
            experiment_id=experiment_id,
            profile=profile,
        )


def _refusal(tx: Connection, experiment_id: int, state: State, to: State) -> str:
    steps = chain.history(tx, experiment_id)
    by = f" (by {steps[-1].actor}, {steps[-1].created_at[:19]})" if steps else ""
    allowed = ", ".join(sorted(LEGAL[state])) or "nothing"
    said = f"Experiment {experiment_id} is {state}{by} and cannot become {to}; from {state} it can become {allowed}."
    ways = " or ".join(f"hermes ratchet {_WAYS[end]} {experiment_id}" for end in sorted(LEGAL[state]) if end in _WAYS)
    return f"{said} To do that: {ways}" if ways else said
