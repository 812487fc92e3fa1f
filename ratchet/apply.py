"""Applies an approved change to its file, and takes a live or verified one back: one commit each, or nothing at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sqlalchemy import insert

from .. import clock, schema
from .._db import audit_head
from ..errors import ApprovalVoid, FileDrifted, IllegalTransition, PathRefused, RatchetError, StoreCorrupt
from ..reviewing.challenges import Signed
from . import (
    approval,
    beginning,
    blobs,
    controls,
    events,
    experiments,
    intended,
    journal,
    lease,
    operation,
    prior_version,
    states,
)
from .actor import Actor
from .audit import chain as audit
from .audit import own_schema
from .beginning import Opening
from .context import Context
from .experiments import Experiment
from .files.containment import checked_relpath, checked_spelling
from .files.guarded_file import FileVersion, read_file
from .git import history, index
from .git.history import Place
from .journal import Kind, Operation, Plan
from .kept_words import kept
from .states import State
from .window import live_window

if TYPE_CHECKING:
    from sqlalchemy import Connection


def apply(
    context: Context,
    experiment_id: int,
    actor: Actor,
    *,
    unwatched: bool = False,
    force: str | None = None,
    signed: Signed | None = None,
) -> Experiment:
    """Put an approved change into its file and history; applying it again answers the same.

    ``force`` is a person's reason to write over whatever was edited since, which they sign; a revert brings that back.
    Raises IllegalTransition, ApprovalVoid (and rejects the experiment), what :func:`approval.check_valid` does besides,
    ProfilePaused, NobodyWatching, FileDrifted, ProfileBusy, PathRefused, DiskFailed, GitRefused, GitUnavailable; for a
    force also what :func:`consent.require` does. In every such case the file is what it was.
    """
    profile = experiments.get(context, experiment_id).profile
    force = None if force is None else kept(force)
    with context.profile_lock(profile):
        settle_open(context, profile)
        experiment = experiments.get(context, experiment_id)
        if experiment.state == State.LIVE:
            return experiment
        _check_may_apply(context, experiment, actor, unwatched)
        place = history.find_place(context.home(profile), context.data, profile)
        plan = _apply_plan(context, experiment, actor, unwatched, place, force)
        opening = beginning.opening(context, experiment, plan, force, signed, forced=force is not None)
        _carry_out(context, experiment, plan, place, opening)
    return experiments.get(context, experiment_id)


def revert(
    context: Context,
    experiment_id: int,
    actor: Actor,
    reason: str,
    *,
    force: bool = False,
    signed: Signed | None = None,
    in_chat: bool = False,
) -> Experiment:
    """Restore the exact bytes from before a live or verified change; repeated, it answers the same.

    A verified one, and a ``force`` over what was edited since, are signed for exactly this ``reason``. Raises
    IllegalTransition, FileDrifted (and marks the conflict) when the file was edited since, what
    :func:`consent.require` does, and what :func:`apply` raises about files and git.
    """
    profile = experiments.get(context, experiment_id).profile
    reason = kept(reason)
    with context.profile_lock(profile):
        settle_open(context, profile)
        experiment = experiments.get(context, experiment_id)
        if experiment.state == State.REVERTED:
            return experiment
        _check_may_revert(context, experiment)
        plan = _revert_plan(context, experiment, actor, reason, force)
        place = history.find_place_again(context.home(profile), context.data, profile, _applied_in(context, experiment))
        opening = beginning.opening(context, experiment, plan, reason, signed, forced=force, in_chat=in_chat)
        try:
            _carry_out(context, experiment, plan, place, opening)
        except FileDrifted:
            _mark_conflict(context, experiment)
            raise
    return experiments.get(context, experiment_id)


def settle_open(context: Context, profile: str) -> list[str]:
    """Finish or undo what a killed process left of this profile; the caller holds the profile lock."""
    with context.store.read() as tx:
        left = journal.open_operations(tx, profile)
    return [_settled(context, one) for one in left]


def _settled(context: Context, left: Operation) -> str:
    if not intended.is_intended(context, left):
        operation.abandon(context, left, "its row does not say what was agreed to")
        raise StoreCorrupt(
            f"What was left of an operation on experiment {left.experiment_id} is not what was agreed to; it was given "
            "up and no file was touched. Somebody edited the database: look at 'hermes ratchet audit verify'.",
            experiment_id=left.experiment_id,
        )
    return operation.settle(context, left, record)


def recover(context: Context) -> list[str]:
    """Finish or undo every operation a killed process left behind, on all profiles. Returns what was done.

    A profile on which that fails does not keep the others from it; the first failure is raised at the end.
    """
    with context.store.read() as tx:
        profiles = sorted({one.profile for one in journal.open_operations(tx)})
    done: list[str] = []
    failures: list[RatchetError] = []
    for profile in profiles:
        try:
            with context.profile_lock(profile):
                done += settle_open(context, profile)
        except RatchetError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return done


def record(tx: Connection, done: Operation, commit: str) -> None:
    """Move the experiment's state for a file operation that is complete."""
    moment = clock.stamp()
    if done.kind == Kind.APPLY:
        _keep_snapshot(tx, done)
        changes = {"apply_commit_sha": commit, "applied_at": moment}
        states.move(tx, done.experiment_id, State.LIVE, done.by, done.reason, changes)
    else:
        changes = {"revert_commit_sha": commit, "reverted_at": moment}
        states.move(tx, done.experiment_id, State.REVERTED, done.by, done.reason, changes)


