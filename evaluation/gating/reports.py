"""What an evaluation found, as one immutable document per experiment version; its SHA-256 is what approval binds."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from ... import clock, schema
from ..._db import driver
from ...errors import DiskFailed
from ...privacy import sanitize, without_secrets
from ...ratchet import approval, experiments
from ...ratchet.context import Context
from ...ratchet.experiments import Experiment
from ...ratchet.signing import unlocking
from ..running.exposure import Arm

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


NOT_HELD_OUT = "split = 'train' AND scenario_id NOT IN (SELECT id FROM scenarios WHERE holdout = 1)"
"""Results that may be shown: a scenario that is held out by now is not shown by what it did as a train scenario."""


@dataclass(frozen=True)
class ScenarioComparison:
    """One scenario in both arms: passes among the runs that gave a result; None when an arm has no result.

    ``flaky``: one and the same version both passed and failed it.
    """

    scenario_id: int
    name: str
    critical: bool
    baseline: float | None
    candidate: float | None
    change: str
    flaky: bool


def compare(rows: Sequence[Mapping[str, Any]]) -> list[ScenarioComparison]:
    """Per scenario, oldest first, what the two arms did. ``rows`` are stored results."""
    by_scenario: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_scenario.setdefault(row["scenario_id"], []).append(row)
    compared = []
    for scenario_id, results in sorted(by_scenario.items()):
        baseline = pass_rate([result for result in results if result["arm"] == Arm.BASELINE])
        candidate = pass_rate([result for result in results if result["arm"] == Arm.CANDIDATE])
        snapshot = json.loads(results[0]["scenario_snapshot"])
        compared.append(
            ScenarioComparison(
                scenario_id=scenario_id,
                name=snapshot["name"],
                critical=bool(snapshot.get("critical")),
                baseline=baseline,
                candidate=candidate,
                change=_change(baseline, candidate),
                flaky=any(rate not in (None, 0.0, 1.0) for rate in (baseline, candidate)),
            )
        )
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


def store(tx: Connection, experiment: Experiment, facts: Mapping[str, Any]) -> str:
    """Write the report of a finished evaluation, without secrets and personal data. Returns its SHA-256."""
    document = {
        **without_secrets(dict(facts)),
        "experiment_id": experiment.id,
        "profile": experiment.profile,
        "relpath": experiment.target_relpath,
        "base_sha256": experiment.base_sha256,
        "candidate_sha256": experiment.candidate_sha256,
        "diff": sanitize(experiment.diff).text,
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


def write_files(context: Context, experiment_id: int) -> list[Path]:
    """Every stored report of an experiment as a file of exactly its bytes, those already there left alone.

    Returns all of them, oldest first. Raises DiskFailed.
    """
    with context.store.read() as tx:
        rows = stored(tx, schema.reports, "WHERE experiment_id = ? ORDER BY id", experiment_id)
    folder = context.data / "reports"
    found = [(folder / f"experiment-{experiment_id}-{row['sha256'][:12]}.json", row["document"]) for row in rows]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, document in found:
            if not path.exists():
                _write(path, document)
    except OSError as error:
        raise DiskFailed(f"The report cannot be written below {folder}: {error}. It is in the database.") from error
    return [path for path, _ in found]


def _write(path: Path, document: str) -> None:
    """Under another name first: a file that was cut short must not pass for the report."""
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(document.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


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
    with context.store.read() as tx:
        return stored(tx, schema.eval_runs, "WHERE experiment_id = ? ORDER BY id", experiment_id)


def results(context: Context, experiment_id: int) -> list[dict[str, Any]]:
    """The scenario results of an experiment as stored, oldest first; held-out ones only while they are unlocked."""
    with context.store.read() as tx:
        profile = experiments.load(tx, experiment_id).profile
        shown = "" if unlocking.unlocked_until(context, tx, profile) else f"AND {NOT_HELD_OUT} "
        return stored(tx, schema.scenario_results, f"WHERE experiment_id = ? {shown}ORDER BY id", experiment_id)


def stored(tx: Connection, table: Table, rest: str, *values: object) -> list[dict[str, Any]]:
    """Whole rows of a table by column name; ``rest`` is SQL of ours, e.g. ``WHERE experiment_id = ?``."""
    names = [column.name for column in table.columns]
    found = driver(tx).execute(f"SELECT {', '.join(names)} FROM {table.name} {rest}", values)
    return [dict(zip(names, row, strict=True)) for row in found]


def _change(baseline: float | None, candidate: float | None) -> str:
    if baseline is None or candidate is None:
        return "no result"
    if candidate == baseline:
        return "unchanged"
    return "fixed" if candidate > baseline else "broken"
