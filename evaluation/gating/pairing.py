"""From stored results to the gate's decision: runs paired by scenario, the settings as rules, one decision.

Scenarios go by their ids here, as texts: a name could be used twice, and that of a held-out one is nobody's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...settings import EvaluationSettings
from ...stats import gate
from ...stats.comparison import Precision
from ...stats.flips import FlipRate, flip_rate
from ...stats.gate import Decision, Evidence, GateRules
from ...stats.pairs import Pair
from ..running.exposure import Arm
from ..scenario.scenarios import Scenario

Rows = Sequence[Mapping[str, Any]]


def rules(settings: EvaluationSettings, seed: int | None = None) -> GateRules:
    """The gate's constants as this machine is set up; without a ``seed`` no interval is drawn: none decides."""
    precision = Precision(resamples=0) if seed is None else Precision(seed=seed)
    return GateRules(planned=settings.confirmations, max_flip_rate=settings.max_flip_rate, precision=precision)


def described(by: GateRules) -> dict[str, float]:
    """The rules as a report states them; an approval compares them with those of its day."""
    return {
        "screen": by.screen,
        "alpha": by.alpha,
        "planned": by.planned,
        "max_flip_rate": by.max_flip_rate,
        "power": by.precision.power,
    }


def pairs(rows: Rows) -> tuple[Pair, ...]:
    """The runs of each scenario in both arms, from stored results."""
    runs: dict[int, dict[str, list[bool | None]]] = {}
    for row in rows:
        arms = runs.setdefault(row["scenario_id"], {arm.value: [] for arm in Arm})
        arms[row["arm"]].append(None if row["pass_fail"] is None else bool(row["pass_fail"]))
    return tuple(
        Pair(str(number), tuple(arms[Arm.BASELINE]), tuple(arms[Arm.CANDIDATE]))
        for number, arms in sorted(runs.items())
    )


def flips(measured: Sequence[Pair]) -> FlipRate | None:
    """The A/A run that every evaluation with repeats holds: the baseline's runs against each other."""
    return flip_rate([Pair(pair.scenario, pair.baseline, ()) for pair in measured])


def critical(scenarios: Iterable[Scenario]) -> frozenset[str]:
    """The ids of those that block a candidate by themselves."""
    return frozenset(str(one.id) for one in scenarios if one.critical)


def screened(rows: Rows, blocking: frozenset[str], by: GateRules) -> Decision:
    """What the train split says. ``blocking`` names its critical scenarios."""
    train = pairs(rows)
    return gate.decide(Evidence(train, None, blocking, (), flips(train)), by)


def confirmed(
    rows: Rows,
    holdout: Rows,
    blocking: frozenset[str],
    earlier: tuple[float, ...],
    by: GateRules,
    decided_at: float | None = None,
) -> Decision:
    """What both splits say. ``earlier`` are the p-values of the other changes asked about on this held-out version.

    ``decided_at`` is the level at which these held-out results were judged before, if they were.
    """
    train = pairs(rows)
    return gate.decide(Evidence(train, pairs(holdout), blocking, earlier, flips(train), decided_at), by)
