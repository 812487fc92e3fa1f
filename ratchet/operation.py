"""Carries out one file operation: journal, file, git, state; and settles one that was cut short.

Order and reasons: the commit object is made before the file is touched, so that a git failure changes nothing; the
branch moves after the file, so that "the branch has the commit" alone decides, after a kill, between finishing and
undoing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GitRefused, RatchetError
from . import blobs, events, git_history, journal
from .context import Context
from .faults import Point, reached
from .git_history import Head, Repository
from .guarded_file import GuardedFile, open_guarded
from .journal import Operation, Phase, Plan

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PUBLISH_TRIES = 3

Recorder = Callable[["Connection", Operation, str], None]
"""Moves the experiment's state for a finished operation, given the commit's name."""


@dataclass(frozen=True)
class _Work:
    """One operation under way, with everything it needs at hand."""

    context: Context
    operation: Operation
    repository: Repository
    file: GuardedFile
    old: bytes | None
    new: bytes | None


def carry_out(context: Context, plan: Plan, message: str, record: Recorder) -> None:
    """Do what ``plan`` says, wholly or not at all; the caller holds the profile lock.

    Raises FileDrifted, PathRefused, DiskFailed, GitRefused, GitUnavailable or StoreUnavailable.
    """
    home = context.home(plan.profile)
    repository = git_history.find_repository(home, context.data, plan.profile)
    head = git_history.check_ready(repository)
    limit = context.settings.changes.max_file_bytes
    with open_guarded(home, plan.relpath, limit, create_folders=plan.new_sha256 is not None) as file:
        if file is None:
            raise GitRefused(f"The folder of {plan.relpath} is gone; there is nothing to change.")
        with context.store.write() as tx:
            operation = journal.begin(tx, plan, str(repository.git_dir), head.ref, head.commit)
            old, new = blobs.load(tx, plan.expected_sha256), blobs.load(tx, plan.new_sha256)
        work = _Work(context, operation, repository, file, old, new)
        reached(Point.PLANNED)
        try:
            commit = _write(work, head, message)
        except RatchetError as error:  # the file is as it was; anything else leaves the rest to recovery
            _close_undone(work, None, error.message)
            raise
        try:
            commit = _publish(work, head, commit, message)
        except RatchetError as error:
            _undo(work, error.message)
            raise
        _finish(work, commit, record)


def settle(context: Context, operation: Operation, record: Recorder) -> str:
    """Bring an operation that was cut short to its end: finished when its commit is on the branch, else undone.

    The caller holds the profile lock. Returns what was done, in words.
    """
    home = context.home(operation.profile)
    repository = _repository_of(home, operation)
    limit = context.settings.changes.max_file_bytes
    with context.store.read() as tx:
        old, new = blobs.load(tx, operation.expected_sha256), blobs.load(tx, operation.new_sha256)
    with open_guarded(home, operation.path, limit, create_folders=True) as file:
        if file is None:
            raise GitRefused(f"The folder of {operation.path} is gone; there is nothing to change.")
        work = _Work(context, operation, repository, file, old, new)
        commit = operation.commit_sha
        if commit and git_history.contains(repository, operation.ref, commit):
            base_blob = git_history.blob_id(repository, old)
            git_history.settle_index(repository, commit, operation.path, base_blob, operation.token)
            _finish(work, commit, record)
            return f"finished {operation.kind} of experiment {operation.experiment_id}"
        _undo(work, "cut short")
        return f"undid {operation.kind} of experiment {operation.experiment_id}"


def _repository_of(home: Path, operation: Operation) -> Repository:
    git_dir = Path(operation.git_dir)
    return Repository(git_dir, own=git_dir.is_relative_to(home) and (home / ".git").exists())


def _write(work: _Work, head: Head, message: str) -> str:
    commit = _prepare(work, head, message)
    operation = work.operation
    work.file.replace(operation.expected_sha256, work.new, operation.mode, operation.token)
    _advance(work, Phase.WRITTEN)
    reached(Point.FILE_RECORDED)
    return commit


def _publish(work: _Work, head: Head, commit: str, message: str) -> str:
    """Move the branch, made again on top of it when somebody else moved it meanwhile."""
    operation, base_blob = work.operation, git_history.blob_id(work.repository, work.old)
    for attempt in range(_PUBLISH_TRIES):
        try:
            git_history.publish(work.repository, head, commit, operation.path, base_blob, operation.token)
            break
        except GitRefused:
            moved = git_history.check_ready(work.repository)
            if attempt + 1 == _PUBLISH_TRIES or moved == head:
                raise
            head = moved
            commit = _prepare(work, head, message)
    _advance(work, Phase.COMMITTED)
    reached(Point.COMMIT_RECORDED)
    return commit


def _prepare(work: _Work, head: Head, message: str) -> str:
    operation = work.operation
    full = f"{message}Ratchet-Operation: {operation.token}\n"
    commit = git_history.prepare_commit(work.repository, head.commit, operation.path, work.new, operation.mode, full)
    with work.context.store.write() as tx:
        journal.note_commit(tx, operation, head.commit, commit)
    reached(Point.COMMIT_PREPARED)
    return commit


def _advance(work: _Work, phase: Phase) -> None:
    with work.context.store.write() as tx:
        journal.advance(tx, work.operation, phase)


def _finish(work: _Work, commit: str, record: Recorder) -> None:
    operation = work.operation
    late = work.file.forget(operation.token, operation.expected_sha256)
    if operation.new_sha256 is None:
        work.file.remove_empty_folders()
    reached(Point.TEMP_REMOVED)
    edited = work.file.read().sha256 != operation.new_sha256
    with work.context.store.write() as tx:
        record(tx, operation, commit)
        if late is not None or edited:
            _note_conflict(tx, operation, late)
        journal.close(tx, operation, Phase.RECORDED)
    reached(Point.RECORDED)


def _undo(work: _Work, why: str) -> None:
    """Put the file back; when even that fails the operation stays open, for the next recovery."""
    operation = work.operation
    git_history.drop_index_lock(work.repository, operation.token)
    if _is_published(work):
        return
    _close_undone(work, work.file.put_back(operation.token, operation.expected_sha256, work.new), why)


def _close_undone(work: _Work, lost: bytes | None, why: str) -> None:
    operation = work.operation
    if operation.expected_sha256 is None:
        work.file.remove_empty_folders()
    with work.context.store.write() as tx:
        if lost is not None:
            _note_conflict(tx, operation, lost)
        journal.close(tx, operation, Phase.UNDONE, why[:500])
        events.emit(
            tx,
            "operation.undone",
            profile=operation.profile,
            experiment_id=operation.experiment_id,
            operation=operation.kind,
            reason=why[:500],
        )


def _is_published(work: _Work) -> bool:
    """Whether the branch has this operation's commit; then it must be finished, not undone."""
    with work.context.store.read() as tx:
        commit = journal.load(tx, work.operation.id).commit_sha
    return commit is not None and git_history.contains(work.repository, work.operation.ref, commit)


def _note_conflict(tx: Connection, operation: Operation, lost: bytes | None) -> None:
    """Somebody edited the file at the same moment: mark the experiment, and keep bytes that have no place any more."""
    tx.exec_driver_sql("UPDATE experiments SET manual_conflict_detected = 1 WHERE id = ?", (operation.experiment_id,))
    events.emit(
        tx,
        "file.conflict",
        profile=operation.profile,
        experiment_id=operation.experiment_id,
        relpath=operation.relpath,
        kept_sha256=blobs.keep(tx, lost),
    )
