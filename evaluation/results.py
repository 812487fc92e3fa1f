"""What an evaluation leaves behind while it runs: its runs, and one row per result, without secrets in any text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select, update

from .. import clock, schema
from ..privacy import sanitize, without_secrets
from ..ratchet.context import Context
from ..ratchet.experiments import Experiment
from ..stats.comparison import Split
from . import jobs
from .checks import Outcome
from .jobs import Job
from .judging import stored
from .judging.grading import Graded
from .judging.judge import Judge
from .running import timetable
from .running.exposure import Arm
from .running.runner import AgentRun
from .running.sandbox import isolation
from .running.scheduling import Finished
from .scenario.scenarios import Scenario, set_hash

if TYPE_CHECKING:
    from sqlalchemy import Connection

MEASURED = ("scenario_set_hash", "evaluator_hash", "repeats", "isolation", "judge_model")
"""The columns of a run that say under which circumstances it was made."""

_MAX_ANSWER = 20_000


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
    """Everything one job works with on one split. ``done_before`` is how many runs it made on the other one."""

    context: Context
    job: Job
    experiment: Experiment
    base: bytes | None
    candidate: bytes
    scenarios: tuple[Scenario, ...]
    run_ids: Mapping[str, int]
    judge: Judge | None = None
    split: Split = Split.TRAIN
    done_before: int = 0

    @property
    def group(self) -> str:
        return f"job-{self.job.id}"


@cache
def evaluator_hash() -> str:
    """SHA-256 over the code that runs and judges; results of different evaluators are not comparable."""
    parts = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()


class Progress:
    """How far an evaluation is: ``done`` of ``total`` runs have a stored result; ``tell`` hears of each step."""

    def __init__(self, evaluation: Evaluation, done: int, total: int, tell: Callable[[Job], None]) -> None:
        self.evaluation, self.done, self.total, self.tell = evaluation, done, total, tell
        self._pace = timetable.Pace()

    def keep(self, finished: Sequence[Finished[Task]]) -> None:
        """Store a batch in one transaction, with the progress it makes."""
        self.done += len(finished)
        with self.evaluation.context.store.write() as tx:
            for one in finished:
                _store(tx, self.evaluation, one.task, one.run, one.graded)
            again = sum(one.run.attempts - 1 for one in finished)
            self._pace.note(tx, self.evaluation.job.id, len(finished), self.total - self.done, again)
            jobs.show_progress(tx, self.evaluation.job.id, self.done, self.total)
            job = jobs.load(tx, self.evaluation.job.id)
        self.tell(job)

    def show(self) -> None:
        """Say where the evaluation stands without having done anything."""
        self.keep(())


def store_result(evaluation: Evaluation, task: Task, run: AgentRun, graded: Graded) -> None:
    """Keep a run, what came of it and every vote on it; without a result, the reason takes its place."""
    with evaluation.context.store.write() as tx:
        _store(tx, evaluation, task, run, graded)


def _store(tx: Connection, evaluation: Evaluation, task: Task, run: AgentRun, graded: Graded) -> None:
    """The one place where what an agent and a judge said is written down, and so where secrets are taken out of it."""
    judged = graded.outcome
    known = {Outcome.PASS: 1, Outcome.FAIL: 0}.get(judged.outcome) if judged.outcome else None
    judge = evaluation.judge if graded.judgements else None
    rationales = [found.rationale for found in graded.judgements.values() if found.rationale]
    row = {
        "eval_run_id": evaluation.run_ids[task.arm.value],
        "experiment_id": evaluation.experiment.id,
        "scenario_id": task.scenario.id,
        "split": evaluation.split.value,
        "arm": task.arm.value,
        "repeat": task.repeat,
        "pass_fail": known,
        "no_result_reason": _words(judged.reason) if known is None else None,
        "check_results": _text([[r.type, r.outcome, r.reason] for r in judged.results]),
        "judge_model": judge.model if judge else None,
        "judge_rationale": _words("\n".join(rationales)) or None,
        "scenario_snapshot": task.scenario.snapshot(),
        "transcript": _transcript(run),
        "exposed": None if run.exposed is None else int(run.exposed),
        "tokens": run.tokens.total if run.tokens else None,
        "cost_micro_usd": run.cost_micro_usd,
        "seconds": round(run.seconds, 3),
        "created_at": clock.stamp(),
    }
    result_id = int(tx.execute(insert(schema.scenario_results).values(row)).lastrowid)
    tx.execute(insert(schema.spending).values(_spent(evaluation.job, run, row)))
    if judge:
        stored.keep_votes(tx, evaluation.experiment.id, judge.run_id, result_id, graded.judgements)
    if run.model:
        table = schema.eval_runs
        chosen = table.c.id == row["eval_run_id"]
        tx.execute(update(table).where(chosen).values(subject_model=_storable(f"{run.provider}/{run.model}")))


def _spent(job: Job, run: AgentRun, row: Mapping[str, Any]) -> dict[str, Any]:
    figures = {"calls": run.calls, "tokens": row["tokens"], "cost_micro_usd": row["cost_micro_usd"]}
    facts = {"job_id": job.id, "profile": job.profile, "tries": run.attempts, "created_at": row["created_at"]}
    return {**facts, **figures}


def _transcript(run: AgentRun) -> str:
    kept = {
        "answer": run.answer[:_MAX_ANSWER],
        "tools": [[call.name, call.arguments[:2_000], call.ok] for call in run.tool_trace],
        "session_id": run.session_id,
        "exit_reason": run.exit_reason,
        "error": run.error,
        "attempts": run.attempts,
    }
    return _text(kept)


def _text(document: object) -> str:
    return _storable(json.dumps(without_secrets(document), ensure_ascii=False))


def _words(text: str) -> str:
    return _storable(sanitize(text).text)


def _storable(text: str) -> str:
    """Without halves of characters, which SQLite refuses, and the whole batch with them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def of_runs(tx: Connection, run_ids: Collection[int]) -> list[dict[str, Any]]:
    """The results of these runs as stored, oldest first."""
    table = schema.scenario_results
    query = select(table).where(table.c.eval_run_id.in_(list(run_ids))).order_by(table.c.id)
    return [dict(row._mapping) for row in tx.execute(query)]


