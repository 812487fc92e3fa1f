"""Runs one evaluation: both arms of a proposal through the real agent on the profile's scenarios, then the report."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from enum import Enum, auto
from functools import partial
from typing import Any

from sqlalchemy import select

from .. import schema
from ..errors import Unavailable
from ..ratchet import experiments
from ..ratchet.context import Context
from ..ratchet.experiments import Experiment
from ..ratchet.states import State
from . import agent_process, jobs, results
from .exposure import Arm
from .jobs import Job
from .judging import stored
from .judging.background import begun
from .judging.grading import Graded, grade, needs_judge
from .judging.judge import Judge, Opening
from .results import Evaluation, Task
from .runner import AgentRun, RunRequest, run_agent_once
from .scenarios import ensure_starters, train_set

_POLL_S = 0.3
_OUTAGE = 4
"""When this many runs, the first ones, all fail around the agent, the others would too: each may cost minutes."""

Progress = Callable[[Job], None]


class _Ending(Enum):
    """Why no further run is started."""

    FINISHED = auto()
    CANCELLED = auto()
    STOPPED = auto()


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
            evaluation = _prepare(context, job)
            ending = _with_pool(evaluation, executor, progress or (lambda _: None), stop or threading.Event())
            return _end(evaluation, ending)
        except KeyboardInterrupt:
            with context.store.write() as tx:
                jobs.put_back(tx, job)
            raise
        except Exception as error:
            with context.store.write() as tx:
                if not (isinstance(error, Unavailable) and jobs.retry_later(tx, job, str(error))):
                    jobs.end_failed(tx, job, str(error))
            raise


def _prepare(context: Context, job: Job) -> Evaluation:
    experiment = experiments.get(context, job.experiment_id)
    base, candidate = experiments.contents(context, experiment)
    with context.store.read() as tx:
        scenarios = tuple(train_set(tx, job.profile))
    judge = _judge(context, experiment) if needs_judge(scenarios) else None
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


def _with_pool(evaluation: Evaluation, executor: Executor | None, progress: Progress, stop: threading.Event) -> _Ending:
    """Run what is left; whatever interrupts it, no agent process stays behind."""
    workers = evaluation.context.settings.evaluation.workers
    pool = executor or ThreadPoolExecutor(workers, thread_name_prefix=evaluation.group)
    running: dict[Future[AgentRun], Task] = {}
    try:
        return _run_all(evaluation, pool, running, progress, stop)
    finally:
        _end_runs(evaluation.group, running)
        if executor is None:
            pool.shutdown()


def _run_all(
    evaluation: Evaluation,
    pool: Executor,
    running: dict[Future[AgentRun], Task],
    progress: Progress,
    stop: threading.Event,
) -> _Ending:
    """Run what is left, ``running`` holding what is under way, until there is nothing more or somebody objects.

    A run that ended is graded beside the others: a judge may take as long as an agent.
    """
    settings = evaluation.context.settings.evaluation
    total = len(evaluation.scenarios) * len(Arm) * settings.repeats
    waiting = list(_tasks(evaluation))[::-1]
    grading: dict[Future[Graded], tuple[Task, AgentRun]] = {}
    done, errors = total - len(waiting), 0
    _report_progress(evaluation, done, total, progress)
    while (ending := _asked_to_end(evaluation, stop)) is None:
        while waiting and len(running) < settings.workers and len(grading) < settings.workers:
            task = waiting.pop()
            running[pool.submit(run_agent_once, _request(evaluation, task))] = task
        if not (running or grading) or errors == done >= _OUTAGE:
            return _Ending.FINISHED
        under_way: list[Future[Any]] = [*running, *grading]
        wait(under_way, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for ended in [future for future in running if future.done()]:
            task, run = running.pop(ended), ended.result()
            grading[begun(partial(grade, task.scenario, run, evaluation.judge))] = task, run
        ready = [future for future in grading if future.done()]
        for graded in ready:
            task, run = grading.pop(graded)
            results.store_result(evaluation, task, run, graded.result())
            done, errors = done + 1, errors + (run.error is not None)
        if ready:
            _report_progress(evaluation, done, total, progress)
    return ending


def _end_runs(group: str, running: Iterable[Future[AgentRun]]) -> None:
    """End what is under way; a run may begin in the very moment it is ended, so ask until none is left."""
    left = {future for future in running if not future.cancel()}
    while left:
        agent_process.terminate(group)
        _, left = wait(left, timeout=0.1)


def _tasks(evaluation: Evaluation) -> Iterator[Task]:
    """Every run still to be done, the two arms next to each other, so that both meet the same hour of the day."""
    table = schema.scenario_results
    query = select(table.c.scenario_id, table.c.arm, table.c.repeat).where(
        table.c.eval_run_id.in_(list(evaluation.run_ids.values()))
    )
    with evaluation.context.store.read() as tx:
        finished = {tuple(row) for row in tx.execute(query)}
    repeats = range(evaluation.context.settings.evaluation.repeats)
    for repeat, scenario, arm in itertools.product(repeats, evaluation.scenarios, Arm):
        task = Task(scenario, arm, repeat)
        if task.key not in finished:
            yield task


def _asked_to_end(evaluation: Evaluation, stop: threading.Event) -> _Ending | None:
    """A rejected proposal is not worth its evaluation; an approved one still is, for whoever looks at it later."""
    if stop.is_set():
        return _Ending.STOPPED
    with evaluation.context.store.read() as tx:
        cancelled = jobs.load(tx, evaluation.job.id).cancel_requested
        rejected = experiments.load(tx, evaluation.experiment.id).state == State.REJECTED
    return _Ending.CANCELLED if cancelled or rejected else None


def _report_progress(evaluation: Evaluation, done: int, total: int, progress: Progress) -> None:
    with evaluation.context.store.write() as tx:
        jobs.show_progress(tx, evaluation.job.id, done, total)
    progress(jobs.get_job(evaluation.context, evaluation.job.id))


def _request(evaluation: Evaluation, task: Task) -> RunRequest:
    settings = evaluation.context.settings.evaluation
    return RunRequest(
        profile_home=evaluation.context.home(evaluation.job.profile),
        relpath=evaluation.experiment.target_relpath,
        arm=task.arm,
        base=evaluation.base,
        candidate=evaluation.candidate,
        scenario_input=task.scenario.input,
        toolsets=settings.toolsets,
        max_turns=settings.max_turns,
        timeout_s=settings.timeout_s,
        group=evaluation.group,
        parent=None,
    )


def _end(evaluation: Evaluation, ending: _Ending) -> Job:
    with evaluation.context.store.write() as tx:
        job = jobs.load(tx, evaluation.job.id)
        if ending is _Ending.STOPPED:
            jobs.put_back(tx, job)
        elif ending is _Ending.CANCELLED:
            jobs.end_cancelled(
                tx, job, job.error if job.cancel_requested and job.error else "the proposal was rejected"
            )
        else:
            results.conclude(tx, evaluation)
        return jobs.load(tx, job.id)
