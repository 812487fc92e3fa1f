"""The rows of the proposer: what was asked of it, every draft with what became of it, and the failures each names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, update

from .. import clock, schema
from .._db import fetch
from ..host import ModelReply
from ..ratchet.context import Context
from .examination import Examined
from .failures import Failure
from .material import Material

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Request:
    """One request, as stored; ``outcome`` is None before it ended, and when its job was cancelled or failed."""

    id: int
    job_id: int
    profile: str
    relpath: str
    dry_run: int
    scheduled_for: str | None
    actor: str
    principal: str
    input_sha256: str | None
    failures: int | None
    outcome: str | None
    reason: str | None
    experiment_id: int | None
    created_at: str
    finished_at: str | None


@dataclass(frozen=True)
class Draft:
    """One answer of the model, as stored; ``flags`` is a JSON list. Without a known price its cost is None."""

    id: int
    request_id: int
    experiment_id: int | None
    profile: str
    relpath: str
    attempt: int
    status: str
    reason: str | None
    flags: str
    old_text: str | None
    new_text: str | None
    hypothesis: str | None
    expected_effect: str | None
    base_sha256: str | None
    candidate_sha256: str | None
    change_sha256: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_micro_usd: int | None
    seconds: float | None
    created_at: str
    updated_at: str

    @property
    def flagged(self) -> list[str]:
        """What somebody who decides has to see first."""
        return [str(flag) for flag in json.loads(self.flags)]


@dataclass(frozen=True)
class NamedFailure:
    """A failure that a draft says it answers, as stored; of kind ``scenario`` it has a ``scenario_id``."""

    id: int
    draft_id: int
    name: str
    kind: str
    scenario_id: int | None
    session_id: str | None
    summary: str


@dataclass(frozen=True)
class Proposal:
    """The draft an experiment was made of, and the failures it says it answers."""

    draft: Draft
    failures: tuple[NamedFailure, ...]


def of_experiment(tx: Connection, experiment_id: int) -> Proposal | None:
    """What the proposer said of an experiment; None for one that somebody else proposed."""
    found = fetch(tx, Draft, schema.proposal_drafts, "WHERE experiment_id = ?", experiment_id)
    return Proposal(found[0], _failures(tx, found[0].id)) if found else None


def proposal_of(context: Context, experiment_id: int) -> Proposal | None:
    """The same for who has no transaction."""
    with context.store.read() as tx:
        return of_experiment(tx, experiment_id)


def _failures(tx: Connection, draft_id: int) -> tuple[NamedFailure, ...]:
    return tuple(fetch(tx, NamedFailure, schema.proposal_failures, "WHERE draft_id = ? ORDER BY id", draft_id))


def request_of(tx: Connection, job_id: int) -> Request:
    """What a job of kind ``propose`` is for."""
    return fetch(tx, Request, schema.proposal_requests, "WHERE job_id = ?", job_id)[0]


def drafts_of(tx: Connection, request_id: int) -> list[Draft]:
    """The drafts of a request, in order."""
    return fetch(tx, Draft, schema.proposal_drafts, "WHERE request_id = ? ORDER BY attempt", request_id)


def begin(tx: Connection, request: Request, material: Material) -> None:
    """Write down what a request works with."""
    _change(tx, request.id, input_sha256=material.sha256, failures=len(material.failures))


def finish(
    tx: Connection, request: Request, outcome: str, reason: str | None = None, experiment_id: int | None = None
) -> None:
    """Write down what came of a request; what stopped it is said in ``reason``."""
    _change(tx, request.id, outcome=outcome, reason=reason, experiment_id=experiment_id, finished_at=clock.stamp())


def keep(
    tx: Connection,
    request: Request,
    attempt: int,
    material: Material,
    said: ModelReply,
    examined: Examined,
    status: str,
    experiment_id: int | None = None,
) -> None:
    """Keep a draft with what it cost, whatever became of it; it never holds a secret."""
    reply, moment = examined.reply, clock.stamp()
    row = {
        "request_id": request.id,
        "experiment_id": experiment_id,
        "profile": material.profile,
        "relpath": material.relpath,
        "attempt": attempt,
        "status": status,
        "reason": examined.refusal,
        "flags": json.dumps([str(one) for one in examined.suspicions], ensure_ascii=False),
        "old_text": reply.old_text if reply else None,
        "new_text": reply.new_text if reply else None,
        "hypothesis": reply.hypothesis if reply else None,
        "expected_effect": reply.expected_effect if reply else None,
        "base_sha256": material.base_sha256,
        "candidate_sha256": examined.candidate_sha256,
        "change_sha256": examined.change_sha256,
        "model": said.model or None,
        "input_tokens": said.input_tokens,
        "output_tokens": said.output_tokens,
        "cost_micro_usd": said.cost_micro_usd,
        "seconds": round(said.seconds, 3),
        "created_at": moment,
        "updated_at": moment,
    }
    draft_id = int(tx.execute(insert(schema.proposal_drafts).values(row)).lastrowid)
    _name_failures(tx, draft_id, examined.answers)


def _name_failures(tx: Connection, draft_id: int, answers: Sequence[Failure]) -> None:
    rows = [
        {
            "draft_id": draft_id,
            "name": one.name,
            "kind": one.kind.value,
            "scenario_id": one.scenario_id,
            "session_id": one.session_id,
            "summary": one.summary,
        }
        for one in answers
    ]
    if rows:
        tx.execute(insert(schema.proposal_failures), rows)


def mark(tx: Connection, draft: Draft, status: str, reason: str | None) -> None:
    """Write down what became of a draft that was evaluated."""
    table = schema.proposal_drafts
    values = {"status": status, "reason": reason, "updated_at": clock.stamp()}
    tx.execute(update(table).where(table.c.id == draft.id).values(values))


def evaluated(tx: Connection) -> list[Draft]:
    """Drafts whose evaluation has ended and for which nothing followed from it yet, oldest first."""
    measured = "experiment_id IN (SELECT id FROM experiments WHERE evaluation_status = 'finished')"
    return fetch(tx, Draft, schema.proposal_drafts, f"WHERE status = 'proposed' AND {measured} ORDER BY id")


def _change(tx: Connection, request_id: int, **columns: object) -> None:
    table = schema.proposal_requests
    tx.execute(update(table).where(table.c.id == request_id).values(**columns))
