"""Simulated evaluations: scenarios of many difficulties, both arms run several times, judged by the product's gate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from karpathy_self_improve.evaluation.gating import pairing
from karpathy_self_improve.settings import EvaluationSettings
from karpathy_self_improve.stats import holm
from karpathy_self_improve.stats.comparison import Comparison, Precision, Split, compare
from karpathy_self_improve.stats.flips import flip_rate
from karpathy_self_improve.stats.gate import Decision, Evidence, GateRules, GateVerdict, decide, unasked
from karpathy_self_improve.stats.pairs import Pair

Rates = NDArray[np.float64]
REPEATS = 3
FAST = Precision(resamples=0)  # the interval decides nothing
RULES = replace(pairing.rules(EvaluationSettings()), precision=FAST)
# What the gate is told of steadiness: nothing wrong. Otherwise it would refuse some of these sets, useful ones or not.
STEADY = flip_rate([Pair("any", (True,), (True,))])


@dataclass(frozen=True)
class Scenarios:
    """Pass rates are Beta(shape, shape): most near 0 or 1, the more so the smaller the shape.

    A gain turns scenarios that can be turned into ones that nearly always pass, as many as it takes. ``judge_noise``
    is the chance that a run's verdict is the opposite one; it makes the gain that a judge can see smaller.
    """

    name: str
    shape: float
    judge_noise: float = 0.0

    def rates(self, rng: Generator, count: int) -> Rates:
        return rng.beta(self.shape, self.shape, count)

    def changed(self, rng: Generator, rates: Rates, gain: float) -> Rates:
        """``gain`` is on average over all such scenarios, half of whose runs pass."""
        return np.where(rng.random(len(rates)) < gain / 0.5, 1.0, rates)

    def passes(self, rng: Generator, rates: Rates) -> list[int]:
        seen = rates * (1 - self.judge_noise) + (1 - rates) * self.judge_noise
        return rng.binomial(REPEATS, seen).tolist()


@dataclass(frozen=True)
class Bed:
    """A profile with the true pass rates of its scenarios; each evaluation of it is drawn anew."""

    scenarios: Scenarios
    train: Rates
    holdout: Rates

    @classmethod
    def draw(cls, rng: Generator, scenarios: Scenarios, count: int) -> Bed:
        return cls(scenarios, scenarios.rates(rng, count), scenarios.rates(rng, count))

    def run(self, rng: Generator, split: Split, gain: float = 0.0, baseline: list[int] | None = None) -> list[Pair]:
        """Both arms of a split, the candidate better by ``gain``; ``baseline`` reuses runs instead of fresh ones."""
        rates = self.train if split is Split.TRAIN else self.holdout
        before = self.scenarios.passes(rng, rates) if baseline is None else baseline
        after = self.scenarios.passes(rng, self.scenarios.changed(rng, rates, gain) if gain else rates)
        pairs = zip(_names(split, len(rates)), before, after, strict=True)
        return [Pair(name, _runs(b), _runs(c)) for name, b, c in pairs]


@cache
def _names(split: Split, count: int) -> list[str]:
    return [f"{split} {number}" for number in range(count)]


@cache
def _runs(passes: int) -> tuple[bool, ...]:
    return (True,) * passes + (False,) * (REPEATS - passes)


def judge(train: list[Pair], holdout: list[Pair] | None, earlier: list[float], rules: GateRules = RULES) -> Decision:
    """The product's gate, without critical scenarios."""
    confirmation = None if holdout is None else tuple(holdout)
    return decide(Evidence(tuple(train), confirmation, frozenset(), tuple(earlier), STEADY), rules)


def steadiness(pairs: list[Pair]) -> float:
    """The flip rate that the product's gate looks at: the baseline's repeats against each other."""
    found = pairing.flips(pairs)
    return 0.0 if found is None else found.rate


def higher(pairs: list[Pair]) -> bool:
    """The naive rule: accept when the mean is strictly higher."""
    return sum(pair.gain for pair in pairs) > 0


def confirmation(pairs: list[Pair]) -> Comparison:
    """What the held-out split says by itself, of a first candidate."""
    return compare(pairs, Split.HOLDOUT, holm.level([], RULES.alpha, planned=RULES.planned), FAST)


@dataclass
class Series:
    """Candidates that come one by one to the same profile. ``capped``: no more of them are confirmed than planned."""

    bed: Bed
    rules: GateRules = RULES
    shared_baseline: bool = False
    capped: bool = True

    def passes(self, rng: Generator, candidates: int, train_gain: float = 0.0) -> tuple[list[bool], list[bool]]:
        """By candidate: whether the gate and the naive rule let it pass; it gains on train only, if anywhere."""
        shared = self.bed.scenarios.passes(rng, self.bed.train) if self.shared_baseline else None
        earlier: list[float] = []
        gate, naive = [], []
        for _ in range(candidates):
            train = self.bed.run(rng, Split.TRAIN, train_gain, shared)
            decision = judge(train, None, earlier, self.rules)
            holdout = self.bed.run(rng, Split.HOLDOUT)
            refused = unasked(decision, len(earlier) * self.capped, len(holdout), earlier, self.rules)
            if decision.screened and not refused:
                decision = judge(train, holdout, earlier, self.rules)
                assert decision.holdout is not None
                earlier.append(decision.holdout.worst_p)
            gate.append(decision.verdict is GateVerdict.PASSED)
            naive.append(higher(train))
        return gate, naive
