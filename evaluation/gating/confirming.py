"""The one confirmation of a change on the held-out split: whether it is due, and what it was asked on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...stats import gate
from ...stats.comparison import Split
from ...stats.gate import Decision
from .. import results
from ..results import Evaluation
from ..running.exposure import Arm
from ..scenario import holdout, likeness
from ..scenario.holdout import Confirmation, Read
from ..scenario.scenarios import Scenario, holdout_set, set_hash
from . import draws, pairing

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

    That it begins is recorded, and counts from then on. One that was cut short goes on with what it has, whichever job
    or experiment of the same change it was for. Raises ConfirmationUnderWay while another job is at it.
    """
    with evaluation.context.store.write() as tx:
        part = _part(tx, evaluation)
    if part is None:
        return None
    before = len(evaluation.scenarios) * len(Arm) * evaluation.context.settings.evaluation.repeats
    scenarios, runs = part
    return replace(evaluation, scenarios=scenarios, run_ids=runs, split=Split.HOLDOUT, done_before=before)


def _part(tx: Connection, evaluation: Evaluation) -> tuple[tuple[Scenario, ...], Mapping[str, int]] | None:
    """The scenarios to be asked, and the runs that their results belong to."""
    usable, under_way = usable_scenarios(tx, evaluation), _is_under_way(tx, evaluation)
    if not under_way and not _is_due(tx, evaluation, len(usable)):
        return None
    reads = _reads(tx, evaluation)
    draws.check_free(tx, reads, evaluation.job)
    draw = draws.begun(tx, reads)
    scenarios = usable if draw is None else draw.scenarios(evaluation, usable)
    if scenarios is None:
        return None
    if not under_way:
        holdout.record_read(tx, evaluation.job, evaluation.experiment, _version(tx, evaluation))
    return scenarios, draw.run_ids if draw else _new_runs(tx, evaluation, scenarios)


def _new_runs(tx: Connection, evaluation: Evaluation, scenarios: Sequence[Scenario]) -> Mapping[str, int]:
    job, experiment, judge = evaluation.job, evaluation.experiment, evaluation.judge
    return results.runs_of(tx, evaluation.context, job, experiment, scenarios, judge, Split.HOLDOUT)


def usable_scenarios(tx: Connection, evaluation: Evaluation) -> tuple[Scenario, ...]:
    """The held-out scenarios of today that are like none of the train scenarios of this evaluation."""
    return tuple(likeness.apart_from(holdout_set(tx, evaluation.job.profile), evaluation.scenarios))


def decided_without(tx: Connection, evaluation: Evaluation, screened: Decision) -> Decision:
    """The decision where no confirmation was run: what train says, or why asking held-out would be a waste."""
    return screened if not screened.screened else _unasked(tx, evaluation, screened) or screened


def asked(tx: Connection, evaluation: Evaluation, confirming: Evaluation | None) -> Asked | None:
    """The confirmation that counts for this change: the first one on this version, which may be the one just run.

    One that broke off and cannot be gone on with counts too, as one without any result.
    """
    version = (confirming and holdout.read_by(tx, evaluation.job)) or _version(tx, evaluation)
    found = holdout.confirmed(tx, evaluation.job.profile, version, _change(evaluation))
    if found is not None:
        return _earlier_one(tx, found)
    return _just_run(tx, confirming, version) if confirming else _broken_off(tx, evaluation, version)


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


def _broken_off(tx: Connection, evaluation: Evaluation, version: int) -> Asked | None:
    draw = draws.begun(tx, _reads(tx, evaluation))
    if draw is None or draw.scenarios(evaluation, usable_scenarios(tx, evaluation)) is not None:
        return None
    ids = (draw.run_ids[Arm.BASELINE.value], draw.run_ids[Arm.CANDIDATE.value])
    return Asked(version, draw.scenario_set_hash, ids, rows=(), critical=frozenset(), fresh=True)


def _earlier_one(tx: Connection, found: Confirmation) -> Asked:
    ids = (found.baseline_run_id, found.candidate_run_id)
    rows = [] if found.p is None else results.of_runs(tx, ids)  # without p, what there is of it must not decide
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


def _reads(tx: Connection, evaluation: Evaluation) -> list[Read]:
    return holdout.reads_of(tx, evaluation.job.profile, _version(tx, evaluation), _change(evaluation))


def _change(evaluation: Evaluation) -> str:
    return holdout.change_sha256(evaluation.experiment)
