"""Baseline and candidate on the scenarios of one split: what was won and lost, how sure that is, what was missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from . import bootstrap, permutation, sign_test
from .bootstrap import Interval
from .detectable import detectable_gain
from .pairs import GRAINS, Pair, results


class Split(StrEnum):
    """Train may be seen by whoever proposes; the holdout is asked once, at the end."""

    TRAIN = "train"
    HOLDOUT = "holdout"


class Method(StrEnum):
    """Which test gave the p-value."""

    PERMUTATION = "paired permutation"
    MCNEMAR = "mcnemar"


@dataclass(frozen=True)
class Silent:
    """How many runs of each arm gave no result."""

    baseline: int
    candidate: int


@dataclass(frozen=True)
class Comparison:
    """One split's scenarios with a result in both arms; the names of the others are ``left_out``.

    ``difference`` is the candidate's mean pass rate less the baseline's, each scenario counting the same, and
    ``interval`` is around it; both None without scenarios, the interval also when it was not asked for.
    ``p`` is one-sided and convinces at ``level`` or below. ``best_p`` is what a candidate would have got that passed
    every run: above ``level``, no candidate could have convinced, and it takes ``scenarios_needed`` scenarios of which
    the baseline fails as large a share (None when it fails none). ``detectable`` is the gain that would have been seen
    with the power asked for, None when none would.

    All that is about the runs that gave a result. ``silent`` counts those that gave none, and ``worst_p`` is the
    p-value over all scenarios when each of them counts against the candidate; it is never below ``p``.
    """

    split: Split
    level: float
    left_out: tuple[str, ...]
    wins: tuple[str, ...]
    ties: tuple[str, ...]
    losses: tuple[str, ...]
    difference: float | None
    interval: Interval | None
    method: Method
    p: float
    best_p: float
    scenarios_needed: int | None
    detectable: float | None
    silent: Silent
    worst_p: float

    @property
    def scenarios(self) -> int:
        return len(self.wins) + len(self.ties) + len(self.losses)

    @property
    def underpowered(self) -> bool:
        return self.best_p > self.level

    @property
    def convincing(self) -> bool:
        """Never without a gain, whatever the level."""
        return self.difference is not None and self.difference > 0 and self.p <= self.level

    @property
    def convincing_at_worst(self) -> bool:
        """Whether the gain convinces whatever the runs without a result would have shown."""
        return self.convincing and self.worst_p <= self.level


@dataclass(frozen=True)
class Precision:
    """How the interval is drawn, and the power that ``detectable`` is about. Without resamples: no interval."""

    confidence: float = 0.9
    resamples: int = 5_000
    seed: int = 0
    power: float = 0.8


def compare(pairs: Sequence[Pair], split: Split, level: float, precision: Precision) -> Comparison:
    """Compare the two arms of one split at a one-sided ``level``. Raises ValueError for impossible levels.

    Scenarios must have different names.
    """
    measured = [pair for pair in pairs if pair.measured]
    gains = {pair.scenario: pair.gain for pair in measured}
    values = [gain / GRAINS for gain in gains.values()]
    winnable = sum(pair.winnable for pair in measured)
    method = _method(measured)
    p = _p_value(method, list(gains.values()))
    silent = Silent(*(sum(runs.count(None) for runs in arm) for arm in _arms(pairs)))
    return Comparison(
        split=split,
        level=level,
        left_out=tuple(pair.scenario for pair in pairs if not pair.measured),
        wins=tuple(scenario for scenario, gain in gains.items() if gain > 0),
        ties=tuple(scenario for scenario, gain in gains.items() if gain == 0),
        losses=tuple(scenario for scenario, gain in gains.items() if gain < 0),
        difference=sum(gains.values()) / (GRAINS * len(gains)) if gains else None,
        interval=_interval(values, precision),
        method=method,
        p=p,
        best_p=0.5**winnable,
        scenarios_needed=_scenarios_needed(len(measured), winnable, level),
        detectable=detectable_gain(values, level=level, power=precision.power),
        silent=silent,
        worst_p=_worst_p(pairs) if silent != Silent(0, 0) else p,
    )


def _arms(pairs: Sequence[Pair]) -> tuple[list[tuple[bool | None, ...]], list[tuple[bool | None, ...]]]:
    return [pair.baseline for pair in pairs], [pair.candidate for pair in pairs]


def _worst_p(pairs: Sequence[Pair]) -> float:
    return permutation.p_value([pair.worst.gain for pair in pairs])


def _method(measured: Sequence[Pair]) -> Method:
    once = all(results(runs) == 1 for pair in measured for runs in (pair.baseline, pair.candidate))
    return Method.MCNEMAR if measured and once else Method.PERMUTATION


def _p_value(method: Method, gains: Sequence[int]) -> float:
    if method is Method.MCNEMAR:
        return sign_test.mcnemar(sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains))
    return permutation.p_value(gains)


def _interval(values: Sequence[float], precision: Precision) -> Interval | None:
    if not precision.resamples:
        return None
    return bootstrap.interval(
        values, confidence=precision.confidence, resamples=precision.resamples, seed=precision.seed
    )


def _scenarios_needed(scenarios: int, winnable: int, level: float) -> int | None:
    return ceil(sign_test.wins_needed(level) * scenarios / winnable) if winnable else None
