"""The journal of file operations: written before anything is touched, closed in the transaction that ends one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from .. import clock, schema
from .._db import fetch
from ..errors import StoreCorrupt
from .actor import Actor

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Kind(StrEnum):
    """What a file operation does."""

    APPLY = "apply"
    REVERT = "revert"


class Phase(StrEnum):
    """How far an operation was known to be; the file, git and the index are asked for the rest."""

    PLANNED = "planned"
    WRITTEN = "written"
    COMMITTED = "committed"
    RECORDED = "recorded"
    UNDONE = "undone"


@dataclass(frozen=True)
class Operation:
    """One apply or revert. SHA-256 values are None where the file does not exist."""

    id: int
    experiment_id: int
    profile: str
    kind: str
    phase: str
    relpath: str
    expected_sha256: str | None
    new_sha256: str | None
    mode: int | None
    token: str
    git_dir: str
    ref: str
    parent_sha: str | None
    commit_sha: str | None
    actor: str
    principal: str
    reason: str
    started_at: str

    @property
    def path(self) -> PurePosixPath:
        return PurePosixPath(self.relpath)

    @property
    def by(self) -> Actor:
        return Actor(self.actor, self.principal)


@dataclass(frozen=True)
class Plan:
    """What an operation is going to do, decided under the profile lock."""

    experiment_id: int
    profile: str
    kind: Kind
    relpath: PurePosixPath
    expected_sha256: str | None
    new_sha256: str | None
    mode: int | None
    actor: Actor
    reason: str


def begin(tx: Connection, plan: Plan, git_dir: str, ref: str, parent: str | None) -> Operation:
    """Write the plan down. Only one operation of a profile can be open.

    Raises StoreCorrupt when the database then holds something else: what is written to a file is this plan, not a row.
    """
    row: dict[str, Any] = {
        "experiment_id": plan.experiment_id,
        "profile": plan.profile,
        "kind": plan.kind.value,
        "phase": Phase.PLANNED.value,
        "relpath": str(plan.relpath),
        "expected_sha256": plan.expected_sha256,
        "new_sha256": plan.new_sha256,
        "mode": plan.mode,
        "token": secrets.token_hex(8),
        "git_dir": git_dir,
        "ref": ref,
        "parent_sha": parent,
        "actor": plan.actor.name,
        "principal": plan.actor.principal,
        "reason": plan.reason,
        "started_at": clock.stamp(),
    }
    identifier = int(tx.execute(insert(schema.file_operations).values(row)).lastrowid)
    begun = Operation(id=identifier, commit_sha=None, **row)
    if load(tx, identifier) != begun:
        raise StoreCorrupt(
            f"What was to be done for experiment {plan.experiment_id} was changed while it was written down; nothing "
            "was done. Something in the database rewrites rows: look at 'hermes ratchet audit verify'.",
            experiment_id=plan.experiment_id,
        )
    return begun


def load(tx: Connection, operation_id: int) -> Operation:
    """One journal row."""
    return fetch(tx, Operation, schema.file_operations, "WHERE id = ?", operation_id)[0]


def applied_in(tx: Connection, experiment_id: int) -> str | None:
    """The git directory that holds the commit of the change; None when it was never applied."""
    query = (
        "SELECT git_dir FROM file_operations WHERE experiment_id = ? AND kind = 'apply' AND phase = ? AND commit_sha ="
        " (SELECT apply_commit_sha FROM experiments WHERE id = experiment_id) ORDER BY id LIMIT 1"
    )
    row = tx.exec_driver_sql(query, (experiment_id, Phase.RECORDED.value)).one_or_none()
    return None if row is None else str(row[0])


def note_commit(tx: Connection, operation: Operation, ref: str, parent: str | None, commit: str) -> None:
    """Remember which commit is about to become the newest of which branch."""
    tx.exec_driver_sql(
        "UPDATE file_operations SET ref = ?, parent_sha = ?, commit_sha = ? WHERE id = ?",
        (ref, parent, commit, operation.id),
    )


def advance(tx: Connection, operation: Operation, phase: Phase) -> None:
    """Write down how far the operation got."""
    tx.exec_driver_sql("UPDATE file_operations SET phase = ? WHERE id = ?", (phase.value, operation.id))


def close(tx: Connection, operation: Operation, phase: Phase, note: str = "") -> None:
    """End the operation, in the same transaction as the state change it led to."""
    tx.exec_driver_sql(
        "UPDATE file_operations SET phase = ?, finished_at = ?, note = ? WHERE id = ?",
        (phase.value, clock.stamp(), note or None, operation.id),
    )


def open_operations(tx: Connection, profile: str | None = None) -> list[Operation]:
    """Operations a killed process left behind."""
    one_profile, values = ("", ()) if profile is None else (" AND profile = ?", (profile,))
    rest = f"WHERE finished_at IS NULL{one_profile} ORDER BY id"
    return fetch(tx, Operation, schema.file_operations, rest, *values)