def close_runs(tx: Connection, evaluation: Evaluation, state: str, scores: Mapping[Arm, float | None]) -> None:
    """End the runs of one split of an evaluation, with what they add up to."""
    rows = of_runs(tx, evaluation.run_ids.values())
    table = schema.eval_runs
    for arm in Arm:
        mine = [row for row in rows if row["arm"] == arm]
        values = {
            "state": state,
            "finished_at": clock.stamp(),
            "aggregate_score": scores.get(arm),
            "tokens": total([row["tokens"] for row in mine]),
            "cost_micro_usd": total([row["cost_micro_usd"] for row in mine]),
        }
        tx.execute(update(table).where(table.c.id == evaluation.run_ids[arm.value]).values(values))


def total(figures: Sequence[int | None]) -> int | None:
    """The sum, None when one of them is unknown: an unknown price is not a price of nothing."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known and len(known) == len(figures) else None


def measured(context: Context, scenarios: Sequence[Scenario], judge: Judge | None) -> dict[str, Any]:
    """The circumstances under which runs are made, by MEASURED: results of other ones do not belong together."""
    values = (
        set_hash(scenarios),
        evaluator_hash(),
        context.settings.evaluation.repeats,
        isolation(context.settings.evaluation.toolsets),
        judge.model if judge else None,
    )
    return dict(zip(MEASURED, values, strict=True))


def runs_of(
    tx: Connection,
    context: Context,
    job: Job,
    experiment: Experiment,
    scenarios: Sequence[Scenario],
    judge: Judge | None = None,
    split: Split = Split.TRAIN,
) -> dict[str, int]:
    """The runs of this job on one split, by arm: those a killed attempt left open, or new ones.

    New ones when what it measured has changed since.
    """
    circumstances = measured(context, scenarios, judge)
    table = schema.eval_runs
    left = (table.c.job_id == job.id) & (table.c.state == "running") & (table.c.split == split.value)
    same = and_(*(table.c[name].is_not_distinct_from(value) for name, value in circumstances.items()))
    tx.execute(update(table).where(left & ~same).values(state="failed", finished_at=clock.stamp()))
    found = {row.arm: row.id for row in tx.execute(select(table.c.arm, table.c.id).where(left))}
    facts = {**circumstances, "judge_run_id": judge.run_id if judge else None, "split": split.value}
    return found or _new_runs(tx, job, experiment, facts)


def _new_runs(tx: Connection, job: Job, experiment: Experiment, facts: Mapping[str, object]) -> dict[str, int]:
    files = {Arm.BASELINE: experiment.base_sha256, Arm.CANDIDATE: experiment.candidate_sha256}
    shared = {
        **facts,
        "experiment_id": experiment.id,
        "job_id": job.id,
        "kind": "proposal",
        "state": "running",
        "created_at": clock.stamp(),
    }
    made = {}
    for arm in Arm:
        row = {**shared, "arm": arm.value, "file_sha256": files[arm]}
        made[arm.value] = int(tx.execute(insert(schema.eval_runs).values(row)).lastrowid)
    return made
