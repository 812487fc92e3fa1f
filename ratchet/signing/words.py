"""What a reviewer is shown before they sign: the change, the grounds and the plan, from the very bytes of the claim."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ... import schema
from ...errors import FileDrifted, StoreCorrupt
from ...reviewing.challenges import Challenge
from ...reviewing.payload import Claim, Purpose
from ...settings import WindowSettings
from .. import blobs, experiments, prior_version
from ..atomic_change import difference
from ..context import Context
from ..experiments import Experiment
from ..states import State
from ..window.foretelling import foretell
from ..window.live_plan import SETTINGS, LivePlan, read_document
from .signed_claims import APPROVING

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LONGEST = 500


def in_words(context: Context, challenge: Challenge) -> str:
    """What the signature lets happen, nothing of it read from a row that could say something else than the claim.

    Every line but those of the diff is one fact. Raises UnknownExperiment, StoreCorrupt when the bytes are not there,
    FileDrifted when a file that a force writes over was edited again.
    """
    payload = challenge.payload
    claim = payload.claim
    lines = [_what(claim)]
    if claim.reason:
        lines.append(f"Reason: {_flat(claim.reason)}")
    if claim.experiment is not None:
        lines += _about_change(context, claim, challenge.plan_document)
    lines.append(f"Counts until {payload.expires_at[:19].replace('T', ' ')} UTC, for reviewers with the fingerprint")
    lines.append(f"  {payload.reviewers_sha256}")
    return "\n".join(lines)


def _what(claim: Claim) -> str:
    number, where = claim.experiment, f"{claim.profile}/{claim.relpath}"
    sentence = {
        Purpose.APPROVE: f"Approve experiment {number}, on the evaluation below: {where}",
        Purpose.OVERRIDE: f"Approve experiment {number} whatever its evaluation says: {where}",
        Purpose.FORCE: f"Write over {where} as it is now, for experiment {number}",
        Purpose.REVERT_VERIFIED: f"Take back the verified change of experiment {number}: {where}",
        Purpose.DECIDE: f"Decide the unclear window of experiment {number} ({claim.decision} the change): {where}",
        Purpose.RESUME: f"Let changes of profile '{claim.profile}' go on",
        Purpose.REVEAL_HOLDOUT: f"Show the held-out scenarios of profile '{claim.profile}'",
        Purpose.ROTATE_HOLDOUT: f"Show the held-out scenarios of profile '{claim.profile}' for good, hold out others",
        Purpose.DELETE_HOLDOUT: f"Delete held-out scenario {claim.scenario} of profile '{claim.profile}'",
        Purpose.RESTORE_HOLDOUT: f"Restore the deleted held-out scenario {claim.scenario} of '{claim.profile}'",
        Purpose.UNCRITICAL_HOLDOUT: f"Let held-out scenario {claim.scenario} of '{claim.profile}' block no change",
    }.get(claim.purpose, claim.purpose.value)
    return _flat(sentence)


def _about_change(context: Context, claim: Claim, plan_document: str | None) -> Iterator[str]:
    experiment = experiments.get(context, int(claim.experiment or 0))
    if experiment.rationale.strip():
        yield f"Its proposer says: {_flat(experiment.rationale)}"
    if claim.purpose in APPROVING:
        with context.store.read() as tx:
            yield f"Evaluation: {_evaluation(tx, claim)}"
    yield from _diff(context, claim, experiment)
    if plan_document is not None:
        yield from plan_in_words(read_document(plan_document))


def plan_in_words(plan: LivePlan) -> Iterator[str]:
    """What a live window will test, and where it is another one than the defaults make."""
    warning = "" if plan.tests else "WARNING: "
    sentences = foretell(plan)
    yield f"Live window: {warning}{_flat(sentences[0])}"
    yield from (f"  {_flat(sentence)}" for sentence in sentences[1:])
    usual = WindowSettings()
    others = [
        f"{name} {getattr(plan, name)} (usually {getattr(usual, name)})"
        for name in SETTINGS
        if getattr(plan, name) != getattr(usual, name)
    ]
    if not plan.asks and not plan.replay.trustworthy:
        others.append("taken back without asking though its past makes it doubtful")
    if others:
        yield f"  NOT THE DEFAULTS: {', '.join(others)}"
    if plan.success_checks not in ("", "[]", "null"):
        yield f"  Success of a session: {_flat(plan.success_checks)}"


def _evaluation(tx: Connection, claim: Claim) -> str:
    table = schema.reports
    query = select(table.c.document).where(
        table.c.sha256 == claim.report_sha256, table.c.experiment_id == claim.experiment
    )
    document = tx.execute(query).scalars().first()
    if claim.report_sha256 is None:
        return "none of exactly these bytes"
    if document is None or hashlib.sha256(document.encode("utf-8")).hexdigest() != claim.report_sha256:
        raise StoreCorrupt("The report that would be signed for is not stored as it was. Evaluate the change again.")
    try:
        report = dict(json.loads(document))
    except (ValueError, TypeError, RecursionError):
        return "WARNING: a report that no evaluation wrote"
    scores = [report.get(name) for name in ("baseline_score", "candidate_score")]
    shown = " to ".join(f"{one:.0%}" if isinstance(one, float | int) else "?" for one in scores)
    compared = report.get("scenarios")
    count = len(compared) if isinstance(compared, list) else 0
    said = f"{report.get('verdict')}, {shown} passed on {count} train scenarios"
    held_out = f"{_held_out(report.get('holdout'))}{_silent(report.get('holdout'))}"
    return _flat(f"{said}{held_out}{_decisive(report.get('reasons'))}{_authors(report.get('holdout_set'))}")


def _silent(found: object) -> str:
    """Runs that gave no result, where there are any."""
    counted = found.get("runs_without_result") if isinstance(found, dict) else None
    if not isinstance(counted, dict) or not any(counted.values()):
        return ""
    return f" ({counted.get('candidate')} runs of the change and {counted.get('baseline')} before it gave no result)"


def _authors(found: object) -> str:
    """Who added the held-out scenarios: nobody but a reviewer ever sees what they ask."""
    authors = found.get("authors") if isinstance(found, dict) else None
    if not isinstance(authors, list) or not authors:
        return ""
    return f" Held-out scenarios were added by {', '.join(_author(one) for one in authors if isinstance(one, dict))}."


def _author(one: dict[str, Any]) -> str:
    first, last = (str(one.get(name))[:10] for name in ("first", "last"))
    when = first if first == last else f"{first} to {last}"
    late = f", {one['late']} of them after the set was first asked" if one.get("late") else ""
    return f"{one.get('actor')} ({one.get('scenarios')}, {when}{late})"


def _held_out(found: object) -> str:
    difference = found.get("difference") if isinstance(found, dict) else None
    return f", {100 * difference:+.0f} points on held-out ones" if isinstance(difference, float | int) else ""


def _decisive(reasons: object) -> str:
    """The gate's first reason, in its own words."""
    first = reasons[0] if isinstance(reasons, list) and reasons else None
    words = first.get("words") if isinstance(first, dict) else None
    return f". {words}" if isinstance(words, str) else ""


