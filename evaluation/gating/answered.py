"""Trace to cause: the failures a proposal said it answers, and which of them the evaluation found fixed."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ... import schema
from ...ratchet.experiments import Experiment
from .reports import ScenarioComparison

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Answer(StrEnum):
    """What became of a failure that a proposal named."""

    FIXED = "fixed"
    PARTLY = "partly fixed"
    NOT_FIXED = "not fixed"
    NOT_SEEN_AGAIN = "not seen again"
    NOT_MEASURED = "not measured"


def failures(tx: Connection, experiment: Experiment, compared: Sequence[ScenarioComparison]) -> list[dict[str, Any]]:
    """One entry for each failure the proposal named, in the order it named them; empty for a person's own change.

    A session's failure is measured by the train scenarios that were made from it; the worst of them counts.
    """
    drafts, named = schema.proposal_drafts, schema.proposal_failures
    query = (
        select(named)
        .join(drafts, drafts.c.id == named.c.draft_id)
        .where(drafts.c.experiment_id == experiment.id)
        .order_by(named.c.id)
    )
    found = {one.scenario_id: one for one in compared}
    listed = []
    for row in tx.execute(query):
        ids = {row.scenario_id} if row.scenario_id is not None else _made_from(tx, experiment.profile, row.session_id)
        concerned = [found[number] for number in sorted(ids) if number in found]
        listed.append(
            {
                "name": row.name,
                "kind": row.kind,
                "scenario_id": row.scenario_id,
                "session_id": row.session_id,
                "summary": row.summary,
                "answer": _worst(concerned).value,
            }
        )
    return listed


def _worst(concerned: Sequence[ScenarioComparison]) -> Answer:
    order = (Answer.NOT_FIXED, Answer.PARTLY, Answer.NOT_MEASURED, Answer.NOT_SEEN_AGAIN, Answer.FIXED)
    return min(map(_answer, concerned), key=order.index, default=Answer.NOT_MEASURED)


def _answer(one: ScenarioComparison) -> Answer:
    if one.change == "no result":
        return Answer.NOT_MEASURED
    if one.candidate == 1:
        return Answer.FIXED if one.change == "fixed" else Answer.NOT_SEEN_AGAIN
    return Answer.PARTLY if one.change == "fixed" else Answer.NOT_FIXED


def _made_from(tx: Connection, profile: str, session_id: str | None) -> set[int]:
    table = schema.scenarios
    query = select(table.c.id).where(table.c.profile == profile, table.c.source == f"session:{session_id}")
    return set(tx.execute(query).scalars())
