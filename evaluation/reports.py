"""What an evaluation found, as one immutable document per experiment version; its SHA-256 is what approval binds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from .. import clock, schema
from .._db import driver
from ..ratchet import approval, experiments
from ..ratchet.context import Context
from ..ratchet.experiments import Experiment
from .exposure import Arm

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


class OfflineVerdict(StrEnum):
    """What the scenarios say about a candidate, in one word. It informs; it does not gate yet."""

    IMPROVED = "improved"
    WORSE = "worse"
    MIXED = "mixed"
    UNCHANGED = "unchanged"
    NO_RESULT = "no result"


@dataclass(frozen=True)
class ScenarioComparison:
    """One scenario in both arms: passes among the runs that gave a result; None when an arm has no result."""

    scenario_id: int
    name: str
    baseline: float | None
    candidate: float | None
    change: str


def compare(rows: Sequence[Mapping[str, Any]]) -> list[ScenarioComparison]:
    """Per scenario, what the two arms did. ``rows`` are stored results."""
    by_scenario: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_scenario.setdefault(row["scenario_id"], []).append(row)
    compared = []
    for scenario_id, results in by_scenario.items():
        baseline = pass_rate([result for result in results if result["arm"] == Arm.BASELINE])
        candidate = pass_rate([result for result in results if result["arm"] == Arm.CANDIDATE])
        name = json.loads(results[0]["scenario_snapshot"])["name"]
        compared.append(ScenarioComparison(scenario_id, name, baseline, candidate, _change(baseline, candidate)))
    return compared


def pass_rate(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Passes among the runs with a result; None when there is none."""
    known = [row["pass_fail"] for row in rows if row["pass_fail"] is not None]
    return sum(known) / len(known) if known else None


def score(compared: Sequence[ScenarioComparison], arm: Arm) -> float | None:
    """The mean pass rate of an arm over the scenarios in which both arms have one: two scores that can be compared."""
    pairs = [(c.baseline, c.candidate) for c in compared if c.baseline is not None and c.candidate is not None]
    rates = [baseline if arm is Arm.BASELINE else candidate for baseline, candidate in pairs]
    return sum(rates) / len(rates) if rates else None


def verdict(compared: Sequence[ScenarioComparison]) -> OfflineVerdict:
    """Better, worse, both, neither; no result when no scenario gave one in both arms."""
    changes = {c.change for c in compared}
    if not changes & {"fixed", "broken", "unchanged"}:
        return OfflineVerdict.NO_RESULT
    if {"fixed", "broken"} <= changes:
        return OfflineVerdict.MIXED
    if "fixed" in changes:
        return OfflineVerdict.IMPROVED
    return OfflineVerdict.WORSE if "broken" in changes else OfflineVerdict.UNCHANGED


def store(tx: Connection, experiment: Experiment, facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Write the report of a finished evaluation. Returns its SHA-256."""
    compared = compare(rows)
    document = {
        **facts,
        "experiment_id": experiment.id,
        "profile": experiment.profile,
        "relpath": experiment.target_relpath,
        "base_sha256": experiment.base_sha256,
        "candidate_sha256": experiment.candidate_sha256,
        "diff": experiment.diff,
        "verdict": verdict(compared),
        "baseline_score": score(compared, Arm.BASELINE),
        "candidate_score": score(compared, Arm.CANDIDATE),
        "scenarios": [asdict(one) for one in compared],
        "result_ids": [row["id"] for row in rows],
    }
    text = json.dumps(document, ensure_ascii=False, sort_keys=True)
    sha256 = hashlib.sha256(text.encode("utf-8")).hexdigest()
    row = {
        "experiment_id": experiment.id,
        "base_sha256": experiment.base_sha256,
        "candidate_sha256": experiment.candidate_sha256,
        "sha256": sha256,
        "document": text,
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.reports).values(row))
    return sha256


def latest(context: Context, experiment_id: int) -> dict[str, Any] | None:
    """The newest report on exactly the bytes of this experiment, None before one is finished."""
    with context.store.read() as tx:
        sha256 = approval.latest_report(tx, experiments.load(tx, experiment_id))
        if sha256 is None:
            return None
        table = schema.reports
        query = select(table.c.document).where(table.c.sha256 == sha256, table.c.experiment_id == experiment_id)
        return {"sha256": sha256, **_fields(tx.execute(query).scalars().first() or "")}


def _fields(document: str) -> dict[str, Any]:
    """A stored report; nothing of a text that no evaluation wrote."""
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def eval_runs(context: Context, experiment_id: int) -> list[dict[str, Any]]:
    """The runs of an experiment as stored, oldest first."""
    return _rows(context, schema.eval_runs, experiment_id)


def results(context: Context, experiment_id: int) -> list[dict[str, Any]]:
    """Every scenario result of an experiment as stored, oldest first."""
    return _rows(context, schema.scenario_results, experiment_id)


def stored(tx: Connection, table: Table, rest: str, *values: object) -> list[dict[str, Any]]:
    """Whole rows of a table by column name; ``rest`` is SQL of ours, e.g. ``WHERE experiment_id = ?``."""
    names = [column.name for column in table.columns]
    found = driver(tx).execute(f"SELECT {', '.join(names)} FROM {table.name} {rest}", values)
    return [dict(zip(names, row, strict=True)) for row in found]


def _rows(context: Context, table: Table, experiment_id: int) -> list[dict[str, Any]]:
    with context.store.read() as tx:
        return stored(tx, table, "WHERE experiment_id = ? ORDER BY id", experiment_id)


def _change(baseline: float | None, candidate: float | None) -> str:
    if baseline is None or candidate is None:
        return "no result"
    if candidate == baseline:
        return "unchanged"
    return "fixed" if candidate > baseline else "broken"
