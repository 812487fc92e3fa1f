"""The commands about one change: propose it, look at it, decide on it, apply it, take it back."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInput
from ..evaluation.gating import reports
from ..installation import overview
from ..proposal import drafts
from ..ratchet import apply as applying
from ..ratchet import approval, atomic_change, experiments
from ..ratchet.beginning import revert_purpose
from ..ratchet.experiments import Experiment
from ..ratchet.signing.questions import Question
from ..ratchet.states import State
from ..ratchet.unified_diff import apply_diff
from ..ratchet.window import live_window, restarts
from ..reviewing.payload import Purpose
from ..routes.rows import ExperimentRow
from . import experiment_views as views
from . import given, proposing, session, signing
from .output import Answer
from .plain import one_line, visible

if TYPE_CHECKING:
    from ..ratchet.context import Context
    from ..ratchet.files.guarded_file import FileVersion

_MAX_READ = 4 << 20
_UNSEEN = "This diff holds characters that do not show on a terminal. To see them named: hermes ratchet show {}"


def new(args: Namespace) -> Answer:
    profile = session.target(args.target)
    with session.opened() as context:
        base = experiments.current_file(context, profile, args.file)
        candidate = _candidate(args, base)
        made = experiments.propose(
            context, profile, args.file, candidate, args.why, session.actor(), base_sha256=base.sha256
        )
        watched = overview.daemon_state(context).alive
    return Answer({"experiment_id": made.id, "state": made.state}, views.proposed(made, watched))


def _candidate(args: Namespace, base: FileVersion) -> bytes:
    if args.replace:
        return experiments.replaced_text(base.content, *args.replace)
    if args.diff:
        return apply_diff(base.content, _read(args.diff), args.file)
    return _read(args.content)


def _read(name: str) -> bytes:
    """A file that the caller named, or standard input."""
    try:
        if name == "-":
            found = given.standard_input(_MAX_READ + 1)
        else:
            with Path(name).open("rb") as file:
                found = file.read(_MAX_READ + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{one_line(name)} cannot be read: {why}.") from None
    if len(found) > _MAX_READ:
        raise BadInput(f"{one_line(name)} has more than {_MAX_READ >> 20} MiB: no prompt file is that long.")
    return found


def list_all(args: Namespace) -> Answer:
    state = State(args.state) if args.state else None
    with session.opened() as context:
        found = experiments.list_experiments(
            context, profile=session.only(args.target), state=state, limit=args.limit, before=args.before
        )
    following = found[-1].id if len(found) == args.limit else None
    document = {"experiments": [asdict(ExperimentRow.of(e)) for e in found], "next_before": following}
    return Answer(document, views.listing(found, following))


def show(args: Namespace) -> Answer:
    with session.opened() as context:
        found = experiments.shown(context, args.id)
        report = reports.latest(context, args.id)
        approved = overview.approval_of(context, args.id)
        steps = experiments.transitions(context, args.id)
        proposal = drafts.proposal_of(context, args.id)
    document = {
        "experiment": asdict(ExperimentRow.of(found)),
        "proposal": proposing.told(proposal) if proposal else None,
        "report": report,
        "approval": asdict(approved) if approved else None,
        "transitions": [asdict(step) for step in steps],
    }
    return Answer(document, views.full(found, report, approved))


def diff(args: Namespace) -> Answer:
    with session.opened() as context:
        found = experiments.shown(context, args.id)
        patch = atomic_change.patch(found.target_relpath, *experiments.contents(context, found))
    deceives = visible(found.diff) != found.diff and not sys.stdout.isatty()
    return Answer(
        {"experiment_id": found.id, "diff": found.diff},
        views.diff(found),
        exact=patch,
        warning=views.sentence(_UNSEEN.format(found.id)) if deceives else None,
    )


def history(args: Namespace) -> Answer:
    with session.opened() as context:
        found = experiments.get(context, args.id)
        steps = experiments.transitions(context, args.id)
    document = {"experiment_id": found.id, "transitions": [asdict(step) for step in steps]}
    return Answer(document, views.history(found, steps))


def approve(args: Namespace) -> Answer:
    purpose = Purpose.OVERRIDE if (args.override or "").strip() else Purpose.APPROVE
    with session.opened() as context:
        experiments.get(context, args.id)
        question = Question(purpose, experiment=args.id, reason=args.override)
        signed = signing.signed_here(context, question, session.actor(), args.by)
        done = approval.approve(context, args.id, session.actor(), override_reason=args.override, signed=signed)
        plan = live_window.status(context, args.id).plan
        return _moved(context, done, views.approved_on(done, plan))


def reject(args: Namespace) -> Answer:
    with session.opened() as context:
        return _moved(context, experiments.reject(context, args.id, session.actor(), args.reason))


def apply(args: Namespace) -> Answer:
    with session.opened() as context:
        experiments.get(context, args.id)
        actor, force, signed = session.actor(), None, None
        if args.force:
            force = _said_why(args.reason, "forcing it")
            signed = signing.signed_here(context, Question(Purpose.FORCE, args.id, reason=force), actor, args.by)
        done = applying.apply(context, args.id, actor, unwatched=args.unwatched, force=force, signed=signed)
        return _moved(context, done)


def verify(args: Namespace) -> Answer:
    with session.opened() as context:
        return _moved(context, live_window.verify(context, args.id, session.actor()))


def revert(args: Namespace) -> Answer:
    with session.opened() as context:
        found = experiments.get(context, args.id)
        if found.state == State.REVERTED:
            return _moved(context, found, views.already_reverted(found))
        reason, actor = args.reason or "taken back at a terminal", session.actor()
        purpose, signed = revert_purpose(found, force=args.force), None
        if purpose:
            reason = _said_why(args.reason, "taking this back")
            signed = signing.signed_here(context, Question(purpose, args.id, reason=reason), actor, args.by)
        return _moved(context, applying.revert(context, args.id, actor, reason, force=args.force, signed=signed))


def _said_why(reason: str, what: str) -> str:
    """The reason that a reviewer signs with the rest. Raises BadInput when there is none."""
    if not reason.strip():
        raise BadInput(f"Say why with --reason TEXT: {what} is signed for exactly that reason.")
    return reason


def _moved(context: Context, experiment: Experiment, told: Sequence[str] = ()) -> Answer:
    """``told`` are sentences that a person is told besides."""
    document = {
        "ok": True,
        "experiment_id": experiment.id,
        "state": experiment.state,
        "apply_commit_sha": experiment.apply_commit_sha,
        "revert_commit_sha": experiment.revert_commit_sha,
    }
    daemon, served = overview.daemon_state(context), restarts.advice(context, experiment)
    said = (*told, *served)
    return Answer({**document, "serving": served}, views.moved(experiment, daemon.alive, context.settings, said))
