"""May this change go live? A person says so, and the approval holds only for exactly what was measured.

Signed approvals need a reviewer key, which this version does not have yet: until the operator chooses
``approval: unsigned``, nothing can be approved. Unsigned approvals are marked as such wherever they show.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from .. import clock, host, schema
from .._db import as_record, audit_head
from ..errors import ApprovalRefused, ApprovalVoid, NotEvaluated
from . import controls, experiments, live_window, states
from .actor import Actor
from .context import Context
from .experiments import Experiment
from .states import State

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

_VALID_FOR = timedelta(days=7)
_MAX_REASON = 1_000


@dataclass(frozen=True)
class Approval:
    """What was approved, by whom, until when. ``report_sha256`` or ``override_reason`` says on what grounds."""

    id: int
    experiment_id: int
    mode: str
    profile: str
    relpath: str
    base_sha256: str | None
    candidate_sha256: str
    report_sha256: str | None
    override_reason: str | None
    plan_sha256: str
    audit_head: str
    actor: str
    principal: str
    created_at: str
    expires_at: str


def approve(
    context: Context, experiment_id: int, actor: Actor, *, override_reason: str | None = None, in_chat: bool = False
) -> Experiment:
    """Approve a proposal whose evaluation is finished, or one that is not with ``override_reason``.

    Raises ApprovalRefused (no reviewer set up, or asked from a chat or from an agent's tool shell), NotEvaluated,
    ProfilePaused, IllegalTransition, ProfileInFlight, BadInput, SettingsInvalid for an impossible live window.
    """
    _check_may_approve(context, in_chat)
    override = experiments.checked_text(override_reason or "", "A reason", _MAX_REASON).strip() or None
    experiment = experiments.get(context, experiment_id)
    plan = live_window.make_plan(context, experiment)
    with context.store.write() as tx:
        controls.check_not_paused(tx, experiment.profile)
        changes = {"approved_by": actor.name, "approved_at": clock.stamp()}
        reason = f"approved (unsigned){': ' + override if override else ''}"
        states.move(tx, experiment_id, State.APPROVED, actor, reason, changes)
        report = latest_report(tx, experiment)
        if report is None and override is None:  # nothing of this transaction stays
            raise NotEvaluated(_not_evaluated(experiment), experiment_id=experiment_id)
        plan_sha256 = live_window.store_plan(tx, experiment, plan)
        _insert(tx, experiment, actor, report, override, plan_sha256)
        approved = experiments.load(tx, experiment_id)
    controls.note_success(context, experiment.profile)  # the daemon need not wait out an earlier change's failures
    return approved


def check_valid(context: Context, experiment: Experiment) -> Approval:
    """The approval that lets ``experiment`` be applied, compared with what is stored now. Raises ApprovalVoid."""
    with context.store.read() as tx:
        found = latest(tx, experiment.id)
        if found is None:
            raise ApprovalVoid("No approval is stored for this experiment. Reject it and propose again.")
        measured = found.override_reason is not None or _is_report(tx, experiment, found.report_sha256)
        plan_sha256 = live_window.load_plan(tx, experiment.id).sha256
    bound = (found.profile, found.relpath, found.base_sha256, found.candidate_sha256, found.plan_sha256)
    today = (
        experiment.profile,
        experiment.target_relpath,
        experiment.base_sha256,
        experiment.candidate_sha256,
        plan_sha256,
    )
    if bound != today or not measured or found.mode != context.settings.approval:
        raise ApprovalVoid(
            f"What was approved of experiment {experiment.id} is not what would be applied now. Reject it and "
            "propose again.",
            experiment_id=experiment.id,
        )
    if clock.parse(found.expires_at) < clock.now():
        raise ApprovalVoid(f"The approval of experiment {experiment.id} expired. Reject it and propose again.")
    return found


def latest(tx: Connection, experiment_id: int) -> Approval | None:
    """The newest approval of an experiment."""
    table = schema.approvals
    query = select(table).where(table.c.experiment_id == experiment_id).order_by(table.c.id.desc()).limit(1)
    row = tx.execute(query).one_or_none()
    return None if row is None else as_record(Approval, row)


def latest_report(tx: Connection, experiment: Experiment) -> str | None:
    """The SHA-256 of the newest finished report on exactly these bytes; None when there is none."""
    table = schema.reports
    query = select(table.c.sha256).where(_on_these_bytes(experiment)).order_by(table.c.id.desc()).limit(1)
    found = tx.execute(query).scalar_one_or_none()
    return None if found is None else str(found)


def _is_report(tx: Connection, experiment: Experiment, sha256: str | None) -> bool:
    """Whether a report on exactly these bytes is stored whose document still has this SHA-256; a newer one may be."""
    table = schema.reports
    query = select(table.c.document).where(_on_these_bytes(experiment), table.c.sha256 == sha256)
    documents = tx.execute(query).scalars()
    return any(hashlib.sha256(document.encode("utf-8")).hexdigest() == sha256 for document in documents)


def _on_these_bytes(experiment: Experiment) -> ColumnElement[bool]:
    table = schema.reports
    return (
        (table.c.experiment_id == experiment.id)
        & table.c.base_sha256.is_not_distinct_from(experiment.base_sha256)
        & (table.c.candidate_sha256 == experiment.candidate_sha256)
    )


def _check_may_approve(context: Context, in_chat: bool) -> None:
    if context.settings.approval != "unsigned":
        raise ApprovalRefused(
            "Nobody can approve yet: there is no reviewer key, and the operator did not choose unsigned approvals "
            "(hermes ratchet init --approval unsigned)."
        )
    if in_chat or host.inside_agent():
        raise ApprovalRefused(
            "An agent cannot approve a change of itself: approvals are refused from chats and from its tool shells. "
            "Approve in the dashboard or in a terminal of your own."
        )


def _not_evaluated(experiment: Experiment) -> str:
    missing = f"Experiment {experiment.id} has no finished evaluation of these bytes"
    otherwise = "to approve without one, give a reason with --override."
    if experiment.evaluation_status in ("queued", "running"):
        return f"{missing}: it is {experiment.evaluation_status}. Wait for it; {otherwise}"
    return f"{missing} ({experiment.evaluation_status}). Run 'hermes ratchet evaluate {experiment.id}'; {otherwise}"


def _insert(
    tx: Connection, experiment: Experiment, actor: Actor, report: str | None, override: str | None, plan_sha256: str
) -> None:
    moment = clock.now()
    head = audit_head(tx)
    row = {
        "experiment_id": experiment.id,
        "mode": "unsigned",
        "profile": experiment.profile,
        "relpath": experiment.target_relpath,
        "base_sha256": experiment.base_sha256,
        "candidate_sha256": experiment.candidate_sha256,
        "report_sha256": report,
        "override_reason": override,
        "plan_sha256": plan_sha256,
        "audit_head": f"{head.id} {head.hash}",
        "actor": actor.name,
        "principal": actor.principal,
        "nonce": secrets.token_hex(16),
        "created_at": clock.stamp(moment),
        "expires_at": clock.stamp(moment + _VALID_FOR),
    }
    tx.execute(insert(schema.approvals).values(row))
