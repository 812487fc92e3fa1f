"""The one confirmation of a change on the held-out split: whether it is due, and what it was asked on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...stats import gate
from ...stats.comparison import Split
from ...stats.gate import Decision
from .. import results
from ..results import Evaluation
from ..running.exposure import Arm
from ..scenario import holdout, likeness
from ..scenario.holdout import Confirmation
from ..scenario.scenarios import Scenario, holdout_set, set_hash
from . import pairing

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Asked:
    """A confirmation that has run: on which version of the held-out set, with which results.

    ``critical`` are the ids of the scenarios that block. ``fresh`` is False when an earlier evaluation confirmed the
    very same change: a change is confirmed once.
    """

    version: int
    scenario_set_hash: str
    run_ids: tuple[int, int]
    rows: Sequence[dict[str, Any]]
    critical: frozenset[str]
    fresh: bool


def begin(evaluation: Evaluation) -> Evaluation | None:
    """The held-out part of an evaluation whose train part has run; None when nothing of it is to be run.

    That it begins is recorded, and counts from then on. One that was cut short goes on.
    """
    with evaluation.context.store.write() as tx:
        usable = usable_scenarios(tx, evaluation)
        if not _is_under_way(tx, evaluation):
            if not _is_due(tx, evaluation, len(usable)):
                return None
            holdout.record_read(tx, evaluation.job, evaluation.experiment, _version(tx, evaluation))
        runs = results.runs_of(
            tx, evaluation.context, evaluation.job, evaluation.experiment, usable, evaluation.judge, Split.HOLDOUT
        )
    before = len(evaluation.scenarios) * len(Arm) * evaluation.context.settings.evaluation.repeats
    return replace(evaluation, scenarios=usable, run_ids=runs, split=Split.HOLDOUT, done_before=before)


def usable_scenarios(tx: Connection, evaluation: Evaluation) -> tuple[Scenario, ...]:
    """The held-out scenarios of today that are like none of the train scenarios of this evaluation."""
    return tuple(likeness.apart_from(holdout_set(tx, evaluation.job.profile), evaluation.scenarios))


def decided_without(tx: Connection, evaluation: Evaluation, screened: Decision) -> Decision:
    """The decision where no confirmation was run: what train says, or why asking held-out would be a waste."""
    return screened if not screened.screened else _unasked(tx, evaluation, screened) or screened


def asked(tx: Connection, evaluation: Evaluation, confirming: Evaluation | None) -> Asked | None:
    """The confirmation that counts for this change: the first one on this version, which may be the one just run."""
    version = (confirming and holdout.read_by(tx, evaluation.job)) or _version(tx, evaluation)
    found = holdout.confirmed(tx, evaluation.job.profile, version, _change(evaluation))
    if found is not None:
        return _earlier_one(tx, found)
    return _just_run(tx, confirming, version) if confirming else None


def _just_run(tx: Connection, confirming: Evaluation, version: int) -> Asked:
    ids = (confirming.run_ids[Arm.BASELINE.value], confirming.run_ids[Arm.CANDIDATE.value])
    return Asked(
        version=version,
        scenario_set_hash=set_hash(confirming.scenarios),
        run_ids=ids,
        rows=results.of_runs(tx, ids),
        critical=pairing.critical(confirming.scenarios),
        fresh=True,
    )


def _earlier_one(tx: Connection, found: Confirmation) -> Asked:
    ids = (found.baseline_run_id, found.candidate_run_id)
    rows = results.of_runs(tx, ids)
    critical = {str(row["scenario_id"]) for row in rows if json.loads(row["scenario_snapshot"])["critical"]}
    return Asked(found.version, found.scenario_set_hash, ids, rows, frozenset(critical), fresh=False)


def earlier(tx: Connection, evaluation: Evaluation, version: int) -> tuple[float, ...]:
    """The p-values of the other changes that this version of the held-out set was asked about."""
    return holdout.earlier_p_values(tx, evaluation.job.profile, version, _change(evaluation))


def _is_under_way(tx: Connection, evaluation: Evaluation) -> bool:
    """Whether this job asks today's version already, and has not been answered."""
    version = _version(tx, evaluation)
    asks = holdout.read_by(tx, evaluation.job) == version
    return asks and holdout.confirmed(tx, evaluation.job.profile, version, _change(evaluation)) is None


def _is_due(tx: Connection, evaluation: Evaluation, usable: int) -> bool:
    rows = results.of_runs(tx, evaluation.run_ids.values())
    by = pairing.rules(evaluation.context.settings.evaluation)
    screened = pairing.screened(rows, pairing.critical(evaluation.scenarios), by)
    version = _version(tx, evaluation)
    if not screened.screened or holdout.confirmed(tx, evaluation.job.profile, version, _change(evaluation)):
        return False
    return _unasked(tx, evaluation, screened, usable) is None


def _unasked(tx: Connection, evaluation: Evaluation, screened: Decision, usable: int | None = None) -> Decision | None:
    version, profile = _version(tx, evaluation), evaluation.job.profile
    others = holdout.asked_by_others(tx, profile, version, _change(evaluation))
    count = len(usable_scenarios(tx, evaluation)) if usable is None else usable
    by = pairing.rules(evaluation.context.settings.evaluation)
    return gate.unasked(screened, len(others), count, earlier(tx, evaluation, version), by)


def _version(tx: Connection, evaluation: Evaluation) -> int:
    return holdout.version(tx, evaluation.job.profile)


def _change(evaluation: Evaluation) -> str:
    return holdout.change_sha256(evaluation.experiment)
