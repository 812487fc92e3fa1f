"""What an evaluation leaves behind: runs, one row per scenario result, scores, the report, the baseline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select, update

from .. import clock, schema
from ..ratchet.context import Context
from ..ratchet.experiments import Experiment
from . import jobs, labels, reports
from .checks import Outcome
from .exposure import Arm
from .jobs import Job
from .judging import stored
from .judging.grading import Graded
from .judging.judge import Judge
from .reports import ScenarioComparison
from .runner import AgentRun
from .scenarios import Scenario, set_hash

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MAX_ANSWER = 20_000
ISOLATION = "throw-away home, no file or terminal tools"


@dataclass(frozen=True)
class Task:
    """One agent run of an evaluation."""

    scenario: Scenario
    arm: Arm
    repeat: int

    @property
    def key(self) -> tuple[int, str, int]:
        return self.scenario.id, self.arm.value, self.repeat


@dataclass(frozen=True)
class Evaluation:
    """Everything one job works with."""

    context: Context
    job: Job
    experiment: Experiment
    base: bytes | None
    candidate: bytes
    scenarios: tuple[Scenario, ...]
    run_ids: Mapping[str, int]
    judge: Judge | None = None

    @property
    def group(self) -> str:
        return f"job-{self.job.id}"


@cache
def evaluator_hash() -> str:
    """SHA-256 over the code that runs and judges; results of different evaluators are not comparable."""
    parts = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()


def store_result(evaluation: Evaluation, task: Task, run: AgentRun, graded: Graded) -> None:
    """Keep a run, what came of it and every vote on it; without a result, the reason takes its place."""
    judged = graded.outcome
    known = {Outcome.PASS: 1, Outcome.FAIL: 0}.get(judged.outcome) if judged.outcome else None
    judge = evaluation.judge if graded.judgements else None
    rationales = [found.rationale for found in graded.judgements.values() if found.rationale]
    row = {
        "eval_run_id": evaluation.run_ids[task.arm.value],
        "experiment_id": evaluation.experiment.id,
        "scenario_id": task.scenario.id,
        "split": "train",
        "arm": task.arm.value,
        "repeat": task.repeat,
        "pass_fail": known,
        "no_result_reason": judged.reason if known is None else None,
        "check_results": json.dumps([[r.type, r.outcome, r.reason] for r in judged.results], ensure_ascii=False),
        "judge_model": judge.model if judge else None,
        "judge_rationale": "\n".join(rationales) or None,
        "scenario_snapshot": task.scenario.snapshot(),
        "transcript": _transcript(run),
        "exposed": None if run.exposed is None else int(run.exposed),
        "tokens": run.tokens.total if run.tokens else None,
        "cost_micro_usd": run.cost_micro_usd,
        "seconds": round(run.seconds, 3),
        "created_at": clock.stamp(),
    }
    with evaluation.context.store.write() as tx:
        result_id = int(tx.execute(insert(schema.scenario_results).values(row)).lastrowid)
        if judge:
            stored.keep_votes(tx, evaluation.experiment.id, judge.run_id, result_id, graded.judgements)
        if run.model:
            table = schema.eval_runs
            chosen = table.c.id == row["eval_run_id"]
            tx.execute(update(table).where(chosen).values(subject_model=f"{run.provider}/{run.model}"))


def _transcript(run: AgentRun) -> str:
    kept = {
        "answer": run.answer[:_MAX_ANSWER],
        "tools": [[call.name, call.arguments[:2_000], call.ok] for call in run.tool_trace],
        "session_id": run.session_id,
        "exit_reason": run.exit_reason,
        "error": run.error,
    }
    return json.dumps(kept, ensure_ascii=False)


def conclude(tx: Connection, evaluation: Evaluation) -> None:
    """Write scores, report and baseline; without a scenario that has a result in both arms there is no measurement."""
    rows = _stored_results(tx, evaluation)
    compared = reports.compare(rows)
    if not evaluation.scenarios:
        _end_unmeasured(tx, evaluation)
    elif reports.verdict(compared) is reports.OfflineVerdict.NO_RESULT:
        _end_without_result(tx, evaluation, rows)
    else:
        _end_measured(tx, evaluation, rows, compared)


def _end_unmeasured(tx: Connection, evaluation: Evaluation) -> None:
    _close_runs(tx, evaluation, "finished", {})
    jobs.end_finished(tx, evaluation.job, "the profile has no scenarios")
    _update_experiment(tx, evaluation, evaluation_status="unmeasured")


def _end_without_result(tx: Connection, evaluation: Evaluation, rows: list[dict[str, Any]]) -> None:
    """Try again later when something around the agent failed; anything else would end the same way again."""
    _close_runs(tx, evaluation, "failed", {})
    broken = [row["no_result_reason"] for row in rows if json.loads(row["transcript"])["error"] is not None]
    if broken and jobs.retry_later(tx, evaluation.job, broken[0]):
        return
    others = [row["no_result_reason"] for row in rows if row["pass_fail"] is None]
    jobs.end_failed(tx, evaluation.job, f"no scenario gave a result in both arms: {[*broken, *others][0]}")


def _end_measured(
    tx: Connection, evaluation: Evaluation, rows: list[dict[str, Any]], compared: list[ScenarioComparison]
) -> None:
    scores = {arm: reports.score(compared, arm) for arm in Arm}
    cost = _total([row["cost_micro_usd"] for row in rows])
    _close_runs(tx, evaluation, "finished", scores)
    facts = {
        "runs": dict(evaluation.run_ids),
        "cost_micro_usd": cost,
        "evaluator_hash": evaluator_hash(),
        "scenario_set_hash": set_hash(evaluation.scenarios),
        "judge": _judge_facts(tx, evaluation),
    }
    reports.store(tx, evaluation.experiment, facts, rows)
    baseline_id = _keep_baseline(tx, evaluation, scores[Arm.BASELINE])
    _update_experiment(
        tx,
        evaluation,
        evaluation_status="finished",
        baseline_id=baseline_id,
        baseline_score=scores[Arm.BASELINE],
        offline_score=scores[Arm.CANDIDATE],
        verdict=reports.verdict(compared).value,
        cost_micro_usd=cost,
        judge_model=evaluation.judge.model if evaluation.judge else None,
        judge_run_id=evaluation.judge.run_id if evaluation.judge else None,
    )
    jobs.end_finished(tx, evaluation.job)


def _judge_facts(tx: Connection, evaluation: Evaluation) -> dict[str, Any] | None:
    """What the report says of the judge; None when none was asked."""
    judge, found = evaluation.judge, stored.figures(tx, evaluation.run_ids.values())
    if judge is None or found is None:
        return None
    agreement = labels.agreement(tx, judge.model)
    return {"model": judge.model, "run_id": judge.run_id, **asdict(found), "labels": asdict(agreement)}


def _stored_results(tx: Connection, evaluation: Evaluation) -> list[dict[str, Any]]:
    table = schema.scenario_results
    query = select(table).where(table.c.eval_run_id.in_(list(evaluation.run_ids.values()))).order_by(table.c.id)
    return [dict(row._mapping) for row in tx.execute(query)]


def _close_runs(tx: Connection, evaluation: Evaluation, state: str, scores: Mapping[Arm, float | None]) -> None:
    rows = _stored_results(tx, evaluation)
    table = schema.eval_runs
    for arm in Arm:
        mine = [row for row in rows if row["arm"] == arm]
        values = {
            "state": state,
            "finished_at": clock.stamp(),
            "aggregate_score": scores.get(arm),
            "tokens": _total([row["tokens"] for row in mine]),
            "cost_micro_usd": _total([row["cost_micro_usd"] for row in mine]),
        }
        tx.execute(update(table).where(table.c.id == evaluation.run_ids[arm.value]).values(values))


def _total(figures: list[int | None]) -> int | None:
    """The sum, None when one of them is unknown: an unknown price is not a price of nothing."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known and len(known) == len(figures) else None


