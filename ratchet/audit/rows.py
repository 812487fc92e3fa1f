"""The rows beside the audit chain, held against each other, against what was signed and against their own numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..._db import driver
from ...reviewing.payload import Claim, Payload, Purpose, parse
from ...reviewing.refusals import PayloadRefused
from ...schema.triggers import KEPT_FOR_GOOD
from ..atomic_change import difference
from ..signing import signed_claims

if TYPE_CHECKING:
    from sqlalchemy import Connection

Found = tuple[int, str]
"""The id of a transition, 0 where none can be named, and what is wrong."""

_UNNUMBERED = ("blobs", "experiment_state_transitions")  # one has hashes for ids, the other is walked row by row
_GIVEN_OUT = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?"
_EXPERIMENTS = (
    "SELECT e.id, e.target_relpath, e.diff, e.base_sha256, b.content, c.content FROM experiments e"
    " LEFT JOIN blobs b ON b.sha256 = e.base_sha256 LEFT JOIN blobs c ON c.sha256 = e.candidate_sha256"
)
_VERDICTS = """
SELECT e.id, e.live_verdict, (SELECT group_concat(DISTINCT substr(v.kind, 8)) FROM events v
  WHERE v.experiment_id = e.id AND v.kind IN ('window.reverted', 'window.verified', 'window.inconclusive')) AS said
FROM experiments e WHERE e.live_verdict IS NOT said
"""
_APPROVED_BY = """
SELECT t.id, e.id FROM experiments e
JOIN experiment_state_transitions t ON t.experiment_id = e.id AND t.to_state = 'approved'
WHERE e.approved_by IS NOT NULL AND e.approved_by <> t.actor
"""
_APPROVALS = """
SELECT a.id, a.experiment_id, a.mode, a.profile, a.relpath, a.base_sha256, a.candidate_sha256, a.report_sha256,
  a.plan_sha256, a.override_reason, a.audit_head, a.expires_at, a.actor, a.principal,
  e.profile, e.target_relpath, e.base_sha256, e.candidate_sha256, t.id, t.actor, t.principal, t.reason,
  (SELECT p.sha256 FROM live_plans p WHERE p.experiment_id = a.experiment_id),
  EXISTS (SELECT 1 FROM reports r WHERE r.experiment_id = a.experiment_id AND r.sha256 = a.report_sha256),
  (SELECT s.payload FROM signatures s WHERE s.nonce = a.nonce)
FROM approvals a JOIN experiments e ON e.id = a.experiment_id
LEFT JOIN experiment_state_transitions t ON t.experiment_id = a.experiment_id AND t.to_state = 'approved'
ORDER BY a.id
"""
_SIGNATURES = "SELECT id, nonce, purpose, experiment_id, profile, payload FROM signatures ORDER BY id"
_OPERATIONS = """
SELECT o.id, o.kind, o.experiment_id, o.profile = e.profile AND o.relpath = e.target_relpath,
  o.expected_sha256, o.new_sha256, e.base_sha256, e.candidate_sha256,
  o.commit_sha IS CASE o.kind WHEN 'apply' THEN e.apply_commit_sha ELSE e.revert_commit_sha END,
  EXISTS (SELECT 1 FROM experiment_state_transitions t WHERE t.experiment_id = e.id
    AND t.to_state = CASE o.kind WHEN 'apply' THEN 'live' ELSE 'reverted' END),
  EXISTS (SELECT 1 FROM file_operations b WHERE b.experiment_id = e.id AND b.kind = o.kind AND b.phase = 'recorded'
    AND b.id < o.id),
  (SELECT a.expected_sha256 FROM file_operations a WHERE a.experiment_id = e.id AND a.kind = 'apply'
    AND a.phase = 'recorded' ORDER BY a.id LIMIT 1)
FROM file_operations o JOIN experiments e ON e.id = o.experiment_id WHERE o.phase = 'recorded' ORDER BY o.id
"""
_SNAPSHOTS = """
SELECT s.id, s.experiment_id FROM experiment_snapshots s
LEFT JOIN file_operations o ON o.experiment_id = s.experiment_id AND o.kind = 'apply' AND o.phase = 'recorded'
WHERE o.id IS NULL OR s.prior_sha256 IS NOT o.expected_sha256 OR s.mode IS NOT o.mode
  OR EXISTS (SELECT 1 FROM experiment_snapshots b WHERE b.experiment_id = s.experiment_id AND b.id < s.id)
