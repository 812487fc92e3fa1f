"""Experiments: proposing a change to one file of a profile, and reading what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sqlalchemy import insert

from .. import clock, host, schema
from .._db import fetch
from ..errors import BadInput, ChangeRefused, Conflict, FileDrifted, ProfileBusy, StoreCorrupt, UnknownExperiment
from . import blobs, controls, events, journal, states
from .actor import Actor
from .atomic_change import Change, describe, difference
from .audit.chain import Transition, history
from .context import Context
from .files.containment import checked_relpath
from .files.guarded_file import FileVersion, read_file
from .git import history as git_history
from .kept_words import kept
from .states import State

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MAX_TEXT = 10_000


@dataclass(frozen=True)
class Experiment:
    """One proposed change and what became of it, as stored."""

    id: int
    profile: str
    target_profile_root: str
    target_relpath: str
    state: str
    diff: str
    rationale: str
    changed_hunks: int
    added_lines: int
    removed_lines: int
    sentence_delta_count: int
    target_span: str
    base_sha256: str | None
    candidate_sha256: str
    profile_git_root: str | None
    base_commit_sha: str | None
    base_blob_sha: str | None
    apply_commit_sha: str | None
    revert_commit_sha: str | None
    dirty_before_apply: int | None
    manual_conflict_detected: int
    proposed_by: str
    approved_by: str | None
    approved_at: str | None
    rejected_by: str | None
    rejected_at: str | None
    rejection_reason: str | None
    live_sessions_target: int | None
    live_sessions_observed: int
    applied_at: str | None
    verified_at: str | None
    reverted_at: str | None
    baseline_id: int | None
    evaluation_status: str
    baseline_score: float | None
    offline_score: float | None
    verdict: str | None
    live_verdict: str | None
    live_score: float | None
    cost_micro_usd: int | None
    proposer_model: str | None
    judge_model: str | None
    judge_run_id: str | None
    created_at: str
    updated_at: str


def load(tx: Connection, experiment_id: int) -> Experiment:
    """One experiment. Raises UnknownExperiment."""
    found = fetch(tx, Experiment, schema.experiments, "WHERE id = ?", experiment_id)
    if not found:
        raise UnknownExperiment(f"There is no experiment {experiment_id}.", experiment_id=experiment_id)
    return found[0]


def get(context: Context, experiment_id: int) -> Experiment:
    """One experiment. Raises UnknownExperiment."""
    with context.store.read() as tx:
        return load(tx, experiment_id)


def shown(context: Context, experiment_id: int) -> Experiment:
    """One experiment for a person to decide on: its diff is made anew from the very bytes, whatever its row says.

    Where these are gone, that is what stands in place of the diff. Raises UnknownExperiment.
    """
    found = get(context, experiment_id)
    try:
        before, after = contents(context, found)
    except StoreCorrupt as error:
        return replace(found, diff=f"{error.message}\n")
    return replace(found, diff=difference(found.target_relpath, before, after))


def check_candidate(context: Context, experiment_id: int, seen: str | None) -> None:
    """Raises Conflict when the candidate is not the one with the SHA-256 that a person saw; None: they did not say."""
    if seen is not None and get(context, experiment_id).candidate_sha256 != seen:
        raise Conflict(
            f"The candidate of experiment {experiment_id} is not the one you looked at. Look again before you decide.",
            experiment_id=experiment_id,
        )


def list_experiments(
    context: Context,
    *,
    profile: str | None = None,
    state: State | None = None,
    limit: int = 100,
    before: int | None = None,
) -> list[Experiment]:
    """Newest first; ``before`` is the id from which the next page goes on."""
    if not 1 <= limit <= 1000:
        raise BadInput("limit must be between 1 and 1000.")
    wanted = {"profile = ?": profile, "state = ?": state and state.value, "id < ?": before}
    asked = {condition: value for condition, value in wanted.items() if value is not None}
    where = f"WHERE {' AND '.join(asked)}" if asked else ""
    page = f"{where} ORDER BY id DESC LIMIT ?"
    if profile is not None or state is not None:
        # The ids come from the narrow index alone ("+": not by walking the table); then only their rows are read.
        page = f"WHERE id IN (SELECT id FROM experiments {where} ORDER BY +id DESC LIMIT ?) ORDER BY id DESC"
    with context.store.read() as tx:
        return fetch(tx, Experiment, schema.experiments, page, *asked.values(), limit)


def transitions(context: Context, experiment_id: int) -> list[Transition]:
    """The steps of one experiment, oldest first. Raises UnknownExperiment."""
    with context.store.read() as tx:
        load(tx, experiment_id)
        return history(tx, experiment_id)


def contents(context: Context, experiment: Experiment) -> tuple[bytes | None, bytes]:
    """The exact base (None: no file) and candidate bytes."""
    with context.store.read() as tx:
        return blobs.load(tx, experiment.base_sha256), blobs.load(tx, experiment.candidate_sha256) or b""


def current_file(context: Context, profile: str, relpath: str) -> FileVersion:
    """The target as it stands now. Raises UnknownProfile, PathRefused."""
    home = context.home(profile)
    limits = context.settings.changes
    return read_file(home, checked_relpath(home, relpath, limits), limits.max_file_bytes)


def replaced_text(base: bytes | None, old: str, new: str) -> bytes:
    """``base`` with the one occurrence of ``old`` replaced. Raises ChangeRefused when there is not exactly one."""
    # A command line gives bytes that are no UTF-8 as surrogates; in the file they are those bytes.
    if base is None or not old:
        what = "There is no such file yet: write it whole" if base is None else "The text to replace is empty: name it"
        raise ChangeRefused(f"{what}.")
    needle, replacement = (text.encode("utf-8", "surrogateescape") for text in (old, new))
    count = base.count(needle)
    if count != 1:
        raise ChangeRefused(f"The text to replace occurs {count} times in the file; it must occur exactly once.")
    return base.replace(needle, replacement)


def checked_text(text: str, what: str, limit: int = _MAX_TEXT) -> str:
    """``text`` if it can be stored and shown. Raises BadInput: it is too long, or holds half a character."""
    if len(text) > limit:
        raise BadInput(f"{what} has at most {limit} characters.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadInput(f"{what} holds characters that are no valid Unicode text. Write it anew.") from None
    return text


def propose(
    context: Context,
    profile: str,
    relpath: str,
    candidate: bytes,
    rationale: str,
    actor: Actor,
    *,
    base_sha256: str | None = None,
    proposer_model: str | None = None,
    also: Callable[[Connection, int], None] | None = None,
) -> Experiment:
    """Store one small change to the file as it is now as a new experiment, and queue its evaluation.

    ``base_sha256``, when given, is the version the candidate was made from. ``also`` is called with the transaction
    and the new id: what it writes is there exactly when the experiment is. Raises UnknownProfile, PathRefused,
    ChangeRefused (also for a secret), BadInput, FileDrifted when the file has moved on, GitRefused, GitUnavailable.
    """
    checked_text(rationale, "A rationale")
    home = context.home(profile)
    target = checked_relpath(home, relpath, context.settings.changes)
    base = current_file(context, profile, relpath)
    if base_sha256 is not None and base.sha256 != base_sha256:
        raise FileDrifted(f"{relpath} was edited since this change was written. Make it from today's file.")
    change = describe(relpath, base.content, candidate, context.settings.changes)
    _check_is_loaded(relpath, candidate)
    _hold_no_secret({f"the proposed {relpath}": candidate, "the rationale": rationale.encode("utf-8", "surrogatepass")})
    rationale = kept(rationale)
    git = _git_facts(context, profile, target, base)
    with context.store.write() as tx:
        experiment_id = _insert(
            tx, context, profile, target, base, candidate, change, rationale, actor, git, proposer_model
        )
        _queue_evaluation(tx, profile, experiment_id)
        if also is not None:
            also(tx, experiment_id)
        return load(tx, experiment_id)


def _check_is_loaded(relpath: str, candidate: bytes) -> None:
    """One hidden character can switch the whole file off, and no diff would show that."""
    if found := host.keeps_out(relpath, candidate):
        raise ChangeRefused(
            f"Hermes would load nothing of {relpath} any more: its own scanner finds {', '.join(found)} in the changed "
            "file. Take that out of the proposal, or out of the file first."
        )


def _hold_no_secret(texts: dict[str, bytes]) -> None:
    """Refuses what would be stored for good and shown to models. Names the type and the line, never the secret."""
    from ..privacy import scan

    for what, content in texts.items():
        for found in scan(content.decode("utf-8", "surrogateescape")):
            raise ChangeRefused(
                f"Line {found.line} of {what} holds a secret ({found.type}). Take it out, and where the file has it "
                "already, out of the file: proposals are stored and sent to models."
            )


def reject(context: Context, experiment_id: int, actor: Actor, reason: str) -> Experiment:
    """Refuse a proposal, or withdraw an approval before it was applied.

    Raises IllegalTransition, UnknownExperiment, BadInput, ProfileBusy while it is being applied.
    """
    reason = kept(checked_text(reason, "A reason"))
    profile = get(context, experiment_id).profile
    # An apply under way reads the state first and moves it last: in between, it may not change.
    with context.profile_lock(profile), context.store.write() as tx:
        if any(one.experiment_id == experiment_id for one in journal.open_operations(tx, profile)):
            raise ProfileBusy(
                f"Applying experiment {experiment_id} was cut short, and a daemon has yet to finish or undo it. Start "
                "one with 'hermes ratchet daemon', then try again.",
                experiment_id=experiment_id,
            )
        mark_rejected(tx, experiment_id, actor, reason)
    controls.note_success(context, profile)  # what the daemon failed on is out of its way
    return get(context, experiment_id)  # rejected for good: nothing can have changed since


def mark_rejected(tx: Connection, experiment_id: int, actor: Actor, reason: str) -> None:
    """Move an experiment to rejected, and say by whom and why; the caller holds the profile lock."""
    changes = {"rejected_by": actor.name, "rejected_at": clock.stamp(), "rejection_reason": reason}
    states.move(tx, experiment_id, State.REJECTED, actor, reason, changes)


@dataclass(frozen=True)
class _GitFacts:
    root: str | None
    commit: str | None
    blob: str | None


def _git_facts(context: Context, profile: str, relpath: PurePosixPath, base: FileVersion) -> _GitFacts:
    """Where the history stands at the proposal; in our own repository the file as found is recorded first."""
    home = context.home(profile)
    with context.profile_lock(profile):
        repository = git_history.find_repository(home, context.data, profile)
        if base.content is None:
            commit = git_history.check_ready(repository).commit
        else:
            commit = git_history.record_as_found(repository, relpath, base.content, base.mode)
    root = str(home) if repository.own else None
    return _GitFacts(root, commit, git_history.blob_id(repository, base.content))


def _insert(
    tx: Connection,
    context: Context,
    profile: str,
    relpath: PurePosixPath,
    base: FileVersion,
    candidate: bytes,
    change: Change,
    rationale: str,
    actor: Actor,
    git: _GitFacts,
    proposer_model: str | None,
) -> int:
    moment = clock.stamp()
    row = {
        "profile": profile,
        "target_profile_root": str(context.home(profile)),
        "target_relpath": str(relpath),
        "state": State.PROPOSED.value,
        "diff": change.diff,
        "rationale": rationale,
        "changed_hunks": 1,
        "added_lines": len(change.added),
        "removed_lines": len(change.removed),
        "sentence_delta_count": change.sentence_delta,
        "target_span": change.span,
        "base_sha256": blobs.keep(tx, base.content),
        "candidate_sha256": blobs.keep(tx, candidate),
        "profile_git_root": git.root,
        "base_commit_sha": git.commit,
        "base_blob_sha": git.blob,
        "proposed_by": actor.name,
        "proposer_model": proposer_model,
        "evaluation_status": "queued",
        "created_at": moment,
        "updated_at": moment,
    }
    inserted = tx.execute(insert(schema.experiments).values(row))
    experiment_id = int(inserted.lastrowid)
    states.record(tx, experiment_id, None, State.PROPOSED, actor, rationale[:200], moment)
    events.emit(tx, "experiment.proposed", profile=profile, experiment_id=experiment_id, actor=actor.name)
    return experiment_id


def _queue_evaluation(tx: Connection, profile: str, experiment_id: int) -> None:
    job = {
        "kind": "evaluate",
        "profile": profile,
        "experiment_id": experiment_id,
        "state": "queued",
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.jobs).values(job))
