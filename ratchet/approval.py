"""May this change go live? A person says so, and the approval holds only for exactly what was measured.

Signed approvals need a reviewer key, which this version does not have yet: until the operator chooses
``approval: unsigned``, nothing can be approved. Unsigned approvals are marked as such wherever they show.
"""

from __future__ import annotations

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
    from sqlalchemy import Connection

_VALID_FOR = timedelta(days=7)


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
    ProfilePaused, IllegalTransition, ProfileInFlight.
    """
    _check_may_approve(context, in_chat)
    experiment = experiments.get(context, experiment_id)
    plan = live_window.make_plan(context, experiment)
    with context.store.write() as tx:
        controls.check_not_paused(tx, experiment.profile)
        report = latest_report(tx, experiment)
        if report is None and not (override_reason or "").strip():
            raise NotEvaluated(_not_evaluated(experiments.load(tx, experiment_id)), experiment_id=experiment_id)
        moment = clock.stamp()
        changes = {"approved_by": actor.name, "approved_at": moment}
        reason = f"approved (unsigned){': ' + override_reason if override_reason else ''}"
        states.move(tx, experiment_id, State.APPROVED, actor, reason, changes)
        plan_sha256 = live_window.store_plan(tx, experiment, plan)
        _insert(tx, experiment, actor, report, override_reason, plan_sha256)
        return experiments.load(tx, experiment_id)


def check_valid(context: Context, experiment: Experiment) -> Approval:
    """The approval that lets ``experiment`` be applied, compared with what is stored now. Raises ApprovalVoid."""
    with context.store.read() as tx:
        found = latest(tx, experiment.id)
        report = latest_report(tx, experiment)
        plan_sha256 = live_window.load_plan(tx, experiment.id).sha256
    if found is None:
        raise ApprovalVoid("No approval is stored for this experiment. Reject it and propose again.")
    bound = (found.profile, found.relpath, found.base_sha256, found.candidate_sha256, found.plan_sha256)
    today = (
        experiment.profile,
        experiment.target_relpath,
        experiment.base_sha256,
        experiment.candidate_sha256,
        plan_sha256,
    )
    measured = found.override_reason is not None or found.report_sha256 == report
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
    query = (
        select(table.c.sha256)
        .where(table.c.experiment_id == experiment.id)
        .where(table.c.base_sha256.is_not_distinct_from(experiment.base_sha256))
        .where(table.c.candidate_sha256 == experiment.candidate_sha256)
        .order_by(table.c.id.desc())
        .limit(1)
    )
    found = tx.execute(query).scalar_one_or_none()
    return None if found is None else str(found)


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
    return (
        f"Experiment {experiment.id} has no finished evaluation of these bytes (evaluation: "
        f"{experiment.evaluation_status}). Wait for it or run 'hermes ratchet evaluate {experiment.id}'; "
        "to approve without one, give a reason with --override."
    )


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
