"""May this change go live? A person says so, and the approval holds only for exactly what was measured.

A reviewer signs the change, the report it was measured with and the live plan, and all of that is verified once more
when the change is applied. Unsigned approvals, where the operator chose them, are marked as such wherever they show.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from .. import clock, schema
from .._db import as_record, audit_head
from ..errors import ApprovalVoid, GateNotPassed, NoEvidence, NotEvaluated
from ..evaluation.gating import pairing
from ..evaluation.scenario import holdout, scenarios
from ..reviewing.challenges import Challenge, Signed
from ..reviewing.payload import Claim, Purpose
from ..reviewing.refusals import PayloadRefused, SignatureRefused
from ..stats.gate import GateVerdict
from . import controls, experiments, states
from .actor import Actor
from .atomic_change import describe
from .audit import chain
from .context import Context
from .experiments import Experiment
from .kept_words import kept
from .signing import consent
from .signing.consent import Consent
from .states import State
from .window import live_plan, planning

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

_VALID_FOR = timedelta(days=7)
_MAX_REASON = 1_000


@dataclass(frozen=True)
class Approval:
    """What was approved, by whom, until when. ``report_sha256`` or ``override_reason`` says on what grounds.

    ``nonce`` is that of the signature, when ``mode`` is signed.
    """

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
    nonce: str
    created_at: str
    expires_at: str


def ask(
    context: Context, experiment_id: int, signer: str, actor: Actor, *, override_reason: str | None = None
) -> Challenge:
    """What the reviewer with the public key ``signer`` is to sign, with the live plan as it would be from today on.

    Raises what :func:`approve` does, and TooManyAttempts.
    """
    override = _checked_reason(override_reason)
    experiment = experiments.get(context, experiment_id)
    _check_small(context, experiment)
    plan = planning.make_plan(context, experiment)
    with context.store.read() as tx:
        claim = _claim_today(context, tx, experiment_id, override, plan.sha256)
    return consent.ask(context, claim, signer, actor, plan_document=plan.document())


def approve(
    context: Context,
    experiment_id: int,
    actor: Actor,
    *,
    override_reason: str | None = None,
    signed: Signed | None = None,
    in_chat: bool = False,
) -> Experiment:
    """Approve a proposal that passed the offline gate, or any other one with ``override_reason``.

    Raises NotEvaluated, GateNotPassed, ProfilePaused, IllegalTransition, ProfileInFlight, BadInput, ChangeRefused when
    it is no small change by today's limits, SettingsInvalid for an impossible live window, and for want of a person's
    consent what :func:`consent.require` does.
    """
    override = _checked_reason(override_reason)
    experiment = experiments.get(context, experiment_id)
    _check_small(context, experiment)
    plan_sha256, document = _plan(context, experiment, signed)
    purpose = Purpose.OVERRIDE if override else Purpose.APPROVE
    with consent.attempt(context, actor, purpose, signed) as tx:
        claim = _claim_today(context, tx, experiment_id, override, plan_sha256)
        agreed = consent.require(context, tx, claim, actor, signed, in_chat=in_chat)
        experiment = experiments.load(tx, experiment_id)
        live_plan.keep_plan(tx, experiment_id, _signed_plan(agreed, plan_sha256) if agreed.payload else document)
        _insert(tx, experiment, agreed, claim)
        changes = {"approved_by": agreed.actor.name, "approved_at": clock.stamp()}
        reason = f"approved ({agreed.mode}){': ' + override if override else ''}"
        states.move(tx, experiment_id, State.APPROVED, agreed.actor, reason, changes)
        approved = experiments.load(tx, experiment_id)
    controls.note_success(context, approved.profile)  # the daemon need not wait out an earlier change's failures
    return approved


def check_valid(context: Context, experiment: Experiment) -> Approval:
    """The approval that lets ``experiment`` be applied, every part of it compared with what is stored now.

    Raises ApprovalVoid; and, without the approval being worth less for it, ReviewersTampered, ReviewersChanged,
    NoReviewer and SettingsInvalid while those who signed cannot be relied on.
    """
    with context.store.read() as tx:
        found = latest(tx, experiment.id)
        if found is None:
            raise _void(experiment, "no approval is stored for it")
        _check_not_withdrawn(tx, experiment)
        _check_bound(context, tx, experiment, found)
        if (found.mode == consent.SIGNED) != consent.signature_needed(context, tx):
            raise _void(experiment, f"it is {found.mode}, which is not how approvals are given here any more")
        if found.mode == consent.SIGNED:
            _check_signed(context, tx, experiment, found)
    if clock.parse(found.expires_at) < clock.now():
        raise _void(experiment, "it expired")
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


def _claim_today(context: Context, tx: Connection, experiment_id: int, override: str | None, plan_sha256: str) -> Claim:
    """What an approval says now, provided that the experiment can be approved."""
    _, profile = states.check_can_move(tx, experiment_id, State.APPROVED)
    controls.check_not_paused(tx, profile)
    experiment = experiments.load(tx, experiment_id)
    report = latest_report(tx, experiment)
    if override is None:
        _check_passed(experiment, _reports(tx, experiment, report), _today(context, tx, profile))
    return _claim(experiment, override, report, plan_sha256)


def _check_small(context: Context, experiment: Experiment) -> None:
    """A row can be written past our own door, and the limits can be tighter than on the day of the proposal."""
    base, candidate = experiments.contents(context, experiment)
    describe(experiment.target_relpath, base, candidate, context.settings.changes)


def _check_passed(experiment: Experiment, found: list[dict[str, Any]], today: dict[str, object]) -> None:
    """Raises NotEvaluated, GateNotPassed: without a reason of the reviewer's own, only what passed is approved."""
    number, profile = experiment.id, experiment.profile
    if not found:
        raise NotEvaluated(_not_evaluated(experiment), experiment_id=number)
    if not any(_measured_on(one) == today for one in found):
        raise NotEvaluated(
            f"{_changed(found[0], today)} of '{profile}' changed since experiment {number} was measured. Run 'hermes "
            f"ratchet evaluate {number}' again, or give a reason with --override.",
            experiment_id=number,
        )
    if not any(_passed(one) for one in found):
        raise GateNotPassed(
            f"The offline gate did not let experiment {number} pass: {_why_not(found[0])} To approve it all the same, "
            "give a reason with --override.",
            experiment_id=number,
        )


