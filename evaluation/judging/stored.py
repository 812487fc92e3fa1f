"""Keeps every call of the judge, votes, probes and canaries alike, and sums up what they came to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert

from ... import clock, schema
from ..._db import driver
from ...stats.kappa import self_agreement
from .judge import Call
from .votes import Judgement, Vote

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Figures:
    """What a judge did: ``agreement_with_itself`` is the share of its votes on one run that coincide, in 0..1.

    ``spoiled`` votes gave no verdict. ``tokens`` and ``cost_micro_usd`` are None when one vote's are unknown.
    """

    votes: int
    spoiled: int
    agreement_with_itself: float | None
    tokens: int | None
    cost_micro_usd: int | None


def keep_calls(tx: Connection, experiment_id: int, run_id: str, calls: Iterable[Call]) -> None:
    """Keep what it took to admit, or not to admit, a judge."""
    _insert(tx, [{**_row(experiment_id, run_id, call.vote), "purpose": call.purpose} for call in calls])


def keep_votes(
    tx: Connection, experiment_id: int, run_id: str, result_id: int, judgements: Mapping[int, Judgement]
) -> None:
    """Keep the votes on one result, by the number of the check."""
    facts = {"purpose": "vote", "result_id": result_id}
    rows = [
        {**_row(experiment_id, run_id, vote), **facts, "check_number": number}
        for number, found in judgements.items()
        for vote in found.votes
    ]
    _insert(tx, rows)


def figures(tx: Connection, eval_run_ids: Collection[int]) -> Figures | None:
    """What the votes on the results of these runs came to; None when there are none."""
    results = f"SELECT id FROM experiment_scenario_results WHERE eval_run_id IN ({', '.join('?' * len(eval_run_ids))})"
    query = (
        "SELECT result_id, check_number, verdict, input_tokens + output_tokens, cost_micro_usd FROM judge_votes"
        f" WHERE result_id IN ({results}) ORDER BY id"
    )
    rows = driver(tx).execute(query, tuple(eval_run_ids)).fetchall()
    if not rows:
        return None
    groups: dict[tuple[int, int], list[str]] = {}
    for result_id, check_number, verdict, _, _ in rows:
        if verdict is not None:
            groups.setdefault((result_id, check_number), []).append(verdict)
    spoiled = sum(row[2] is None for row in rows)
    agreement = self_agreement(list(groups.values()))
    return Figures(len(rows), spoiled, agreement, _total([row[3] for row in rows]), _total([row[4] for row in rows]))


def cost_micro_usd(tx: Connection, run_id: str, eval_run_ids: Collection[int]) -> int | None:
    """What a judge cost in all: its votes on the results of these runs, and what it took to admit it.

    None when the price of one call is unknown.
    """
    results = f"SELECT id FROM experiment_scenario_results WHERE eval_run_id IN ({', '.join('?' * len(eval_run_ids))})"
    query = f"SELECT cost_micro_usd FROM judge_votes WHERE judge_run_id = ? OR result_id IN ({results})"
    return _total([cost for (cost,) in driver(tx).execute(query, (run_id, *eval_run_ids))])


def _total(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _row(experiment_id: int, run_id: str, vote: Vote) -> dict[str, object]:
    return {
        "judge_run_id": run_id,
        "experiment_id": experiment_id,
        "result_id": None,
        "check_number": None,
        "verdict": vote.verdict,
        "no_verdict_reason": None if vote.verdict else vote.reason,
        "rationale": vote.rationale,
        "model": vote.model or None,
        "input_tokens": vote.input_tokens,
        "output_tokens": vote.output_tokens,
        "cost_micro_usd": vote.cost_micro_usd,
        "seconds": round(vote.seconds, 3),
        "created_at": clock.stamp(),
    }


def _insert(tx: Connection, rows: list[dict[str, object]]) -> None:
    if rows:
        tx.execute(insert(schema.judge_votes), [{name: _storable(one) for name, one in row.items()} for row in rows])


def _storable(value: object) -> object:
    """Without halves of characters, which a judge's JSON can hold and SQLite refuses."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
