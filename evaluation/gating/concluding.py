"""Ends an evaluation: the gate's decision, the report, the baselines, what the experiment's row says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from ... import clock, schema
from ...stats.gate import Decision
from .. import jobs, results
from ..results import Evaluation
from ..running.exposure import Arm
from ..scenario import authors, holdout
from . import answered, baselines, confirming, grounds, pairing, report_document, reports
from .confirming import Asked
from .report_document import Findings
from .reports import ScenarioComparison

if TYPE_CHECKING:
    from sqlalchemy import Connection

Rows = Sequence[Mapping[str, Any]]


def conclude(tx: Connection, evaluation: Evaluation, confirmation: Evaluation | None = None) -> None:
    """Write what came out; without a scenario that has a result in both arms there is no measurement.

    ``confirmation`` is the part on the held-out split, None when it was not run.
    """
    rows = results.of_runs(tx, evaluation.run_ids.values())
    compared = reports.compare(rows)
    if not evaluation.scenarios:
        _end_unmeasured(tx, evaluation)
    elif all(one.change == "no result" for one in compared):
        _end_without_result(tx, evaluation, rows)
    elif confirmation is None or not _tried_again(tx, confirmation):
        _end_measured(tx, evaluation, confirmation, rows, compared)


def _end_unmeasured(tx: Connection, evaluation: Evaluation) -> None:
    results.close_runs(tx, evaluation, "finished", {})
    jobs.end_finished(tx, evaluation.job, "the profile has no scenarios that an evaluation could run")
    _update_experiment(tx, evaluation, evaluation_status="unmeasured")


def _end_without_result(tx: Connection, evaluation: Evaluation, rows: Rows) -> None:
    """Try again later when something around the agent failed; anything else would end the same way again."""
    results.close_runs(tx, evaluation, "failed", {})
    broken = _failures_around_the_agent(rows)
    if broken and jobs.retry_later(tx, evaluation.job, broken[0]):
        return
    others = [row["no_result_reason"] for row in rows if row["pass_fail"] is None]
    jobs.end_failed(tx, evaluation.job, f"no scenario gave a result in both arms: {[*broken, *others][0]}")


def _tried_again(tx: Connection, confirmation: Evaluation) -> bool:
    """Whether a confirmation in which nothing around the agent worked was put off; train's results stay."""
    rows = results.of_runs(tx, confirmation.run_ids.values())
    if any(pair.measured for pair in pairing.pairs(rows)) or not _failures_around_the_agent(rows):
        return False
    if not jobs.retry_later(tx, confirmation.job, "the agent could not run on the held-out scenarios"):
        return False
    results.close_runs(tx, confirmation, "failed", {})
    return True


def _failures_around_the_agent(rows: Rows) -> list[str]:
    return [row["no_result_reason"] for row in rows if json.loads(row["transcript"])["error"] is not None]


def _end_measured(
    tx: Connection,
    evaluation: Evaluation,
    confirmation: Evaluation | None,
    rows: Rows,
    compared: Sequence[ScenarioComparison],
) -> None:
    asked, decision = _decided(tx, evaluation, confirmation, rows)
    if asked is not None and asked.fresh:
        _keep_confirmation(tx, evaluation, asked, decision)
    baseline_id, before = _close(tx, evaluation, compared)
    if confirmation is not None:
        _close(tx, confirmation, reports.compare(results.of_runs(tx, confirmation.run_ids.values())))
    scores = {f"{arm}_score": reports.score(compared, arm) for arm in Arm}
    found = _findings(tx, evaluation, decision, asked, rows, compared)
    facts = {
        **report_document.measured(found),
        **grounds.of(tx, evaluation, confirmation, found),
        **scores,
        "baseline_before": before,
        "answers": answered.failures(tx, evaluation.experiment, compared),
    }
    reports.store(tx, evaluation.experiment, facts)
    _update_experiment(
        tx,
        evaluation,
        evaluation_status="finished",
        baseline_id=baseline_id,
        baseline_score=scores["baseline_score"],
        offline_score=scores["candidate_score"],
        verdict=decision.verdict.value,
        cost_micro_usd=facts["cost_micro_usd"],
        judge_model=evaluation.judge.model if evaluation.judge else None,
        judge_run_id=evaluation.judge.run_id if evaluation.judge else None,
    )
    jobs.end_finished(tx, evaluation.job)


def _close(
    tx: Connection, part: Evaluation, compared: Sequence[ScenarioComparison]
) -> tuple[int, dict[str, Any] | None]:
    """End the runs of one split. Returns the baseline they leave behind, and what it scored before."""
    scores = {arm: reports.score(compared, arm) for arm in Arm}
    results.close_runs(tx, part, "finished", scores)
    return baselines.keep(tx, part, scores[Arm.BASELINE])


def _decided(
    tx: Connection, evaluation: Evaluation, confirmation: Evaluation | None, rows: Rows
) -> tuple[Asked | None, Decision]:
    settings, blocking = evaluation.context.settings.evaluation, pairing.critical(evaluation.scenarios)
    by = pairing.rules(settings, evaluation.job.id)
    screened = pairing.screened(rows, blocking, pairing.rules(settings)).screened
    asked = confirming.asked(tx, evaluation, confirmation) if screened else None
    if asked is None:
        return None, confirming.decided_without(tx, evaluation, pairing.screened(rows, blocking, by))
    earlier = confirming.earlier(tx, evaluation, asked.version)
    critical = blocking | asked.critical | pairing.critical(confirming.usable_scenarios(tx, evaluation))
    return asked, pairing.confirmed(rows, asked.rows, critical, earlier, by, _level_then(tx, evaluation, asked))


def _level_then(tx: Connection, evaluation: Evaluation, asked: Asked) -> float | None:
    """The level at which an earlier evaluation judged this confirmation: a verdict stands, whatever is set today."""
    change = holdout.change_sha256(evaluation.experiment)
    kept = None if asked.fresh else holdout.confirmed(tx, evaluation.job.profile, asked.version, change)
    return kept.level if kept else None


def _keep_confirmation(tx: Connection, evaluation: Evaluation, asked: Asked, decision: Decision) -> None:
    compared = decision.holdout
    measured = compared is not None and compared.difference is not None
    holdout.keep(
        tx,
        evaluation.experiment,
        asked.version,
        asked.run_ids,
        asked.scenario_set_hash,
        compared.worst_p if compared and measured else None,
        compared.level if compared else None,
        decision.verdict.value,
    )


def _findings(
    tx: Connection,
    evaluation: Evaluation,
    decision: Decision,
    asked: Asked | None,
    rows: Rows,
    compared: Sequence[ScenarioComparison],
) -> Findings:
    settings = evaluation.context.settings.evaluation
    usage = holdout.used(tx, evaluation.job.profile, settings.confirmations)
    by, who = pairing.rules(settings, evaluation.job.id), authors.of_holdout(tx, evaluation.job.profile)
    return Findings(decision, by, rows, compared, asked, usage, who)


def _update_experiment(tx: Connection, evaluation: Evaluation, **columns: object) -> None:
    table = schema.experiments
    chosen = table.c.id == evaluation.experiment.id
    tx.execute(update(table).where(chosen).values(**columns, updated_at=clock.stamp()))
