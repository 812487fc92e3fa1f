"""What evaluations may cost: caps per evaluation, per day and per profile and day, checked before each agent run.

Agent runs and every call of the judge count: canaries, probes and votes. A cap is reached, not foreseen: the runs that
are under way when it is reached still end, each bounded by ``max_turns``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from ... import clock
from ..._db import driver
from ...settings import BudgetSettings, Cap

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..jobs import Job

_AGENTS = """
    SELECT coalesce(sum(calls), 0), coalesce(sum(tokens), 0),
           coalesce(sum(cost_micro_usd), 0), coalesce(sum(calls IS NOT 0 AND cost_micro_usd IS NULL), 0)
    FROM spending WHERE {}
"""
_JUDGE = """
    SELECT count(*), coalesce(sum(input_tokens + output_tokens), 0),
           coalesce(sum(cost_micro_usd), 0), coalesce(sum(cost_micro_usd IS NULL), 0)
    FROM judge_votes WHERE {}
"""
_OF_JOB = "job_id = ?", "judge_run_id IN (SELECT judge_run_id FROM eval_runs WHERE job_id = ?)"
_OF_DAY = "created_at >= ?", "created_at >= ?"
_OF_PROFILE = (
    "created_at >= ? AND profile = ?",
    "created_at >= ? AND experiment_id IN (SELECT id FROM experiments WHERE profile = ?)",
)


@dataclass(frozen=True)
class Spent:
    """What has been spent. ``unpriced`` of the runs and votes cost nobody knows what; the rest is in the sums."""

    calls: int
    tokens: int
    micro_usd: int
    unpriced: int


@dataclass(frozen=True)
class Reached:
    """A cap that was reached, in words; ``until`` is when it counts anew, None when it never does."""

    reason: str
    until: datetime | None


def reached(tx: Connection, budget: BudgetSettings, job: Job) -> Reached | None:
    """The first cap that leaves nothing for another run of this job."""
    today = clock.now().astimezone(UTC).date()
    midnight = datetime.combine(today, time(), UTC)
    tomorrow, since = midnight + timedelta(days=1), clock.stamp(midnight)
    scopes = (
        ("run", budget.run, _OF_JOB, (job.id,), None),
        ("day", budget.day, _OF_DAY, (since,), tomorrow),
        ("profile", budget.profile, _OF_PROFILE, (since, job.profile), tomorrow),
    )
    for name, cap, conditions, values, until in scopes:
        if cap != Cap():
            for reason in over(f"evaluation.budget.{name}", cap, _spent(tx, conditions, values)):
                return Reached(reason, until)
    return None


def _spent(tx: Connection, conditions: tuple[str, str], values: tuple[object, ...]) -> Spent:
    rows = [
        driver(tx).execute(query.format(condition), values).fetchone()
        for query, condition in zip((_AGENTS, _JUDGE), conditions, strict=True)
    ]
    calls, tokens, micro_usd, unpriced = (sum(figures) for figures in zip(*rows, strict=True))
    return Spent(calls, tokens, micro_usd, unpriced)


def over(where: str, cap: Cap, spent: Spent) -> Iterator[str]:
    """Why nothing more may be spent, each reason naming the setting that says so; ``where`` is that of the cap."""
    if cap.calls is not None and spent.calls >= cap.calls:
        yield f"the budget is used up: {spent.calls} of {cap.calls} calls ({where}.calls)"
    if cap.tokens is not None and spent.tokens >= cap.tokens:
        yield f"the budget is used up: {spent.tokens} of {cap.tokens} tokens ({where}.tokens)"
    if cap.usd is not None and spent.micro_usd >= cap.usd * 1_000_000:
        yield f"the budget is used up: {spent.micro_usd / 1e6:.2f} of {cap.usd:.2f} dollars ({where}.usd)"
    if cap.usd is not None and spent.unpriced:
        yield (
            f"the price of {spent.unpriced} runs or votes is unknown, so {where}.usd cannot be kept; "
            "set a cap in tokens or calls instead"
        )
