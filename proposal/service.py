"""Carries a request out: at most three drafts of the model, each examined, and the first that stands is proposed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from .. import host
from ..errors import ChangeRefused, RatchetError, Unavailable
from ..evaluation import jobs
from ..evaluation.jobs import Job
from ..evaluation.judging import identities
from ..evaluation.judging.background import begun
from ..evaluation.judging.judge import JUDGE, PROPOSER
from ..host import ModelReply
from ..ratchet import experiments
from ..ratchet.actor import Actor
from ..ratchet.context import Context
from . import drafts, material, prompt, skips
from .drafts import Request
from .examination import Examined, examine
from .material import Material

if TYPE_CHECKING:
    from sqlalchemy import Connection

DRAFTS = 3
_POLL_S = 0.2
_NOBODY = "nobody"  # stands for a judge that is not configured
Progress = Callable[[Job], None]


class _CancelledError(Exception):
    """Somebody does not want the job any more."""


class _StoppedError(Exception):
    """This process has to end; the job goes on in another one."""


@dataclass(frozen=True)
class _Work:
    """What one job works with."""

    context: Context
    job: Job
    request: Request
    material: Material
    progress: Progress
    stop: threading.Event


def run_job(
    context: Context, job_id: int, progress: Progress | None = None, *, stop: threading.Event | None = None
) -> Job:
    """Run a request to its end in this process. Drafts of an earlier, killed attempt count and are not paid for again.

    ``stop`` puts the job back into the queue within a moment. That there was nothing to propose is no failure: job and
    request say why. Raises UnknownJob, Conflict when it runs elsewhere or has ended, and what made it fail; a model or
    a database that does not answer leaves the job in the queue to be tried again.
    """
    with jobs.claimed(context, job_id) as job:
        try:
            _carry_out(context, job, progress or (lambda _: None), stop or threading.Event())
        except (_StoppedError, KeyboardInterrupt) as ended:
            with context.store.write() as tx:
                jobs.put_back(tx, job)
            if isinstance(ended, KeyboardInterrupt):
                raise
        except _CancelledError:
            with context.store.write() as tx:
                jobs.end_cancelled(tx, job, jobs.load(tx, job.id).error or "cancelled")
        except Exception as error:
            with context.store.write() as tx:
                if not (isinstance(error, Unavailable) and jobs.retry_later(tx, job, str(error))):
                    jobs.end_failed(tx, job, str(error))
            raise
        return jobs.get_job(context, job_id)


def _carry_out(context: Context, job: Job, progress: Progress, stop: threading.Event) -> None:
    with context.store.read() as tx:
        request = drafts.request_of(tx, job.id)
    try:
        work = _Work(context, job, request, _material(context, request), progress, stop)
        _draft(work)
    except skips.Skipped as skipped:
        with context.store.write() as tx:
            _end(tx, job, request, "skipped", skipped.message)


def _material(context: Context, request: Request) -> Material:
    """What the request works with, if it may work now. Raises Skipped."""
    if not request.dry_run:
        skips.check_free(context, request.profile, request.relpath)
    found = material.collect(context, request.profile, request.relpath, to_propose=not request.dry_run)
    with context.store.write() as tx:
        if not request.dry_run:
            skips.check_new(tx, request.profile, request.relpath, found.sha256)
        drafts.begin(tx, request, found)
    return found


def _draft(work: _Work) -> None:
    with work.context.store.read() as tx:
        refused = [one.reason or "" for one in drafts.drafts_of(tx, work.request.id)]
    while len(refused) < DRAFTS:
        _check_wanted(work)
        _show_progress(work, len(refused))
        refusal = _attempt(work, len(refused) + 1, refused)
        if refusal is None:
            return
        refused.append(refusal)
    with work.context.store.write() as tx:
        _end(tx, work.job, work.request, "refused", f"{DRAFTS} drafts were refused; the last one because {refused[-1]}")


def _attempt(work: _Work, number: int, refused: list[str]) -> str | None:
    """One draft. Returns why it was refused; None when it stands, and then the job has ended."""
    with work.context.store.read() as tx:
        skips.check_budget(work.context, tx)
    question = prompt.question(work.material, refused)
    said = _asked(work, partial(host.ask_model, PROPOSER, question.messages))
    _check_identity(work, number, said)
    examined = examine(said.text, question.nonce, work.material, work.context.settings.changes)
    if examined.refusal is None and not work.request.dry_run:
        _check_not_cancelled(work)
        examined = _propose(work, number, said, examined)
        if examined.refusal is None:
            return None
    with work.context.store.write() as tx:
        status = "drafted" if examined.refusal is None else "refused"
        drafts.keep(tx, work.request, number, work.material, said, examined, status)
        if examined.refusal is None:
            _end(tx, work.job, work.request, "drafted")
    return examined.refusal


def _propose(work: _Work, number: int, said: ModelReply, examined: Examined) -> Examined:
    """Make an experiment of a draft; experiment, draft and the end of the job are there together or not at all."""

    def also(tx: Connection, experiment_id: int) -> None:
        drafts.keep(tx, work.request, number, work.material, said, examined, "proposed", experiment_id)
        _end(tx, work.job, work.request, "proposed", experiment_id=experiment_id)

    try:
        experiments.propose(
            work.context,
            work.material.profile,
            work.material.relpath,
            examined.candidate or b"",
            examined.rationale,
            Actor("proposer", work.request.principal),
            base_sha256=work.material.base_sha256,
            proposer_model=said.model,
            also=also,
        )
    except ChangeRefused as refused:
        return replace(examined, refusal=refused.message)
    except RatchetError as error:  # no fault of the draft, but it was paid for
        _keep_unproposed(work, number, said, replace(examined, refusal=error.message, change_sha256=None))
        raise
    return examined


def _keep_unproposed(work: _Work, number: int, said: ModelReply, examined: Examined) -> None:
    with work.context.store.write() as tx:
        drafts.keep(tx, work.request, number, work.material, said, examined, "refused")


def _asked(work: _Work, ask: Callable[[], ModelReply]) -> ModelReply:
    """The model's answer; it may take minutes, and nobody who wants this to end waits for it."""
    answer = begun(ask)
    while not wait([answer], timeout=_POLL_S).done:
        _check_wanted(work)
    return answer.result()


def _check_wanted(work: _Work) -> None:
    if work.stop.is_set():
        raise _StoppedError
    _check_not_cancelled(work)


def _check_not_cancelled(work: _Work) -> None:
    if jobs.get_job(work.context, work.job.id).cancel_requested:
        raise _CancelledError


def _check_identity(work: _Work, number: int, said: ModelReply) -> None:
    """Who answered must say so, or nobody could show later that the judge is somebody else; nor may it be the judge."""
    judge = host.auxiliary_route(JUDGE)
    try:
        identities.check_answered(judge.model if judge else _NOBODY, said.model)
    except identities.JudgeNotIndependent as error:
        _keep_unproposed(work, number, said, Examined(error.message))
        raise


def _end(
    tx: Connection,
    job: Job,
    request: Request,
    outcome: str,
    reason: str | None = None,
    experiment_id: int | None = None,
) -> None:
    drafts.finish(tx, request, outcome, reason, experiment_id)
    if made := len(drafts.drafts_of(tx, request.id)):
        jobs.show_progress(tx, job.id, made, made)
    jobs.end_finished(tx, job, reason and reason[:500])


def _show_progress(work: _Work, done: int) -> None:
    with work.context.store.write() as tx:
        jobs.show_progress(tx, work.job.id, done, DRAFTS)
    work.progress(jobs.get_job(work.context, work.job.id))