def _check_may_apply(context: Context, experiment: Experiment, actor: Actor, unwatched: bool) -> None:
    if experiment.state != State.APPROVED:
        raise IllegalTransition(
            f"Experiment {experiment.id} is {experiment.state}; only an approved one can be applied.",
            experiment_id=experiment.id,
            state=experiment.state,
        )
    with context.store.read() as tx:
        controls.check_not_paused(tx, experiment.profile)
        if not unwatched:
            lease.check_watched(tx, context.settings.daemon.heard_within_s)
    try:
        approval.check_valid(context, experiment)
    except ApprovalVoid as void:
        with context.store.write() as tx:
            experiments.mark_rejected(tx, experiment.id, actor, void.message)
        raise


def _check_may_revert(context: Context, experiment: Experiment) -> None:
    if experiment.state not in (State.LIVE, State.VERIFIED):
        raise IllegalTransition(
            f"Experiment {experiment.id} is {experiment.state}; only a live or verified one can be reverted.",
            experiment_id=experiment.id,
            state=experiment.state,
        )
    if experiment.state == State.VERIFIED:
        with context.store.read() as tx:
            controls.check_not_paused(tx, experiment.profile)


def _carry_out(context: Context, experiment: Experiment, plan: Plan, place: Place, opening: Opening) -> None:
    """Journal the plan in the transaction in which it was agreed to, then do it."""
    index.check_free(place.repository)
    with opening as (tx, actor):
        own_schema.check_nothing_added(tx)
        agreed = replace(plan, actor=actor)
        begun = journal.begin(tx, agreed, str(place.repository.git_dir), place.head.ref, place.head.commit)
    operation.carry_out(context, begun, place, _message(context, experiment, plan), record)


def _keep_found(context: Context, found: FileVersion) -> str | None:
    """Keep what a force writes over: it is what a revert, or putting back after a failure, needs."""
    with context.store.write() as tx:
        return blobs.keep(tx, found.content)


def _apply_plan(
    context: Context, experiment: Experiment, actor: Actor, unwatched: bool, place: Place, force: str | None
) -> Plan:
    target = _target(context, experiment)
    found = _read(context, experiment, target)
    if force is not None:
        _keep_found(context, found)
    elif found.sha256 != experiment.base_sha256:
        _note_drift(context, experiment, actor)
        raise FileDrifted(
            f"{experiment.target_relpath} was edited since experiment {experiment.id} was proposed; their edit was "
            "kept. Reject this one and propose again on today's file.",
            experiment_id=experiment.id,
        )
    dirty = _is_dirty(place, target, found)
    with context.store.write() as tx:
        tx.exec_driver_sql(
            "UPDATE experiments SET dirty_before_apply = ?, live_sessions_target = ? WHERE id = ?",
            (int(dirty), live_window.load_plan(tx, experiment.id).n, experiment.id),
        )
    reason = "applied without a daemon watching (--unwatched)" if unwatched else "applied"
    if force is not None:
        reason += prior_version.forced(force)
    return Plan(
        experiment.id,
        experiment.profile,
        Kind.APPLY,
        target,
        found.sha256,
        experiment.candidate_sha256,
        found.mode,
        actor,
        reason,
    )


