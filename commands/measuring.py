"""The commands that measure: an evaluation before a change is approved, and the live window after."""

from __future__ import annotations

import signal
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..errors import Conflict
from ..evaluation import jobs, reports, service
from ..evaluation.jobs import Job
from ..evaluation.reports import OfflineVerdict
from ..ratchet import experiments, live_window
from ..ratchet.live_window import WindowStatus
from ..routes.rows import ExperimentRow, JobRow
from ..stats.calibration import Verdict
from . import experiment_views as views
from . import output, render, session
from .exits import Exit
from .output import Answer
from .render import Column

if TYPE_CHECKING:
    from ..ratchet.context import Context
    from ..ratchet.experiments import Experiment

_POLL_S = 0.5
_MEMBERS = (
    Column("session", 22),
    Column("counted"),
    Column("outcome"),
    Column("errors"),
    Column("why", takes_rest=True),
)


def evaluate(args: Namespace) -> Answer:
    """Run an evaluation here, or follow it when the daemon was quicker; ``--queue`` only asks for one."""
    with session.opened() as context:
        job = jobs.queue_evaluation(context, args.id, session.actor())
        if args.queue:
            return Answer({"job": asdict(JobRow.of(job))}, views.sentence(f"Job {job.id} is {job.state}."))
        try:
            job = _carried_out(context, job)
        finally:
            output.end_progress()
        found, report = experiments.get(context, args.id), reports.latest(context, args.id)
    document = {"job": asdict(JobRow.of(job)), "experiment": asdict(ExperimentRow.of(found)), "report": report}
    return Answer(document, lambda console: _evaluated(console, job, found, report), _exit(job, found))


def _carried_out(context: Context, job: Job) -> Job:
    try:
        with _interrupt_asks_to_stop() as stop:
            done = service.run_job(context, job.id, _show_progress, stop=stop)
    except Conflict:
        done = jobs.get_job(context, job.id)
    while done.is_open:  # the daemon has it, or it waits to be tried again
        time.sleep(_POLL_S)
        done = jobs.get_job(context, job.id)
        _show_progress(done)
        if done.state == "queued":
            break
    return done


@contextmanager
def _interrupt_asks_to_stop() -> Iterator[threading.Event]:
    """Ctrl-C ends the agents and puts the job back before it ends us; raised anywhere, it could be lost in a lock."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)  # the second time it is meant at once
        stop.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
    if stop.is_set():
        raise KeyboardInterrupt


def _show_progress(job: Job) -> None:
    output.progress(f"evaluation: {job.done} of {job.total or '?'} agent runs")


def _exit(job: Job, experiment: Experiment) -> Exit:
    if job.state != "finished":
        return Exit.FAILED
    measured = experiment.evaluation_status == "finished" and experiment.verdict != OfflineVerdict.NO_RESULT
    return Exit.OK if measured else Exit.INCONCLUSIVE


def _evaluated(console: Console, job: Job, experiment: Experiment, report: dict[str, Any] | None) -> None:
    ended = f"Evaluation of experiment {experiment.id}: {job.state}"
    render.say(console, f"{ended} ({job.error})." if job.error else f"{ended}, {experiment.verdict or 'no verdict'}.")
    if report is not None and job.state == "finished":
        views.report_table(report)(console)
        render.say(console, views.next_step(experiment) or "", "dim")


def live(args: Namespace) -> Answer:
    with session.opened() as context:
        found = live_window.status(context, args.id)
    inconclusive = found.verdict is Verdict.INCONCLUSIVE
    return Answer(_window(found), lambda c: _show_window(c, found), Exit.INCONCLUSIVE if inconclusive else Exit.OK)


def _window(found: WindowStatus) -> dict[str, Any]:
    plan = asdict(found.plan)
    return {
        "experiment_id": found.experiment.id,
        "state": found.experiment.state,
        "verdict": found.verdict,
        "reason": found.reason,
        "counted": found.counted,
        "errors": found.errors,
        "decision": asdict(found.decision) if found.decision else None,
        "plan": plan,
        "sessions": [asdict(member) for member in found.members],
    }


def _show_window(console: Console, found: WindowStatus) -> None:
    plan, window = found.plan, found.plan.window
    render.heading(console, f"Live window of experiment {found.experiment.id} ({found.experiment.state})")
    pairs: list[tuple[str, object]] = [
        ("verdict", f"{found.verdict}: {found.reason}"),
        ("sessions", f"{found.counted} counted of {plan.n}, at most {plan.n_max} or {plan.max_days:g} days"),
        ("errors", found.errors),
        ("test", plan.note),
    ]
    if window is not None and plan.boundary is not None:
        now = f"{found.decision.mid_p[-1]:.4f}" if found.decision and found.decision.mid_p else "not looked at yet"
        pairs += [
            ("baseline", f"{plan.baseline_successes} of {window.n0} sessions succeeded"),
            ("taken back when", f"mid-p <= {plan.boundary:.4f} from session {window.n_min} on (now: {now})"),
            ("verified when", f"a loss above {window.margin:.0%} is ruled out with {window.confidence:.0%}"),
        ]
    render.facts(console, pairs)
    if found.members:
        console.print()
        rows = [(m.session_id, "yes" if m.counted else "no", m.outcome, m.errors, m.reason) for m in found.members]
        console.print(render.table(_MEMBERS, rows))