def _claim(experiment: Experiment, override: str | None, report: str | None, plan_sha256: str) -> Claim:
    bound = {"report_sha256": report, "plan_sha256": plan_sha256}
    if override is None:
        return consent.about(experiment, Purpose.APPROVE, **bound)
    return consent.about(experiment, Purpose.OVERRIDE, **bound, reason=override)


def _plan(context: Context, experiment: Experiment, signed: Signed | None) -> tuple[str, str]:
    """The live plan's SHA-256 and text; of a signed one the text comes with the signature, for sessions go on."""
    if signed is not None and signed.payload.claim.plan_sha256 is not None:
        return signed.payload.claim.plan_sha256, ""
    plan = planning.make_plan(context, experiment)
    return plan.sha256, plan.document()


def _signed_plan(agreed: Consent, plan_sha256: str) -> str:
    document = agreed.plan_document or ""
    if hashlib.sha256(document.encode()).hexdigest() != plan_sha256:
        raise SignatureRefused("The live plan that was signed is not there any more. Have it signed again.")
    return document


def _check_not_withdrawn(tx: Connection, experiment: Experiment) -> None:
    """A signature goes on to verify after the approval was withdrawn; that it was, the chain says."""
    if [step.to_state for step in chain.history(tx, experiment.id)] != [State.PROPOSED, State.APPROVED]:
        raise _void(experiment, "its steps are not those from a proposal to an approval")


def _check_bound(context: Context, tx: Connection, experiment: Experiment, found: Approval) -> None:
    bound = (found.profile, found.relpath, found.base_sha256, found.candidate_sha256, found.plan_sha256)
    today = (
        experiment.profile,
        experiment.target_relpath,
        experiment.base_sha256,
        experiment.candidate_sha256,
        _kept_plan(tx, experiment),
    )
    if bound != today:
        raise _void(experiment, "what was approved is not what would be applied now")
    if found.report_sha256 is None and found.override_reason is not None:
        return
    stored = _reports(tx, experiment, found.report_sha256)
    if not stored:
        raise _void(experiment, "its report is not the one that it was approved on")
    if found.override_reason is not None:
        return
    measured_on = _today(context, tx, experiment.profile)
    if not any(_measured_on(one) == measured_on for one in stored):
        raise _void(experiment, f"{_changed(stored[0], measured_on).lower()} changed since it was measured")
    if not any(_passed(one) for one in stored):
        raise _void(experiment, "its report does not say that it passed the gate")


def _kept_plan(tx: Connection, experiment: Experiment) -> str:
    try:
        return live_plan.kept_sha256(tx, experiment.id)
    except NoEvidence:
        raise _void(experiment, "its live plan is gone") from None


