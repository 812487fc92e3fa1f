"""The command that lets a model propose a change, here or in the daemon, and says what came of it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..proposal import drafts, requests, service
from ..proposal.skips import Skipped
from ..routes.rows import JobRow, dollars
from . import experiment_views as views
from . import measuring, progress, render, session
from .exits import Exit
from .output import Answer

if TYPE_CHECKING:
    from ..evaluation.jobs import Job
    from ..proposal.drafts import Draft, Proposal, Request
    from ..ratchet.context import Context

_EXITS = {"proposed": Exit.OK, "drafted": Exit.OK, "refused": Exit.REFUSED, "skipped": Exit.INCONCLUSIVE}


def propose(args: Namespace) -> Answer:
    """Ask for one change and wait for it; ``--queue`` leaves that to the daemon, ``--dry-run`` proposes nothing."""
    profile = session.target(args.target)
    with session.opened() as context:
        try:
            job = requests.ask(context, profile, args.file, session.actor(), dry_run=args.dry_run)
        except Skipped as skipped:
            return _skipped(skipped.message)
        if args.queue:
            return Answer({**_document(None), "job": asdict(JobRow.of(job))}, _queued(job))
        with progress.shown("proposal", "drafts") as report:
            job = measuring.carried_out(context, job, service.run_job, lambda now: report(now.done, now.total))
        return _answer(context, job)


def _skipped(reason: str) -> Answer:
    document = {**_document(None), "skipped": True, "reason": reason}
    return Answer(document, views.sentence(f"Nothing was proposed: {reason}"), Exit.INCONCLUSIVE)


def _queued(job: Job) -> views.View:
    return views.sentence(f"Job {job.id} is {job.state}. It ends up in: hermes ratchet list")


def _answer(context: Context, job: Job) -> Answer:
    with context.store.read() as tx:
        request = drafts.request_of(tx, job.id)
        made = drafts.drafts_of(tx, request.id)
    document = {**_document(request), "job": asdict(JobRow.of(job)), "drafts": [_row(one) for one in made]}
    code = _EXITS.get(request.outcome or "", Exit.FAILED)
    return Answer(document, lambda console: _show(console, job, request, made), code)


def _document(request: Request | None) -> dict[str, Any]:
    return {
        "skipped": request is not None and request.outcome == "skipped",
        "reason": request and request.reason,
        "outcome": request and request.outcome,
        "experiment_id": request and request.experiment_id,
        "job": None,
        "drafts": [],
    }


def _row(draft: Draft) -> dict[str, Any]:
    return {**asdict(draft), "flags": draft.flagged, "cost": dollars(draft.cost_micro_usd)}


def told(proposal: Proposal) -> dict[str, Any]:
    """What the proposer said of an experiment, for ``show --json``."""
    return {**_row(proposal.draft), "answers": [asdict(one) for one in proposal.failures]}


def _show(console: Console, job: Job, request: Request, made: Sequence[Draft]) -> None:
    for draft in made:
        render.labelled(console, f"draft {draft.attempt}", draft.reason or "stands")
        for flag in draft.flagged if draft.reason is None else ():
            render.labelled(console, "flagged", flag)
    if made and request.outcome in ("proposed", "drafted"):
        _show_change(console, made[-1])
    render.say(console, _ending(job, request))


def _show_change(console: Console, draft: Draft) -> None:
    render.facts(
        console,
        [
            ("instead of", draft.old_text),
            ("put", draft.new_text),
            ("because", draft.hypothesis),
            ("model", draft.model),
        ],
    )


def _ending(job: Job, request: Request) -> str:
    if request.outcome == "proposed":
        number = request.experiment_id
        return f"Experiment {number} is proposed. To measure it here: hermes ratchet evaluate {number}"
    if request.outcome == "drafted":
        return "This was a dry run: nothing is proposed."
    if request.outcome:
        return f"Nothing was proposed: {request.reason}"
    return f"Job {job.id} is {job.state}{f': {job.error}' if job.error else ''}."
