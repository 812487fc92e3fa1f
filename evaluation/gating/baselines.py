"""What a profile's files scored before a change, by what that depends on: content, scenarios, split and models.

Whatever of it changes makes another baseline, and the old one says nothing any more. Rows are added, never edited.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from ... import clock, schema
from ..._db import as_record, fetch
from ...errors import BadInput
from ...ratchet.context import Context
from ..results import Evaluation
from ..running.exposure import Arm
from ..scenario.scenarios import set_hash

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Key:
    """What a baseline's score depends on. ``models`` is JSON: the agent's model and the judge's."""

    profile: str
    file: str
    content_hash: str | None
    scenario_set_hash: str
    split: str
    models: str


@dataclass(frozen=True)
class Baseline:
    """One baseline as stored. ``models`` is JSON in a string; ``score`` is None when nothing gave a result."""

    id: int
    profile: str
    file: str
    commit_sha: str | None
    content_hash: str | None
    scenario_set_hash: str
    split: str
    models: str
    score: float | None
    experiment_id: int | None
    created_at: str


def list_baselines(
    context: Context, *, profile: str | None = None, limit: int = 100, before: int | None = None
) -> list[Baseline]:
    """Newest first; ``before`` is the id from which the next page goes on. Raises BadInput."""
    if not 1 <= limit <= 1000:
        raise BadInput("limit must be between 1 and 1000.")
    wanted = {"profile = ?": profile, "id < ?": before}
    asked = {condition: value for condition, value in wanted.items() if value is not None}
    where = f"WHERE {' AND '.join(asked)}" if asked else ""
    with context.store.read() as tx:
        return fetch(tx, Baseline, schema.baselines, f"{where} ORDER BY id DESC LIMIT ?", *asked.values(), limit)


def newest(tx: Connection, key: Key) -> Baseline | None:
    """The newest baseline of exactly this key; one of anything else does not count."""
    table = schema.baselines
    same = (table.c[name].is_not_distinct_from(value) for name, value in asdict(key).items())
    row = tx.execute(select(table).where(*same).order_by(table.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else as_record(Baseline, row)


def keep(tx: Connection, evaluation: Evaluation, score: float | None) -> tuple[int, dict[str, Any] | None]:
    """Add the baseline that one split of an evaluation measured.

    Returns its id, and what the same baseline scored when it was measured last: two figures of the same bytes on the
    same scenarios by the same models, whose difference is chance, or something around them that changed unseen.
    """
    experiment = evaluation.experiment
    key = Key(
        profile=evaluation.job.profile,
        file=experiment.target_relpath,
        content_hash=experiment.base_sha256,
        scenario_set_hash=set_hash(evaluation.scenarios),
        split=evaluation.split.value,
        models=_models(tx, evaluation),
    )
    before = newest(tx, key)
    row = {
        **asdict(key),
        "commit_sha": experiment.base_commit_sha,
        "score": score,
        "experiment_id": experiment.id,
        "created_at": clock.stamp(),
    }
    number = int(tx.execute(insert(schema.baselines).values(row)).lastrowid)
    if before is None:
        return number, None
    return number, {"score": before.score, "experiment_id": before.experiment_id, "created_at": before.created_at}


def _models(tx: Connection, evaluation: Evaluation) -> str:
    runs = schema.eval_runs
    mine = runs.c.id == evaluation.run_ids[Arm.BASELINE.value]
    subject = tx.execute(select(runs.c.subject_model).where(mine)).scalar_one()
    return json.dumps({"subject": subject, "judge": evaluation.judge.model if evaluation.judge else None})