def _diff(context: Context, claim: Claim, experiment: Experiment) -> Iterator[str]:
    before, after = _versions(context, claim, experiment)
    shown = difference(_flat(str(claim.relpath)), before, after)
    yield shown.removesuffix("\n") if shown else "The file already holds exactly that; no byte of it changes."


def _versions(context: Context, claim: Claim, experiment: Experiment) -> tuple[bytes | None, bytes | None]:
    """The file before what is signed for happens, and after it."""
    takes_back = claim.purpose is Purpose.REVERT_VERIFIED or claim.decision == "revert"
    if claim.purpose is Purpose.FORCE:
        takes_back = experiment.state != State.APPROVED
    after = prior_version.load(context, experiment).prior_sha256 if takes_back else claim.candidate_sha256
    with context.store.read() as tx:
        resulting = blobs.load(tx, after)
        if claim.purpose is not Purpose.FORCE:
            return blobs.load(tx, claim.candidate_sha256 if takes_back else claim.base_sha256), resulting
    found = experiments.current_file(context, experiment.profile, experiment.target_relpath)
    if found.sha256 != claim.found_sha256:
        raise FileDrifted(f"{claim.relpath} was edited this very moment. Look at it, then try again.")
    return found.content, resulting


def _flat(text: str) -> str:
    """On one line, so that a text of others cannot look like a line of ours."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}\u2026"
