"""Carries out one file operation: journal, file, git, state; and settles one that was cut short.

Order and reasons: the commit object is made before the file is touched, so that a git failure changes nothing; the
branch moves after the file, so that "the branch has the commit" alone decides, after a kill, between finishing and
undoing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DiskFailed, GitRefused, RatchetError
from . import blobs, events, journal
from .context import Context
from .faults import Point, reached
from .files.folders import remove_empty_folders
from .files.guarded_file import NOT_PLAIN, FileVersion, GuardedFile, open_guarded, temporary_name
from .git import history, index
from .git.command import Repository
from .git.history import Head, Place
from .journal import Operation, Phase

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


def carry_out(context: Context, operation: Operation, place: Place, message: str, record: Recorder) -> None:
    """Do what was just written into the journal, wholly or not at all; the caller holds the profile lock.

    Raises FileDrifted, PathRefused, DiskFailed, GitRefused, GitUnavailable or StoreUnavailable.
    The file is then what it was; when even putting it back failed, :func:`settle` does it later.
    """
    repository, head = place.repository, place.head
    reached(Point.PLANNED)
    with ExitStack() as stack:
        try:
            work = stack.enter_context(_at_work(context, operation, repository))
        except RatchetError as error:
            _close_undone(context, operation, error.message)
            raise
        _do(work, head, message, record)


def settle(context: Context, operation: Operation, record: Recorder) -> str:
    """Bring an operation that was cut short to its end: finished when its commit is on the branch, else undone.

    The caller holds the profile lock. Returns what was done, in words. Raises what :func:`carry_out` does.
    """
    repository = history.repository_at(Path(operation.git_dir), context.data, operation.profile)
    with _at_work(context, operation, repository) as work:
        if _complete_if_published(work, record):
            return f"finished {operation.kind} of experiment {operation.experiment_id}"
        _undo(work, "cut short")
        return f"undid {operation.kind} of experiment {operation.experiment_id}"


def abandon(context: Context, operation: Operation, why: str) -> None:
    """Close an operation without touching any file; the caller holds the profile lock."""
    with context.store.write() as tx:
        _emit(tx, operation, "operation.undone", operation=operation.kind, reason=why)
        journal.close(tx, operation, Phase.UNDONE, why)


@contextmanager
def _at_work(context: Context, operation: Operation, repository: Repository) -> Iterator[_Work]:
    with context.store.read() as tx:
        old, new = blobs.load(tx, operation.expected_sha256), blobs.load(tx, operation.new_sha256)
    # Our own two versions stay readable even when the limit was lowered in between.
    limit = max(context.settings.changes.max_file_bytes, len(old or b""), len(new or b""))
    with open_guarded(context.home(operation.profile), operation.path, limit) as file:
        yield _Work(context, operation, repository, file, old, new)


def _do(work: _Work, head: Head, message: str, record: Recorder) -> None:
    try:
        commit = _write(work, head, message)
    except RatchetError as error:
        _undo(work, error.message)
        raise
    try:
        commit = _publish(work, head, commit, message)
    except RatchetError as error:
        if _complete_if_published(work, record):
            return
        _undo(work, error.message)
        raise
    _finish(work, commit, record)


def _write(work: _Work, head: Head, message: str) -> str:
    commit = _prepare(work, head, message)
    operation = work.operation
    work.file.replace(operation.expected_sha256, work.new, operation.mode, operation.token)
    _advance(work, Phase.WRITTEN)
    reached(Point.FILE_RECORDED)
    return commit


def _publish(work: _Work, head: Head, commit: str, message: str) -> str:
    """Move the branch, made again on top of it when somebody else moved it meanwhile."""
    operation = work.operation
    for attempt in range(_PUBLISH_TRIES):
        try:
            history.publish(work.repository, head, commit, operation.path, work.old, operation.token)
            break
        except GitRefused:
            moved = history.check_ready(work.repository)
            is_last = attempt + 1 == _PUBLISH_TRIES or moved == head
            if is_last or history.contains(work.repository, head.ref, commit):
                raise
            head, commit = moved, _prepare(work, moved, message)
    _advance(work, Phase.COMMITTED)
    reached(Point.COMMIT_RECORDED)
    return commit


def _prepare(work: _Work, head: Head, message: str) -> str:
    operation = work.operation
    commit = history.prepare_commit(
        work.repository,
        head.commit,
        operation.path,
        work.new,
        operation.mode,
        f"{message}Ratchet-Operation: {operation.token}\n",
        operation.token,
    )
    with work.context.store.write() as tx:
        journal.note_commit(tx, operation, head.ref, head.commit, commit)
    reached(Point.COMMIT_PREPARED)
    return commit


def _advance(work: _Work, phase: Phase) -> None:
    with work.context.store.write() as tx:
        journal.advance(tx, work.operation, phase)


def _complete_if_published(work: _Work, record: Recorder) -> bool:
    """When the branch has this operation's commit it happened: whatever is missing is done now."""
    with work.context.store.read() as tx:
        noted = journal.load(tx, work.operation.id)
    commit = noted.commit_sha
    if commit is None or not history.contains(work.repository, noted.ref, commit):
        return False
    history.settle_index(work.repository, noted.parent_sha, commit, noted.path, work.old, noted.token)
    _finish(work, commit, record)
    return True


