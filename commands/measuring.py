"""The commands that measure: an evaluation before a change is approved, and the live window after."""

from __future__ import annotations

import signal
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..errors import Conflict
from ..evaluation import jobs, service
from ..evaluation.gating import reports
from ..evaluation.jobs import Job
from ..proposal import settling
from ..ratchet import experiments
from ..ratchet.signing.questions import Question
from ..ratchet.states import State
from ..ratchet.window import deciding, explanation, live_window, restarts
from ..ratchet.window.deciding import Choice
from ..reviewing.payload import Purpose
from ..routes.rows import ExperimentRow, JobRow
from ..stats.calibration import Verdict
from ..stats.gate import GateVerdict
from . import experiment_views as views
from . import live_views, progress, render, session, signing
from .exits import Exit
from .output import Answer

if TYPE_CHECKING:
    from ..ratchet.context import Context
    from ..ratchet.experiments import Experiment

_POLL_S = 0.5
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def evaluate(args: Namespace) -> Answer:
    """Run an evaluation here, or follow it when the daemon was quicker; ``--queue`` only asks for one."""
    with session.opened() as context:
        job = jobs.queue_evaluation(context, args.id, session.actor())
        if args.queue:
            return Answer({"job": asdict(JobRow.of(job))}, views.sentence(f"Job {job.id} is {job.state}."))
        with progress.shown("evaluation", "agent runs") as report_progress:
            job = carried_out(context, job, service.run_job, lambda now: report_progress(now.done, now.total))
        settling.settle(context)
        found, report = experiments.get(context, args.id), reports.latest(context, args.id)
    document = {"job": asdict(JobRow.of(job)), "experiment": asdict(ExperimentRow.of(found)), "report": report}
    return Answer(document, lambda console: _evaluated(console, job, found, report), _exit(job, found))


def carried_out(context: Context, job: Job, run: Callable[..., Job], tell: Callable[[Job], None]) -> Job:
    """A job run to its end by ``run`` in this process, or followed where another one has it already."""
    try:
        with _interrupt_asks_to_stop() as stop:
            done = run(context, job.id, tell, stop=stop)
    except Conflict:
        done = jobs.get_job(context, job.id)
    while done.is_open:  # the daemon has it, or it waits to be tried again
        time.sleep(_POLL_S)
        done = jobs.get_job(context, job.id)
        tell(done)
        if done.state == "queued":
            break
    return done


@contextmanager
def _interrupt_asks_to_stop() -> Iterator[threading.Event]:
    """Ctrl-C ends the agents and puts the job back before it ends us; raised anywhere, it could be lost in a lock.

    So does a polite kill, and the terminal when it is closed: else the agents would go on without anybody.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])  # the second time it is meant at once
        stop.set()

    before = {one: signal.signal(one, ask) for one in _ENDINGS}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    if stop.is_set():
        raise KeyboardInterrupt


def _exit(job: Job, experiment: Experiment) -> Exit:
    if job.state != "finished":
        return Exit.FAILED
    if experiment.verdict in (GateVerdict.FAILED, GateVerdict.BLOCKED, GateVerdict.FLAKY):
        return Exit.REFUSED
    passed = experiment.evaluation_status == "finished" and experiment.verdict == GateVerdict.PASSED
    return Exit.OK if passed else Exit.INCONCLUSIVE


def _evaluated(console: Console, job: Job, experiment: Experiment, report: dict[str, Any] | None) -> None:
    ended = f"Evaluation of experiment {experiment.id}: {job.state}"
    render.say(console, f"{ended} ({job.error})." if job.error else f"{ended}, {experiment.verdict or 'no verdict'}.")
    if report is not None and job.state == "finished":
        views.report_table(report)(console)
        render.say(console, views.next_step(experiment) or "", "dim")


def live(args: Namespace) -> Answer:
    """Where a window stands; of a proposal, what its window would be."""
    with session.opened() as context:
        experiment = experiments.get(context, args.id)
        if experiment.state == State.PROPOSED:
            live_window.make_plan(context, experiment)
        found = live_window.status(context, args.id)
        told = explanation.explain(context, found)
    code = Exit.INCONCLUSIVE if found.verdict is Verdict.INCONCLUSIVE else Exit.OK
    return Answer(live_views.document(found, told), lambda console: live_views.window(console, found, told), code)


def decide(args: Namespace) -> Answer:
    """A person's word on a window that could not tell."""
    with session.opened() as context:
        actor, choice = session.actor(), Choice(args.decision)
        deciding.check_waits(context, args.id)
        question = Question(Purpose.DECIDE, args.id, decision=choice.value, reason=args.reason)
        signed = signing.signed_here(context, question, actor, args.by)
        done = deciding.decide(context, args.id, choice, args.reason, actor, signed=signed)
        served = restarts.advice(context, done)
    kept = "stays: accepted by a person" if choice is Choice.KEEP else f"was taken back as {done.revert_commit_sha}"
    text = "\n".join([f"Experiment {done.id} {kept}.", *served])
    document = {"ok": True, "experiment_id": done.id, "state": done.state, "revert_commit_sha": done.revert_commit_sha}
    return Answer(document, views.sentence(text))
