"""Runs one evaluation: both arms of a proposal through the real agent on the profile's scenarios, then the report."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from .. import schema
from ..errors import Unavailable
from ..ratchet import experiments
from ..ratchet.context import Context
from ..ratchet.experiments import Experiment
from ..ratchet.states import State
from ..settings import BudgetSettings
from . import jobs, results
from .gating import concluding, confirming, reports
from .jobs import Job
from .judging import stored
from .judging.grading import grade, needed_tools, needs_judge
from .judging.judge import Judge, Opening
from .results import Evaluation, Task
from .running import budgets, scheduling, timetable, workers
from .running.exposure import Arm
from .running.runner import RunRequest
from .running.scheduling import Ending
from .scenario.scenarios import holdout_set, train_set
from .scenario.starters import ensure_starters

if TYPE_CHECKING:
    from sqlalchemy import Connection

Progress = Callable[[Job], None]


def run_job(
    context: Context,
    job_id: int,
    progress: Progress | None = None,
    *,
    stop: threading.Event | None = None,
    executor: Executor | None = None,
) -> Job:
    """Run an evaluation to its end in this process, on ``executor`` or on threads that start processes.

    Finished results of an earlier, killed attempt are kept. ``stop`` puts the job back into the queue within a
    moment. Raises UnknownJob, Conflict when it runs elsewhere or has ended, and what made it fail; a failure of the
    database or the disk leaves the job in the queue to be tried again.
    """
    with jobs.claimed(context, job_id) as job:
        try:
            ensure_starters(context, job.profile)
            if _over_budget(context, job):  # the judge's first calls cost something too
                return _wait_for_budget(context, job)
            evaluation = _prepare(context, job)
            run = partial(_run_all, executor=executor, progress=progress or _ignored, stop=stop or threading.Event())
            ending = run(evaluation)
            confirmation = confirming.begin(evaluation) if ending is Ending.FINISHED else None
            if confirmation:
                ending = run(confirmation)
            return _end(evaluation, confirmation, ending)
        except KeyboardInterrupt:
            with context.store.write() as tx:
                jobs.put_back(tx, job)
            raise
        except Exception as error:
            with context.store.write() as tx:
                if not (isinstance(error, Unavailable) and jobs.retry_later(tx, job, str(error))):
                    jobs.end_failed(tx, job, str(error))
            raise


def _ignored(_: Job) -> None:
    """Nobody wants to hear of the progress."""


def _prepare(context: Context, job: Job) -> Evaluation:
    experiment = experiments.get(context, job.experiment_id or 0)
    base, candidate = experiments.contents(context, experiment)
    with context.store.read() as tx:
        scenarios, held_out = tuple(train_set(tx, job.profile)), holdout_set(tx, job.profile)
    judge = _judge(context, experiment) if needs_judge((*scenarios, *held_out)) else None
    with context.store.write() as tx:
        run_ids = results.runs_of(tx, context, job, experiment, scenarios, judge)
    return Evaluation(context, job, experiment, base, candidate, scenarios, run_ids, judge)


def _judge(context: Context, experiment: Experiment) -> Judge | None:
    """The judge, proven and tried before any run is paid for; what that took is kept however it ends."""
    opening = Opening()
    try:
        return opening.judge([experiment.proposer_model] if experiment.proposer_model else [])
    finally:
        with context.store.write() as tx:
            stored.keep_calls(tx, experiment.id, opening.run_id, opening.calls)


def _run_all(evaluation: Evaluation, executor: Executor | None, progress: Progress, stop: threading.Event) -> Ending:
    """Run what is left on ``executor``, or on threads that wait for agent processes."""
    settings = evaluation.context.settings.evaluation
    total = evaluation.done_before + len(evaluation.scenarios) * len(Arm) * settings.repeats
    tasks = list(_tasks(evaluation))
    shown = results.Progress(evaluation, total - len(tasks), total, progress)
    plan = scheduling.Plan(
        tasks=tasks,
        request=partial(_request, evaluation, evaluation.context.home(evaluation.job.profile)),
        grade=lambda task, run: grade(task.scenario, run, evaluation.judge),
        keep=shown.keep,
        ending=partial(_asked_to_end, evaluation, stop),
        may_start=lambda: _over_budget(evaluation.context, evaluation.job),
        slow_grade=evaluation.judge is not None,
        one_by_one=settings.budget != BudgetSettings(),
        workers=settings.workers,
        retries=settings.retries,
        group=evaluation.group,
    )
    shown.show()
    if executor is not None:
        return scheduling.run(plan, executor)
    with workers.kept_warm(), ThreadPoolExecutor(settings.workers, thread_name_prefix=evaluation.group) as pool:
        return scheduling.run(plan, pool)


def _tasks(evaluation: Evaluation) -> Iterator[Task]:
    """Every run still to be done, in the order that the job's seed decides."""
    table = schema.scenario_results
    query = select(table.c.scenario_id, table.c.arm, table.c.repeat).where(
        table.c.eval_run_id.in_(list(evaluation.run_ids.values()))
    )
    with evaluation.context.store.write() as tx:
        seed = timetable.seed_of(tx, evaluation.job.id)
        finished = {tuple(row) for row in tx.execute(query)}
    repeats = evaluation.context.settings.evaluation.repeats
    tasks = (Task(*drawn) for drawn in timetable.order(evaluation.scenarios, repeats, seed))
    return (task for task in tasks if task.key not in finished)


