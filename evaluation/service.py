"""Runs one evaluation: both arms of a proposal through the real agent on the profile's scenarios, then the report."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait

from sqlalchemy import select

from .. import schema
from ..ratchet import experiments
from ..ratchet.context import Context
from . import agent_process, jobs, results
from .exposure import Arm
from .jobs import Job
from .results import Evaluation, Task
from .runner import AgentRun, RunRequest, run_agent_once
from .scenarios import ensure_starters, set_hash, train_set

_POLL_S = 0.3

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
    moment. Raises UnknownJob, Conflict when it runs elsewhere.
    """
    job = jobs.claim(context, job_id)
    asked = stop or threading.Event()
    try:
        ensure_starters(context, job.profile)
        evaluation = _prepare(context, job)
        outcome = _with_pool(evaluation, executor, progress or (lambda _: None), asked)
    except Exception as error:
        with context.store.write() as tx:
            results.fail(tx, job, str(error))
        raise
    return _end(evaluation, outcome)


def _with_pool(evaluation: Evaluation, executor: Executor | None, progress: Progress, stop: threading.Event) -> str:
    """Run what is left; whatever interrupts it, no agent process stays behind and the job can go on later."""
    workers = evaluation.context.settings.evaluation.workers
    pool = executor or ThreadPoolExecutor(workers, thread_name_prefix=evaluation.group)
    try:
        return _run_all(evaluation, pool, progress, stop)
    except KeyboardInterrupt:
        with evaluation.context.store.write() as tx:
            jobs.put_back(tx, evaluation.job)
        raise
    finally:
        agent_process.terminate(evaluation.group)
        if executor is None:
            pool.shutdown(wait=True, cancel_futures=True)


def _prepare(context: Context, job: Job) -> Evaluation:
    experiment = experiments.get(context, job.experiment_id)
    base, candidate = experiments.contents(context, experiment)
    with context.store.write() as tx:
        scenarios = tuple(train_set(tx, job.profile))
        run_ids = results.open_runs(tx, job, set_hash(scenarios)) or results.new_runs(
            tx, context, job, experiment, scenarios
        )
    return Evaluation(context, job, experiment, base, candidate, scenarios, run_ids)


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


def _run_all(evaluation: Evaluation, pool: Executor, progress: Progress, stop: threading.Event) -> str:
    """Run what is left. Returns "finished", "cancelled" or "stopped"."""
    total = len(evaluation.scenarios) * len(Arm) * evaluation.context.settings.evaluation.repeats
    waiting = list(_tasks(evaluation))[::-1]
    done = total - len(waiting)
    running: dict[Future[AgentRun], Task] = {}
    width = evaluation.context.settings.evaluation.workers
    _report_progress(evaluation, done, total, progress)
    while waiting or running:
        while waiting and len(running) < width:
            task = waiting.pop()
            running[pool.submit(run_agent_once, _request(evaluation, task))] = task
        ready, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        if ended := _asked_to_end(evaluation, stop):
            return ended
        for future in ready:
            results.store_result(evaluation, running.pop(future), future.result())
            done += 1
            _report_progress(evaluation, done, total, progress)
    return "finished"


def _asked_to_end(evaluation: Evaluation, stop: threading.Event) -> str | None:
    if stop.is_set():
        return "stopped"
    return "cancelled" if jobs.get_job(evaluation.context, evaluation.job.id).cancel_requested else None


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


def _end(evaluation: Evaluation, outcome: str) -> Job:
    job, context = evaluation.job, evaluation.context
    with context.store.write() as tx:
        if outcome == "stopped":
            jobs.put_back(tx, job)
        elif outcome == "cancelled":
            results.close_runs(tx, evaluation, "failed", {})
            jobs.finish(tx, job, "cancelled", "cancelled")
            results.update_experiment(tx, evaluation, evaluation_status="unmeasured")
        else:
            results.conclude(tx, evaluation)
        return jobs.load(tx, job.id)