def _keep_baseline(tx: Connection, evaluation: Evaluation, score: float | None) -> int:
    models = tx.execute(
        select(schema.eval_runs.c.subject_model).where(schema.eval_runs.c.id == evaluation.run_ids[Arm.BASELINE.value])
    ).scalar_one()
    row = {
        "profile": evaluation.job.profile,
        "file": evaluation.experiment.target_relpath,
        "commit_sha": evaluation.experiment.base_commit_sha,
        "content_hash": evaluation.experiment.base_sha256,
        "scenario_set_hash": set_hash(evaluation.scenarios),
        "split": "train",
        "models": json.dumps({"subject": models, "judge": evaluation.judge.model if evaluation.judge else None}),
        "score": score,
        "experiment_id": evaluation.experiment.id,
        "created_at": clock.stamp(),
    }
    return int(tx.execute(insert(schema.baselines).values(row)).lastrowid)


def _update_experiment(tx: Connection, evaluation: Evaluation, **columns: object) -> None:
    table = schema.experiments
    chosen = table.c.id == evaluation.experiment.id
    tx.execute(update(table).where(chosen).values(**columns, updated_at=clock.stamp()))


def runs_of(
    tx: Connection,
    context: Context,
    job: Job,
    experiment: Experiment,
    scenarios: Sequence[Scenario],
    judge: Judge | None = None,
) -> dict[str, int]:
    """The runs of this job by arm: those a killed attempt left open, or new ones when what it measured has changed."""
    measured = {
        "scenario_set_hash": set_hash(scenarios),
        "evaluator_hash": evaluator_hash(),
        "repeats": context.settings.evaluation.repeats,
        "judge_model": judge.model if judge else None,
    }
    table = schema.eval_runs
    left = (table.c.job_id == job.id) & (table.c.state == "running")
    same = and_(*(table.c[name].is_not_distinct_from(value) for name, value in measured.items()))
    tx.execute(update(table).where(left & ~same).values(state="failed", finished_at=clock.stamp()))
    found = {row.arm: row.id for row in tx.execute(select(table.c.arm, table.c.id).where(left))}
    return found or _new_runs(tx, job, experiment, {**measured, "judge_run_id": judge.run_id if judge else None})


def _new_runs(tx: Connection, job: Job, experiment: Experiment, measured: Mapping[str, object]) -> dict[str, int]:
    files = {Arm.BASELINE: experiment.base_sha256, Arm.CANDIDATE: experiment.candidate_sha256}
    shared = {
        **measured,
        "experiment_id": experiment.id,
        "job_id": job.id,
        "kind": "proposal",
        "split": "train",
        "isolation": ISOLATION,
        "state": "running",
        "created_at": clock.stamp(),
    }
    made = {}
    for arm in Arm:
        row = {**shared, "arm": arm.value, "file_sha256": files[arm]}
        made[arm.value] = int(tx.execute(insert(schema.eval_runs).values(row)).lastrowid)
    return made