def _check_signed(context: Context, tx: Connection, experiment: Experiment, found: Approval) -> None:
    try:
        claim = _claim(experiment, found.override_reason, found.report_sha256, found.plan_sha256)
        payload = consent.standing(context, tx, found.nonce, claim)
    except (SignatureRefused, PayloadRefused) as refusal:
        raise _void(experiment, refusal.message) from None
    if (found.audit_head, found.expires_at) != (payload.audit_head, payload.expires_at):
        raise _void(experiment, "its row does not say what was signed")


def _void(experiment: Experiment, why: str) -> ApprovalVoid:
    return ApprovalVoid(
        f"The approval of experiment {experiment.id} is void: {why.rstrip('.')}. Propose the change again.",
        experiment_id=experiment.id,
    )


def _reports(tx: Connection, experiment: Experiment, sha256: str | None) -> list[dict[str, Any]]:
    """The reports on exactly these bytes that are stored under this SHA-256, and really have it."""
    table = schema.reports
    query = select(table.c.document).where(_on_these_bytes(experiment), table.c.sha256 == sha256)
    texts = [text for text in tx.execute(query).scalars() if hashlib.sha256(text.encode()).hexdigest() == sha256]
    return [_fields(text) for text in texts]


def _fields(document: str) -> dict[str, Any]:
    """A stored report; nothing of a text that no evaluation wrote."""
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _today(context: Context, tx: Connection, profile: str) -> dict[str, object]:
    """What a verdict depends on beside the change, under the names that a report has for it."""
    return {
        "scenario_set_hash": scenarios.set_hash(scenarios.train_set(tx, profile)),
        "holdout_version": holdout.version(tx, profile),
        "holdout_set_hash": scenarios.set_hash(scenarios.holdout_set(tx, profile)),
        "rules": pairing.described(pairing.rules(context.settings.evaluation)),
    }


def _measured_on(report: dict[str, Any]) -> dict[str, object]:
    return {name: report.get(name) for name in ("scenario_set_hash", "holdout_version", "holdout_set_hash", "rules")}


def _changed(report: dict[str, Any], today: dict[str, object]) -> str:
    """What is another thing by now than when the report was made."""
    then = _measured_on(report)
    if then["scenario_set_hash"] != today["scenario_set_hash"]:
        return "The scenarios"
    return "The gate's rules" if then["rules"] != today["rules"] else "The held-out scenarios"


def _passed(report: dict[str, Any]) -> bool:
    return report.get("verdict") == GateVerdict.PASSED.value


def _why_not(report: dict[str, Any]) -> str:
    """The gate's own words, its decisive reason first."""
    reasons = report.get("reasons")
    words = [one.get("words") for one in reasons if isinstance(one, dict)] if isinstance(reasons, list) else []
    return f"{report.get('verdict')}. {words[0]}" if words else f"{report.get('verdict')}."


def _on_these_bytes(experiment: Experiment) -> ColumnElement[bool]:
    table = schema.reports
    return (
        (table.c.experiment_id == experiment.id)
        & table.c.base_sha256.is_not_distinct_from(experiment.base_sha256)
        & (table.c.candidate_sha256 == experiment.candidate_sha256)
    )


def _checked_reason(text: str | None) -> str | None:
    return kept(experiments.checked_text(text or "", "A reason", _MAX_REASON)).strip() or None


def _not_evaluated(experiment: Experiment) -> str:
    missing = f"Experiment {experiment.id} has no finished evaluation of these bytes"
    otherwise = "to approve without one, give a reason with --override."
    if experiment.evaluation_status in ("queued", "running"):
        return f"{missing}: it is {experiment.evaluation_status}. Wait for it; {otherwise}"
    return f"{missing} ({experiment.evaluation_status}). Run 'hermes ratchet evaluate {experiment.id}'; {otherwise}"


def _insert(tx: Connection, experiment: Experiment, agreed: Consent, claim: Claim) -> None:
    moment, head = clock.now(), audit_head(tx)
    signed = agreed.payload
    row = {
        "experiment_id": experiment.id,
        "mode": agreed.mode,
        "profile": experiment.profile,
        "relpath": experiment.target_relpath,
        "base_sha256": experiment.base_sha256,
        "candidate_sha256": experiment.candidate_sha256,
        "report_sha256": claim.report_sha256,
        "override_reason": claim.reason,
        "plan_sha256": claim.plan_sha256,
        "audit_head": signed.audit_head if signed else f"{head.id} {head.hash}",
        "actor": agreed.actor.name,
        "principal": agreed.actor.principal,
        "nonce": signed.nonce if signed else secrets.token_hex(16),
        "created_at": clock.stamp(moment),
        "expires_at": signed.expires_at if signed else clock.stamp(moment + _VALID_FOR),
    }
    tx.execute(insert(schema.approvals).values(row))
