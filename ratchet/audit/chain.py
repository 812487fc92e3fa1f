"""The audit chain: each transition's hash covers the hash before it, so that no row can be changed unseen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ... import schema
from ..._db import driver, fetch
from ...errors import BadInput

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..context import Context

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_FIRST = "SELECT hash FROM experiment_state_transitions ORDER BY id LIMIT 1"


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


def list_transitions(context: Context, *, limit: int = 100, before: int | None = None) -> list[Transition]:
    """The steps of all experiments, newest first; ``before`` is the id from which the next page goes on.

    Raises BadInput.
    """
    if not 1 <= limit <= 1000:
        raise BadInput("limit must be between 1 and 1000.")
    with context.store.read() as tx:
        asked = (before, limit) if before is not None else (limit,)
        where = "WHERE id < ? " if before is not None else ""
        return fetch(tx, Transition, schema.transitions, f"{where}ORDER BY id DESC LIMIT ?", *asked)


def chain_name(tx: Connection) -> str:
    """What tells this chain from another database's, e.g. in a repository that both wrote to: its first hash."""
    row = driver(tx).execute(_FIRST).fetchone()
    return str(row[0]) if row else ""
