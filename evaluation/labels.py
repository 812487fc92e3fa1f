"""What persons say of single results: pass or fail, each word kept; from thirty on they show what a judge is worth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from .. import clock, schema
from .._db import driver, fetch
from ..errors import BadInput, Conflict, NotFound
from ..privacy import sanitize
from ..ratchet import events, experiments
from ..ratchet.actor import Actor
from ..ratchet.context import Context
from ..ratchet.experiments import checked_text
from ..stats.kappa import cohen_kappa
from .checks import Outcome
from .gating.reports import NOT_HELD_OUT

if TYPE_CHECKING:
    from sqlalchemy import Connection

LABELS_NEEDED = 30
"""Fewer say too little about a judge to print a figure."""
LONGEST_NOTE = 2_000
"""Characters."""

_MIXING = 2_654_435_761
"""Knuth's multiplier for hashing: it spreads neighbours, and leaves each where it is from one look to the next."""

_NEWEST = "id IN (SELECT max(id) FROM human_labels GROUP BY result_id)"
_JUDGED = f"""
SELECT human_labels.passed, results.check_results FROM human_labels
JOIN experiment_scenario_results AS results ON results.id = human_labels.result_id
WHERE results.judge_model = ? AND human_labels.{_NEWEST}
"""


class UnknownResult(NotFound):
    code = "unknown_result"


class ResultHeldOut(Conflict):
    """A person who cannot see a result cannot label it."""

    code = "result_held_out"


@dataclass(frozen=True)
class Label:
    """One thing somebody said of a result; ``passed`` is 0 or 1."""

    id: int
    result_id: int
    passed: int
    note: str | None
    actor: str
    principal: str
    created_at: str


@dataclass(frozen=True)
class LabelledResult:
    """A result to be labelled. ``passed`` is what checks and judge said, ``label`` what a person said last."""

    id: int
    scenario: str
    asked: str
    answer: str
    arm: str
    repeat: int
    passed: int | None
    no_result_reason: str | None
    judge_rationale: str | None
    label: int | None


@dataclass(frozen=True)
class Agreement:
    """A judge against persons. ``kappa`` is Cohen's; None with fewer labels than needed, or where it is undefined."""

    labels: int
    needed: int
    kappa: float | None


def label(context: Context, result_id: int, passed: bool, actor: Actor, note: str = "") -> Label:
    """Keep what ``actor`` says of a result; a later word of anybody on it counts in place of this one.

    Raises UnknownResult, ResultHeldOut, and BadInput for a note that is too long or no text.
    """
    words = sanitize(checked_text(note, "The note", LONGEST_NOTE)).text.strip() if note else ""
    row: dict[str, Any] = {
        "result_id": result_id,
        "passed": int(passed),
        "note": words or None,
        "actor": actor.name,
        "principal": actor.principal,
        "created_at": clock.stamp(),
    }
    with context.store.write() as tx:
        experiment_id = _experiment_of(tx, result_id)
        number = int(tx.execute(insert(schema.human_labels).values(row)).lastrowid)
        profile = experiments.load(tx, experiment_id).profile
        # Without the note: an event goes to whoever listens, and a note may tell what the answer was about.
        ids = {"experiment_id": experiment_id, "result_id": result_id}
        events.emit(tx, "result.labelled", profile=profile, **ids, passed=passed, actor=actor.name)
    return Label(id=number, **row)


def labels_of(context: Context, result_id: int) -> list[Label]:
    """Everything that was said of a result, newest first. Raises UnknownResult, ResultHeldOut."""
    with context.store.read() as tx:
        _experiment_of(tx, result_id)
        return fetch(tx, Label, schema.human_labels, "WHERE result_id = ? ORDER BY id DESC", result_id)


def list_results(
    context: Context, experiment_id: int, *, unlabelled: bool = False, limit: int = 200
) -> list[LabelledResult]:
    """Results on scenarios that are not held out, oldest first; ``unlabelled``: only those nobody has labelled, mixed.

    By age the arms would take turns, and whoever labels would know which is which. Raises UnknownExperiment, BadInput.
    """
    if not 1 <= limit <= 1000:
        raise BadInput("limit must be between 1 and 1000.")
    with context.store.read() as tx:
        experiments.load(tx, experiment_id)
        said = f"(SELECT passed FROM human_labels WHERE result_id = results.id AND {_NEWEST})"
        without = f"AND {said} IS NULL" if unlabelled else ""
        order = f"id * {_MIXING} % {2**32}" if unlabelled else "id"
        query = f"""
            SELECT id, scenario_snapshot, transcript, arm, repeat, pass_fail, no_result_reason, judge_rationale, {said}
            FROM experiment_scenario_results AS results
            WHERE experiment_id = ? AND {NOT_HELD_OUT} {without} ORDER BY {order} LIMIT ?
        """
        return [_result(*row) for row in driver(tx).execute(query, (experiment_id, limit))]


def count_unlabelled(context: Context, experiment_id: int) -> int:
    """How many results on scenarios that are not held out nobody has labelled."""
    query = f"""
        SELECT count(*) FROM experiment_scenario_results AS results WHERE experiment_id = ? AND {NOT_HELD_OUT}
        AND NOT EXISTS (SELECT 1 FROM human_labels WHERE result_id = results.id)
    """
    with context.store.read() as tx:
        return int(driver(tx).execute(query, (experiment_id,)).fetchone()[0])


def agreement(tx: Connection, judge_model: str) -> Agreement:
    """How a judge's verdicts agree with the newest label of each result it gave a verdict on."""
    pairs = [
        (verdict, bool(passed))
        for passed, check_results in driver(tx).execute(_JUDGED, (judge_model,))
        if (verdict := _of_judge(json.loads(check_results))) is not None
    ]
    kappa = cohen_kappa(pairs) if len(pairs) >= LABELS_NEEDED else None
    return Agreement(len(pairs), LABELS_NEEDED, kappa)


def _of_judge(check_results: list[list[str]]) -> bool | None:
    """What the judge alone said of a result, all its rubrics together; None when it said neither."""
    said = {outcome for kind, outcome, _ in check_results if kind == "judge"}
    if Outcome.FAIL in said:
        return False
    return True if said == {Outcome.PASS} else None


def _experiment_of(tx: Connection, result_id: int) -> int:
    query = f"SELECT experiment_id, {NOT_HELD_OUT} FROM experiment_scenario_results WHERE id = ?"
    row = driver(tx).execute(query, (result_id,)).fetchone()
    if row is None:
        raise UnknownResult(
            f"There is no result {result_id}. The results of an experiment: hermes ratchet results N",
            result_id=result_id,
        )
    if not row[1]:
        raise ResultHeldOut(
            f"Result {result_id} belongs to a held-out scenario, which nobody sees.", result_id=result_id
        )
    return int(row[0])


def _result(
    number: int,
    snapshot: str,
    transcript: str,
    arm: str,
    repeat: int,
    passed: int | None,
    no_result_reason: str | None,
    judge_rationale: str | None,
    label: int | None,
) -> LabelledResult:
    scenario = json.loads(snapshot)
    return LabelledResult(
        id=number,
        scenario=scenario["name"],
        asked=scenario["input"],
        answer=json.loads(transcript)["answer"],
        arm=arm,
        repeat=repeat,
        passed=passed,
        no_result_reason=no_result_reason,
        judge_rationale=judge_rationale,
        label=label,
    )