def _over_budget(context: Context, job: Job) -> Ending | None:
    budget = context.settings.evaluation.budget
    if budget == BudgetSettings():
        return None
    with context.store.read() as tx:
        return Ending.OVER_BUDGET if budgets.reached(tx, budget, job) else None


def _asked_to_end(evaluation: Evaluation, stop: threading.Event) -> Ending | None:
    """A rejected proposal is not worth its evaluation; an approved one still is, for whoever looks at it later."""
    if stop.is_set():
        return Ending.STOPPED
    with evaluation.context.store.read() as tx:
        cancelled = jobs.load(tx, evaluation.job.id).cancel_requested
        rejected = experiments.load(tx, evaluation.experiment.id).state == State.REJECTED
    return Ending.CANCELLED if cancelled or rejected else None


def _request(evaluation: Evaluation, home: Path, task: Task) -> RunRequest:
    settings = evaluation.context.settings.evaluation
    return RunRequest(
        profile_home=home,
        relpath=evaluation.experiment.target_relpath,
        arm=task.arm,
        base=evaluation.base,
        candidate=evaluation.candidate,
        scenario_input=task.scenario.input,
        toolsets=settings.toolsets,
        max_turns=settings.max_turns,
        timeout_s=settings.timeout_s,
        group=evaluation.group,
        needs=needed_tools(task.scenario),
    )


def _end(evaluation: Evaluation, confirmation: Evaluation | None, ending: Ending) -> Job:
    """What an ending leads to. A report is written as a file, too, once it is in the database."""
    with evaluation.context.store.write() as tx:
        job = jobs.load(tx, evaluation.job.id)
        if ending is Ending.STOPPED:
            jobs.put_back(tx, job)
        elif ending is Ending.OVER_BUDGET:
            _end_over_budget(tx, evaluation.context, job)
        elif ending is Ending.CANCELLED:
            jobs.end_cancelled(
                tx, job, job.error if job.cancel_requested and job.error else "the proposal was rejected"
            )
        else:
            concluding.conclude(tx, evaluation, confirmation)
        ended = jobs.load(tx, job.id)
    reports.write_files(evaluation.context, evaluation.experiment.id)
    return ended


def _wait_for_budget(context: Context, job: Job) -> Job:
    with context.store.write() as tx:
        _end_over_budget(tx, context, job)
        return jobs.load(tx, job.id)


def _end_over_budget(tx: Connection, context: Context, job: Job) -> None:
    """Wait for the day on which the cap counts anew; a cap on the evaluation itself ends it."""
    cap = budgets.reached(tx, context.settings.evaluation.budget, job)
    if cap is None:  # a new day began in this very moment
        jobs.put_back(tx, job)
    elif cap.until is None:
        jobs.end_failed(tx, job, cap.reason)
    else:
        jobs.postpone(tx, job, cap.reason, cap.until)