def _applied_in(context: Context, experiment: Experiment) -> str | None:
    with context.store.read() as tx:
        return journal.applied_in(tx, experiment.id)


def _revert_plan(context: Context, experiment: Experiment, actor: Actor, reason: str, force: bool) -> Plan:
    target = checked_spelling(experiment.target_relpath)
    found_sha256: str | None = experiment.candidate_sha256
    if force:
        found_sha256 = _keep_found(context, _read(context, experiment, target))
    elif not _is_as_applied(context, experiment, target):
        _mark_conflict(context, experiment)
        raise beginning.edited_since(experiment)
    prior = prior_version.load(context, experiment)
    return Plan(
        experiment.id,
        experiment.profile,
        Kind.REVERT,
        target,
        found_sha256,
        prior.prior_sha256,
        prior.mode,
        actor,
        reason,
    )


def _target(context: Context, experiment: Experiment) -> PurePosixPath:
    home = context.home(experiment.profile)
    return checked_relpath(home, experiment.target_relpath, context.settings.changes)


def _read(context: Context, experiment: Experiment, target: PurePosixPath) -> FileVersion:
    """Both versions of a change stay readable even when the limit was lowered since."""
    with context.store.read() as tx:
        longest = blobs.longest(tx, experiment.base_sha256, experiment.candidate_sha256)
    return read_file(context.home(experiment.profile), target, max(context.settings.changes.max_file_bytes, longest))


def _is_as_applied(context: Context, experiment: Experiment, target: PurePosixPath) -> bool:
    try:
        return _read(context, experiment, target).sha256 == experiment.candidate_sha256
    except PathRefused:  # somebody put a link, a folder or something huge in its place
        return False


def _is_dirty(place: Place, target: PurePosixPath, found: FileVersion) -> bool:
    """Whether the file holds edits that the user has not committed; our commit will then contain them too."""
    entry = index.entry_at(place.repository, place.head.commit, target)
    return (entry.blob if entry else None) != history.blob_id(place.repository, found.content)


def _keep_snapshot(tx: Connection, done: Operation) -> None:
    """What stood there before the change: the revert restores exactly that."""
    row = {
        "experiment_id": done.experiment_id,
        "existed": int(done.expected_sha256 is not None),
        "prior_sha256": done.expected_sha256,
        "mode": done.mode,
        "taken_at": done.started_at,
    }
    tx.execute(insert(schema.snapshots).values(row))


def _note_drift(context: Context, experiment: Experiment, actor: Actor) -> None:
    with context.store.write() as tx:
        events.emit(
            tx,
            "apply.refused",
            profile=experiment.profile,
            experiment_id=experiment.id,
            relpath=experiment.target_relpath,
            actor=actor.name,
            principal=actor.principal,
            reason="the file was edited since the proposal",
        )


def _mark_conflict(context: Context, experiment: Experiment) -> None:
    with context.store.write() as tx:
        if experiments.load(tx, experiment.id).manual_conflict_detected:
            return
        tx.exec_driver_sql("UPDATE experiments SET manual_conflict_detected = 1 WHERE id = ?", (experiment.id,))
        events.emit(
            tx,
            "file.conflict",
            profile=experiment.profile,
            experiment_id=experiment.id,
            relpath=experiment.target_relpath,
        )


def _message(context: Context, experiment: Experiment, plan: Plan) -> str:
    """The commit message, up to the operation's own trailer."""
    with context.store.read() as tx:
        head, chain = audit_head(tx), audit.chain_name(tx)
    first = (experiment.rationale.splitlines() or [""])[0]
    what = "".join(c for c in first if c.isprintable())[:60].strip() or experiment.target_relpath
    verb = "Apply" if plan.kind is Kind.APPLY else "Revert"
    return (
        f"{verb} experiment {experiment.id}: {what}\n\n"
        f"Ratchet-Experiment: {experiment.id}\n"
        f"Ratchet-Candidate: {experiment.candidate_sha256}\n"
        f"Ratchet-Audit-Head: {head.id} {head.hash}\n"
        f"Ratchet-Audit-Chain: {chain}\n"
    )