def _finish(work: _Work, commit: str, record: Recorder) -> None:
    operation = work.operation
    not_dropped = _try_to_drop_aside(work)
    remove_empty_folders(work.context.home(operation.profile), operation.path)
    reached(Point.TEMP_REMOVED)
    is_ours = work.file.is_version(operation.new_sha256)
    with work.context.store.write() as tx:
        record(tx, operation, commit)
        if not is_ours:
            _note_conflict(tx, operation, None)
        if not_dropped:
            _emit(tx, operation, "file.leftover", left_at=_beside(operation), reason=not_dropped)
        journal.close(tx, operation, Phase.RECORDED)
    reached(Point.RECORDED)


def _undo(work: _Work, why: str) -> None:
    """Put everything back; when even that fails the operation stays open, for the next recovery."""
    operation = work.operation
    work.file.put_back(operation.token, operation.expected_sha256, work.new)
    index.release(work.repository, operation.token)
    _drop_aside(work)
    _close_undone(work.context, operation, why)


def _close_undone(context: Context, operation: Operation, why: str) -> None:
    remove_empty_folders(context.home(operation.profile), operation.path)
    with context.store.write() as tx:
        _emit(tx, operation, "operation.undone", operation=operation.kind, reason=why[:500])
        journal.close(tx, operation, Phase.UNDONE, why[:500])
    reached(Point.UNDONE)


def _try_to_drop_aside(work: _Work) -> str:
    """A change that happened is not taken back because the replaced file cannot be dropped. Returns why not."""
    try:
        _drop_aside(work)
    except DiskFailed as error:
        return error.message
    return ""


def _drop_aside(work: _Work) -> None:
    """Drop the version under the temporary name; what somebody else wrote into it is kept first."""
    operation = work.operation
    stray = work.file.stray(operation.token, operation.expected_sha256, work.new)
    if stray is not None:
        with work.context.store.write() as tx:
            _note_conflict(tx, operation, stray)
        reached(Point.STRAY_KEPT)
    if stray != NOT_PLAIN:
        work.file.forget(operation.token)


def _note_conflict(tx: Connection, operation: Operation, stray: FileVersion | None) -> None:
    """Somebody edited the file at the same moment: mark the experiment, and keep bytes that have no place any more."""
    tx.exec_driver_sql("UPDATE experiments SET manual_conflict_detected = 1 WHERE id = ?", (operation.experiment_id,))
    if stray == NOT_PLAIN:
        _emit(tx, operation, "file.conflict", left_at=_beside(operation))
    else:
        _emit(tx, operation, "file.conflict", kept_sha256=blobs.keep(tx, stray.content if stray else None))


def _emit(tx: Connection, operation: Operation, kind: str, /, **facts: Any) -> None:
    events.emit(
        tx,
        kind,
        profile=operation.profile,
        experiment_id=operation.experiment_id,
        relpath=operation.relpath,
        **facts,
    )


def _beside(operation: Operation) -> str:
    return str(operation.path.with_name(temporary_name(operation.token)))
