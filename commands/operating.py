"""The commands that run the machine: status, pause, resume, jobs, audit, daemon."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from rich.console import Console

from .. import clock
from ..evaluation import jobs as queue
from ..installation import overview
from ..installation.overview import DaemonState, Overview, ProfileOverview
from ..ratchet import controls
from ..ratchet.audit import trail
from ..ratchet.audit.trail import Verdict
from ..ratchet.signing.consent import Trust
from ..ratchet.signing.questions import Question
from ..reviewing.payload import Purpose
from ..reviewing.refusals import NoReviewer
from ..routes.rows import ExperimentRow, JobRow
from ..watching import waiting
from ..watching.changes import Change
from . import experiment_views as views
from . import render, session, signing
from .exits import Exit
from .output import Answer
from .plain import visible
from .render import Column, Stacked

_PROFILES = (
    Column("profile", most=18),
    Column("state", 8),
    Column("change in flight", takes_rest=True),
    Column("evaluation", most=10),
    Column("proposals"),
    Column("scenarios", most=9),
)
_JOBS = (
    Column("#"),
    Column("state", 9),
    Column("runs"),
    Column("created", 10),
    Column("experiment, and what happened", takes_rest=True),
)
_BREAKS = (Column("transition"), Column("problem", takes_rest=True))


def status(args: Namespace) -> Answer:
    with session.opened() as context:
        found = overview.look(context, session.only(args.target))
        unseen = [change for one in found.profiles for change in waiting.unacknowledged(context, one.profile)]
    return Answer(_document(found, unseen), lambda console: _show(console, found, unseen))


def _document(found: Overview, unseen: list[Change]) -> dict[str, Any]:
    return {
        "approval": found.approval,
        "reviewers": _trust(found.trust),
        "auto_apply": found.auto_apply,
        "daemon": {"alive": found.daemon.alive, "heartbeat_at": found.daemon.heartbeat_at, "pid": found.daemon.pid},
        "jobs": {"queued": found.jobs_queued, "running": found.jobs_running},
        "profiles": [_profile_document(one) for one in found.profiles],
        "external_changes": [asdict(change) for change in unseen],
    }


def _trust(trust: Trust) -> dict[str, Any]:
    return {
        "names": [one.name for one in trust.reviewers],
        "fingerprint": trust.fingerprint,
        "pinned": trust.pinned,
        "trouble": trust.trouble.message if trust.trouble else None,
    }


def _profile_document(one: ProfileOverview) -> dict[str, Any]:
    return {
        "profile": one.profile,
        "profile_root": str(one.home),
        "state": one.standing,
        "paused": bool(one.control.paused),
        "paused_by": one.control.paused_by,
        "in_flight": asdict(ExperimentRow.of(one.in_flight)) if one.in_flight else None,
        "evaluation": "measured" if one.measured else "unmeasured",
        "latest_baseline_score": one.baseline_score,
        "experiment_counts": one.experiment_counts,
        "scenario_counts": one.scenario_counts,
        "failures": one.control.failures,
        "last_error": one.control.last_error,
        "retry_at": one.control.retry_at,
    }


def _show(console: Console, found: Overview, unseen: list[Change]) -> None:
    render.say(console, f"approval  {_approval(found)}", _urgency(found))
    if found.trust.configured != found.approval:
        render.say(console, "          the settings say approval: unsigned, which counts no more", "yellow")
    render.say(console, f"daemon    {_daemon(found.daemon)}", "" if found.daemon.alive else "red")
    render.say(console, f"jobs      {found.jobs_queued} queued, {found.jobs_running} running")
    console.print()
    console.print(render.table(_PROFILES, [_row(one) for one in found.profiles]))
    for one in found.profiles:
        for trouble in _troubles(one):
            render.say(console, trouble, "yellow")
    for change in unseen:
        render.say(console, _unseen(change), "yellow")


def _unseen(change: Change) -> str:
    return (
        f"{change.profile}: {change.relpath} {change.what} without an experiment, probably by: {change.author}. "
        f"Look: hermes ratchet changes --diff; agree: hermes ratchet acknowledge {change.profile} {change.relpath}"
    )


def _urgency(found: Overview) -> str:
    if found.trust.trouble is not None and not isinstance(found.trust.trouble, NoReviewer):
        return "red"
    return "yellow" if found.approval == "unsigned" or found.trust.trouble is not None else ""


def _approval(found: Overview) -> str:
    if found.approval == "unsigned":
        return "UNSIGNED: whoever runs the command, or opens the dashboard, approves"
    trust = found.trust
    if trust.trouble is not None:
        return f"signed, but NOTHING IS APPROVED OR APPLIED: {trust.trouble.message}"
    names = ", ".join(one.name for one in trust.reviewers)
    pinned = "pinned" if trust.pinned else "NOT pinned (hermes ratchet install-service)"
    return f"signed by {names}; fingerprint {str(trust.fingerprint)[:16]}, {pinned}"


def _daemon(daemon: DaemonState) -> str:
    heard = f"last heard of {render.ago(daemon.heartbeat_at)}" if daemon.heartbeat_at else "never started"
    if daemon.alive:
        return f"alive, {heard}"
    return f"silent, {heard}: nothing is applied, watched or taken back. Start it: hermes ratchet daemon"


def _row(one: ProfileOverview) -> tuple[object, ...]:
    flight, scenarios = one.in_flight, one.scenario_counts
    score = render.percent(one.baseline_score)
    return (
        one.profile,
        one.standing,
        f"{flight.id}: {flight.target_relpath}, {_progress(one)}" if flight else None,
        f"baseline {score}" if one.measured else "unmeasured",
        one.experiment_counts["proposed"],
        f"{scenarios['train']} + {scenarios['holdout']} held out" if scenarios["holdout"] else scenarios["train"],
    )


def _progress(one: ProfileOverview) -> str:
    flight = one.in_flight
    if flight is None or flight.state != "live":
        return "to be applied"
    counted = f"{flight.live_sessions_observed}/{flight.live_sessions_target}"
    return f"{flight.live_verdict}, {counted}" if flight.live_verdict else counted


def _troubles(one: ProfileOverview) -> list[str]:
    said = []
    if one.control.paused:
        said.append(f"{one.profile}: paused by {one.control.paused_by} {render.ago(one.control.paused_at)}")
    if one.backing_off:
        until = (one.control.retry_at or "")[:19].replace("T", " ")
        said.append(
            f"{one.profile}: failed {one.control.failures} times, next try {until} UTC: {one.control.last_error}"
        )
    if one.in_flight and one.in_flight.live_verdict == "inconclusive":
        number = one.in_flight.id
        said.append(
            f"{one.profile}: the window of experiment {number} could not tell, and a person decides: "
            f'hermes ratchet live {number}, then hermes ratchet decide {number} keep|revert --reason "..."'
        )
    if one.in_flight and one.in_flight.manual_conflict_detected:
        edited = f"{one.profile}: {one.in_flight.target_relpath} was edited by hand"
        said.append(f"{edited}; see: hermes ratchet show {one.in_flight.id}")
    return said


def pause(args: Namespace) -> Answer:
    with session.opened() as context:
        done = controls.pause(context, session.target(args.target), session.actor(), args.reason or "")
    text = f"Profile {session.named(args, done.profile)} is paused. A live change that fails is still taken back."
    return Answer({"ok": True, "profile": done.profile, "paused": True}, views.sentence(text))


def resume(args: Namespace) -> Answer:
    with session.opened() as context:
        profile, actor = session.target(args.target), session.actor()
        signed = None
        if controls.get(context, profile).paused:
            question = Question(Purpose.RESUME, profile=profile)
            signed = signing.signed_here(context, question, actor, args.by)
        done = controls.resume(context, profile, actor, signed)
    text = f"Profile {session.named(args, done.profile)} goes on."
    return Answer({"ok": True, "profile": done.profile, "paused": False}, views.sentence(text))


def jobs(args: Namespace) -> Answer:
    with session.opened() as context:
        if args.cancel:
            done = queue.cancel(context, args.cancel, session.actor())
            asked = " It ends at its next step." if done.is_open else ""
            return Answer({"job": asdict(JobRow.of(done))}, views.sentence(f"Job {done.id} is {done.state}.{asked}"))
        found = queue.list_jobs(context, args.state, args.limit)
    return Answer({"jobs": [asdict(JobRow.of(job)) for job in found]}, lambda console: _job_list(console, found))


def _subject(job: queue.Job) -> str:
    return "a proposal" if job.experiment_id is None else f"experiment {job.experiment_id}"


def _job_list(console: Console, found: list[queue.Job]) -> None:
    if not found:
        render.say(console, "No jobs.")
        return
    rows = [
        (
            j.id,
            j.state,
            f"{j.done}/{j.total or '?'}",
            render.ago(j.created_at),
            Stacked(f"{_subject(j)} of {j.profile}", j.error or _expected(j)),
        )
        for j in found
    ]
    console.print(render.table(_JOBS, rows))


def _expected(job: queue.Job) -> str | None:
    if not job.is_open or job.expected_at is None:
        return None
    return f"should end about {job.expected_at[11:16]} UTC"


def audit_verify(_: Namespace) -> Answer:
    with session.opened() as context:
        found = trail.verify(context)
    return Answer(asdict(found), lambda console: _audit(console, found), Exit.OK if found.ok else Exit.FAILED)


def _audit(console: Console, found: Verdict) -> None:
    compared = f"{found.checked} transitions, {found.witnesses} witnesses, {found.contents} contents"
    if found.ok:
        render.say(console, f"The audit trail is whole: {compared}.", "green")
        if found.head:
            render.say(console, f"head {found.head}")
    else:
        render.say(console, f"The audit trail is BROKEN ({compared} checked):", "red")
        console.print(render.table(_BREAKS, [(b.transition_id or "", b.problem) for b in found.breaks]))
    for repository in found.unread:
        render.say(console, f"not asked: {repository}", "yellow")
    for note in found.notes:
        render.say(console, f"note: {note}", "yellow")


def _log_line(text: str) -> None:
    print(f"{clock.now():%Y-%m-%d %H:%M:%S} {visible(text)}", file=sys.stderr, flush=True)


def daemon(args: Namespace) -> Answer:
    """Blocks until the daemon is stopped, or for one round."""
    from .. import daemon as clockwork

    with session.opened() as context:
        code = clockwork.run(context, once=args.once, say=_log_line)
    return Answer({"ok": code == 0, "exit_code": code}, lambda _: None, Exit(code))
