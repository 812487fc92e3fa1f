"""The rows that leave this machine, over HTTP and as ``--json``: the stored ones, with costs in dollars."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from ..evaluation.jobs import Job
from ..ratchet.experiments import Experiment

_MICRO = 1_000_000


def dollars(micro_usd: int | None) -> float | None:
    """Micro-dollars in dollars; an unknown price stays unknown."""
    return None if micro_usd is None else micro_usd / _MICRO


@dataclass(frozen=True)
class ExperimentRow(Experiment):
    """An experiment as stored; ``cost`` is in US dollars, null when unknown."""

    cost: float | None = None

    @classmethod
    def of(cls, experiment: Experiment) -> ExperimentRow:
        # A hundred of these make a page: the constructor of so wide a frozen record would take most of its time.
        row = object.__new__(cls)
        row.__dict__.update(vars(experiment), cost=dollars(experiment.cost_micro_usd))
        return row


@dataclass(frozen=True)
class JobRow:
    """A job, without the process that works on it; one of kind ``propose`` has no experiment."""

    id: int
    kind: str
    profile: str
    experiment_id: int | None
    state: str
    done: int
    total: int | None
    attempts: int
    cancel_requested: int
    error: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    seed: int | None
    retries: int | None
    expected_at: str | None

    @classmethod
    def of(cls, job: Job) -> JobRow:
        return cls(**{field.name: getattr(job, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class _Costed:
    """A row with its cost in US dollars, null when unknown."""

    cost: float | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        known = {**row, "cost": dollars(row["cost_micro_usd"])}
        return cls(**{field.name: known[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class EvalRunRow(_Costed):
    """One arm of one evaluation."""

    id: int
    experiment_id: int
    job_id: int | None
    kind: str
    arm: str
    split: str
    file_sha256: str | None
    proposer_model: str | None
    judge_model: str | None
    judge_run_id: str | None
    subject_model: str | None
    scenario_set_hash: str
    evaluator_hash: str
    repeats: int
    isolation: str
    aggregate_score: float | None
    cost_micro_usd: int | None
    tokens: int | None
    state: str
    created_at: str
    finished_at: str | None


@dataclass(frozen=True)
class ScenarioResultRow(_Costed):
    """One run of one scenario. ``pass_fail`` is 1, 0, or null with its reason in ``no_result_reason``.

    ``scenario_snapshot``, ``check_results`` and ``transcript`` are JSON in strings; of a held-out scenario they are
    empty but for its name.
    """

    id: int
    eval_run_id: int
    experiment_id: int
    scenario_id: int
    split: str
    arm: str
    repeat: int
    pass_fail: int | None
    no_result_reason: str | None
    check_results: str
    judge_model: str | None
    proposer_model: str | None
    judge_rationale: str | None
    scenario_snapshot: str
    transcript: str
    exposed: int | None
    tokens: int | None
    cost_micro_usd: int | None
    seconds: float | None
    created_at: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return super().of(_without_holdout(row) if row["split"] == "holdout" else row)


def _without_holdout(row: Mapping[str, Any]) -> dict[str, Any]:
    """A result of a held-out scenario, with nothing that tells what was asked or answered."""
    name = json.loads(row["scenario_snapshot"]).get("name")
    hidden = {"check_results": "[]", "transcript": "{}", "judge_rationale": None}
    return {**row, **hidden, "scenario_snapshot": json.dumps({"name": name})}
