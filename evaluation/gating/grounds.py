"""What a report's figures rest on: models, seeds, hashes, isolation, the judge, time and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ... import clock, schema
from .. import jobs, labels, results
from ..judging import stored
from ..results import Evaluation, evaluator_hash, total
from ..running.sandbox import isolation
from ..scenario import holdout
from ..scenario.scenarios import holdout_set, set_hash
from .report_document import Findings

if TYPE_CHECKING:
    from sqlalchemy import Connection

Rows = Sequence[Mapping[str, Any]]


def of(tx: Connection, evaluation: Evaluation, confirmation: Evaluation | None, found: Findings) -> dict[str, Any]:
    """The part of the report beside what came out, with the rows it is made of; of held-out ones only the runs."""
    experiment = evaluation.experiment
    version = found.asked.version if found.asked else holdout.version(tx, evaluation.job.profile)
    return {
        "scenario_set_hash": set_hash(evaluation.scenarios),
        "holdout_version": version,
        "holdout_set_hash": set_hash(holdout_set(tx, evaluation.job.profile)),
        "repeats": evaluation.context.settings.evaluation.repeats,
        "runs": dict(evaluation.run_ids),
        "holdout_runs": dict(confirmation.run_ids) if confirmation else None,
        "result_ids": [row["id"] for row in found.rows],
        "models": {
            "subject": _subjects(tx, evaluation),
            "judge": evaluation.judge.model if evaluation.judge else None,
            "proposer": experiment.proposer_model,
        },
        "seeds": {"interval": found.by.precision.seed, "order": jobs.load(tx, evaluation.job.id).seed},
        "hashes": {
            "evaluator": evaluator_hash(),
            "train_scenarios": set_hash(evaluation.scenarios),
            "holdout_scenarios": found.asked.scenario_set_hash if found.asked else None,
            "base": experiment.base_sha256,
            "candidate": experiment.candidate_sha256,
            "base_commit": experiment.base_commit_sha,
        },
        "isolation": isolation(evaluation.context.settings.evaluation.toolsets),
        "judge": _judge_facts(tx, evaluation, confirmation),
        "cost_micro_usd": _cost(tx, evaluation, confirmation),
        "seconds": _seconds(tx, evaluation, confirmation),
        "tokens": _sum(tx, evaluation, confirmation, "tokens"),
        "measured_at": clock.stamp(),
    }


def _subjects(tx: Connection, evaluation: Evaluation) -> dict[str, str | None]:
    table = schema.eval_runs
    query = select(table.c.arm, table.c.subject_model).where(table.c.id.in_(list(evaluation.run_ids.values())))
    return {row.arm: row.subject_model for row in tx.execute(query)}


def _all_rows(tx: Connection, evaluation: Evaluation, confirmation: Evaluation | None) -> Rows:
    return results.of_runs(tx, _run_ids(evaluation, confirmation))


def _sum(tx: Connection, evaluation: Evaluation, confirmation: Evaluation | None, column: str) -> int | None:
    return total([row[column] for row in _all_rows(tx, evaluation, confirmation)])


def _seconds(tx: Connection, evaluation: Evaluation, confirmation: Evaluation | None) -> dict[str, float | None]:
    """``wall`` since the job was first started, pauses included; ``agents`` is what the runs took together."""
    started = jobs.load(tx, evaluation.job.id).started_at
    wall = (clock.now() - clock.parse(started)).total_seconds() if started else None
    agents = sum(row["seconds"] or 0.0 for row in _all_rows(tx, evaluation, confirmation))
    return {"wall": None if wall is None else round(wall, 3), "agents": round(agents, 3)}


def _cost(tx: Connection, evaluation: Evaluation, confirmation: Evaluation | None) -> int | None:
    """Of all runs and of every call of the judge, canaries included; None when one of them is unknown."""
    agents, judge = _sum(tx, evaluation, confirmation, "cost_micro_usd"), evaluation.judge
    if judge is None:
        return agents
    return total([agents, stored.cost_micro_usd(tx, judge.run_id, _run_ids(evaluation, confirmation))])


def _run_ids(evaluation: Evaluation, confirmation: Evaluation | None) -> list[int]:
    return [*evaluation.run_ids.values(), *(confirmation.run_ids.values() if confirmation else ())]


def _judge_facts(tx: Connection, evaluation: Evaluation, confirmation: Evaluation | None) -> dict[str, Any] | None:
    """What the report says of the judge; None when none was asked."""
    judge, found = evaluation.judge, stored.figures(tx, _run_ids(evaluation, confirmation))
    if judge is None or found is None:
        return None
    agreement = labels.agreement(tx, judge.model)
    return {"model": judge.model, "run_id": judge.run_id, **asdict(found), "labels": asdict(agreement)}