ORDER BY s.id
"""
_FORCED = (
    "SELECT 1 FROM experiment_state_transitions WHERE experiment_id = ? AND to_state = 'live'"
    " AND instr(reason, ', forced: ') > 0"
)


def problems(tx: Connection) -> Iterator[Found]:
    """Everything that does not fit, in one read transaction."""
    for table in KEPT_FOR_GOOD:
        if table not in _UNNUMBERED:
            yield from ((0, f"{table}: {gap}") for gap in _gaps(tx, table))
    yield from _experiments(tx)
    yield from _approvals(tx)
    yield from _signatures(tx)
    yield from _operations(tx)
    for number, experiment in driver(tx).execute(_SNAPSHOTS).fetchall():
        yield 0, f"snapshot {number} is not what the operation that made experiment {experiment} live wrote over"


def _gaps(tx: Connection, table: str) -> Iterator[str]:
    """Numbers that were given out and are not there: nothing of ours deletes a row, or leaves a number out."""
    rows, last = driver(tx).execute(f"SELECT count(*), coalesce(max(id), 0) FROM {table}").fetchone()
    given_out = int(driver(tx).execute(_GIVEN_OUT, (table,)).fetchone()[0])
    if rows != last:
        yield f"{last - rows} of the rows up to {last} are missing"
    if given_out > last:
        yield f"it ends at row {last}, but its rows were numbered up to {given_out}"


def _experiments(tx: Connection) -> Iterator[Found]:
    for number, relpath, diff, base_sha256, base, candidate in driver(tx).execute(_EXPERIMENTS):
        if candidate is None or (base is None and base_sha256 is not None):
            yield 0, f"the content of experiment {number} is gone"
        elif diff != difference(relpath, base, candidate):
            yield 0, f"the diff of experiment {number} is not that of its content"
    for number, verdict, said in driver(tx).execute(_VERDICTS).fetchall():
        yield 0, f"the window of experiment {number} is {verdict or 'open'}, but its event says {said or 'nothing'}"
    for step, number in driver(tx).execute(_APPROVED_BY).fetchall():
        yield step, f"experiment {number} names somebody else as the one who approved it"


def _approvals(tx: Connection) -> Iterator[Found]:
    for number, experiment, mode, *rest in driver(tx).execute(_APPROVALS).fetchall():
        (*change, report, plan, override, head, expires, actor, principal), said = rest[:11], rest[11:]
        *proposed, step, step_actor, step_principal, reason, kept_plan, has_report, payload = said
        by_another = (actor, principal) != (step_actor, step_principal)
        for what in _approval(change, proposed, plan, kept_plan, by_another=by_another):
            yield step or 0, f"approval {number} {what}"
        if reason != f"approved ({mode}){': ' + override if override else ''}":
            yield step or 0, f"approval {number} is not the one that its step of the chain speaks of"
        if report is not None and not has_report:
            yield step or 0, f"the report that approval {number} rests on is gone"
        row = (experiment, *change, report, plan, override, head, expires)
        if mode == "signed" and not _is_signed(payload, row, principal):
            yield step or 0, f"approval {number} is not what was signed"


def _approval(
    change: list[Any], proposed: list[Any], plan: str, kept_plan: str | None, *, by_another: bool
) -> Iterator[str]:
    if change != proposed:
        yield "is of another change than its experiment"
    if by_another:
        yield "names somebody else than its step of the chain"
    if plan != kept_plan:
        yield "names another live plan than the one that is kept"


def _is_signed(text: str | None, row: tuple[Any, ...], principal: str) -> bool:
    payload = _readable(text)
    if payload is None:
        return False
    claim = payload.claim
    change = (claim.experiment, claim.profile, claim.relpath, claim.base_sha256, claim.candidate_sha256)
    signed = (*change, claim.report_sha256, claim.plan_sha256, claim.reason, payload.audit_head, payload.expires_at)
    return signed == row and principal == f"reviewer:{payload.signer[:16]}"


def _signatures(tx: Connection) -> Iterator[Found]:
    for number, *row, text in driver(tx).execute(_SIGNATURES).fetchall():
        payload = _readable(text)
        if payload is None or row != _columns(payload.nonce, payload.claim):
            yield 0, f"the row of signature {number} does not say what was signed"


def _columns(nonce: str, claim: Claim) -> list[Any]:
    return [nonce, claim.purpose.value, claim.experiment, claim.profile]


def _operations(tx: Connection) -> Iterator[Found]:
    for number, kind, experiment, same_file, *versions, same_commit, happened, again, over in (
        driver(tx).execute(_OPERATIONS).fetchall()
    ):
        if again or not (same_file and same_commit and happened):
            yield 0, f"file operation {number} is no step that experiment {experiment} took"
        elif not _wrote_its_own(tx, kind, experiment, versions, over):
            yield 0, f"file operation {number} wrote other content than that of experiment {experiment}"


def _wrote_its_own(tx: Connection, kind: str, experiment: int, versions: list[Any], written_over: str | None) -> bool:
    """Whether an operation led from the base to the candidate or back; forced ones wrote over something else."""
    expected, new, base, candidate = versions
    forced = driver(tx).execute(_FORCED, (experiment,)).fetchone() is not None
    if kind == "apply":
        return new == candidate and (expected == base or forced)
    restored = written_over if forced else base
    return new == restored and (expected == candidate or _was_forced(tx, experiment, expected))


def _was_forced(tx: Connection, experiment: int, found: str | None) -> bool:
    return any(claim.found_sha256 == found for claim in signed_claims.claims(tx, experiment, Purpose.FORCE))


def _readable(text: str | None) -> Payload | None:
    try:
        return parse(text) if isinstance(text, str) else None
    except PayloadRefused:
        return None
