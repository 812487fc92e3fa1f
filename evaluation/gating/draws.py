"""What the held-out split has said already of a change whose confirmation broke off: it is gone on with, never redrawn.

Whoever could have the same change drawn anew until a draw is lucky would need no better change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ... import schema
from ...errors import Unavailable
from ...stats.comparison import Split
from .. import results
from ..jobs import Job
from ..results import Evaluation
from ..running.exposure import Arm
from ..scenario.holdout import Read
from ..scenario.scenarios import Scenario

if TYPE_CHECKING:
    from sqlalchemy import Connection


class ConfirmationUnderWay(Unavailable):
    """Another job confirms the very same change right now."""

    code = "confirmation_under_way"


@dataclass(frozen=True)
class Draw:
    """The runs of one confirmation, by arm, and the circumstances that their results hold under."""

    run_ids: Mapping[str, int]
    measured: Mapping[str, Any]
    created_at: str

    def scenarios(self, evaluation: Evaluation, usable: Sequence[Scenario]) -> tuple[Scenario, ...] | None:
        """Those that it was begun on, when it can be gone on with; None when they or what else it measured changed.

        What was added or edited later takes no part in it.
        """
        then = tuple(one for one in usable if one.updated_at <= self.created_at)
        now = results.measured(evaluation.context, then, evaluation.judge)
        return then if now == self.measured else None

    @property
    def scenario_set_hash(self) -> str:
        return str(self.measured["scenario_set_hash"])


def begun(tx: Connection, reads: Sequence[Read]) -> Draw | None:
    """The first draw of these reads that gave a result; one that gave none told nobody anything."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for run in _runs(tx, reads):
        found.setdefault((run["job_id"], run["created_at"]), {})[run["arm"]] = run
    return next((_draw(arms) for arms in found.values() if set(arms) == set(Arm) and _told(tx, arms)), None)


def check_free(tx: Connection, reads: Sequence[Read], job: Job) -> None:
    """Raises ConfirmationUnderWay when another job is at one of these reads."""
    others = [read.job_id for read in reads if read.job_id != job.id]
    table = schema.jobs
    running = select(table.c.id).where(table.c.id.in_(others), table.c.state == "running").limit(1)
    if (other := tx.execute(running).scalar_one_or_none()) is not None:
        raise ConfirmationUnderWay(
            f"Job {other} confirms the very same change. Wait for it, or cancel it with "
            f"'hermes ratchet jobs --cancel {other}'."
        )


def _runs(tx: Connection, reads: Sequence[Read]) -> list[dict[str, Any]]:
    """The held-out runs that were made after each of these reads, oldest first; those before asked another version."""
    table = schema.eval_runs
    asked = {read.job_id: read.created_at for read in reads}
    mine = table.c.job_id.in_(list(asked)) & (table.c.split == Split.HOLDOUT.value)
    rows = [dict(row._mapping) for row in tx.execute(select(table).where(mine).order_by(table.c.id))]
    return [row for row in rows if row["created_at"] >= asked[row["job_id"]]]


def _told(tx: Connection, arms: Mapping[str, Mapping[str, Any]]) -> bool:
    table = schema.scenario_results
    known = table.c.eval_run_id.in_([run["id"] for run in arms.values()]) & table.c.pass_fail.is_not(None)
    return tx.execute(select(table.c.id).where(known).limit(1)).scalar_one_or_none() is not None


def _draw(arms: Mapping[str, Mapping[str, Any]]) -> Draw:
    run = arms[Arm.BASELINE.value]
    return Draw(
        run_ids={arm: int(one["id"]) for arm, one in arms.items()},
        measured={name: run[name] for name in results.MEASURED},
        created_at=run["created_at"],
    )
