"""Chains of changes that each lose a little, judged against an anchor and without one, and the worst chain there is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import comb

import _product
import numpy as np
from numpy.typing import NDArray

from karpathy_self_improve.stats.calibration import Verdict, WindowPlan, calibrate
from karpathy_self_improve.stats.creep import WINDOWS_PER_ANCHOR, Anchor, MarginBudget
from karpathy_self_improve.stats.exceedance_noninferiority import noninferiority as few_exceedances
from karpathy_self_improve.stats.exceedances import level_rank
from karpathy_self_improve.stats.jeffreys import noninferiority

RATES = np.arange(101) / 100


@dataclass
class Chain:
    """One profile: its true success rate, and the budget it is judged by."""

    rate: float
    baseline: int
    budget: MarginBudget
    verified: int = 0

    def step(self, plan: WindowPlan, c: float, outcomes: Sequence[bool], *, anchored: bool) -> bool:
        """Judge one window as the product does. Returns whether it verified."""
        anchor = _product.successes(self.budget.anchor) if anchored else None
        margin = self.budget.available if anchored else self.budget.margin
        test = _product.success_test(replace(plan, margin=margin), c)
        live = _product.sessions(success=outcomes)
        found = _product.decide([test], _product.successes(Anchor(self.baseline, plan.n0)), live, anchor)
        kept = found.verdict is Verdict.VERIFIED
        version = Anchor(sum(outcomes[: found.sessions]), found.sessions)
        self.budget = self.budget.after(version if kept else None, plan.confidence)
        self.verified += kept
        return kept


def chains(
    plan: WindowPlan, count: int, steps: int, change: float, start: float, *, anchored: bool, seed: int
) -> list[Chain]:
    """``count`` chains of ``steps`` proposals that each change the true rate by ``change``; only verified ones stay.

    Reverted and inconclusive ones are taken back. Before every proposal the profile has ``n0`` fresh sessions.
    """
    rng, c = np.random.default_rng(seed), calibrate(plan)
    found = []
    for _ in range(count):
        first = int(rng.binomial(plan.n0, start))
        found.append(Chain(start, first, MarginBudget(Anchor(first, plan.n0), plan.margin)))
    for step in range(steps):  # all chains together: they share the tables of a margin
        for chain in found:
            if step:
                chain.baseline = int(rng.binomial(plan.n0, chain.rate))
            proposed = max(0.0, chain.rate + change)
            if chain.step(plan, c, (rng.random(plan.n_max) < proposed).tolist(), anchored=anchored):
                chain.rate = proposed
    return found


def worst_expected_loss(plan: WindowPlan, start: float, sessions: int) -> float:
    """The most success rate that any proposer can lose in expectation on one anchor's budget, exactly.

    It knows the true rate ``start`` of the anchor, what its ``sessions`` counted, every true rate and the past, and
    picks each proposal's true rate (in whole points) to lose the most by the end. Windows never revert: an upper bound.
    """
    top = round(start * 100)
    total = 0.0
    for successes, weight in enumerate(_binomial(sessions)[:, top]):
        if weight > 1e-6:
            windows = [_thresholds(plan, sessions, spent)[successes] for spent in reversed(range(WINDOWS_PER_ANCHOR))]
            total += weight * _worst([_chance_verified(plan.n, plan.n_max, *pair)[top::-1] for pair in windows])
    return total


def worst_expected_rise(plan: WindowPlan) -> float:
    """The same for exceedances: the most that the share of sessions above the anchor's level can rise."""
    k = level_rank(plan.n0)
    thresholds = [_few_enough(plan, k, spent) for spent in reversed(range(WINDOWS_PER_ANCHOR))]
    windows = [_chance_verified(plan.n, plan.n_max, *pair) for pair in thresholds]
    weights = RATES ** (k - 1) * (1 - RATES) ** (plan.n0 - k)  # the law of the anchor's own share above its level
    rises = [_worst([chance[100 - share :: -1] for chance in windows]) for share in range(101)]
    return float(np.dot(weights, rises) / weights.sum())


def _worst(windows: list[NDArray[np.float64]]) -> float:
    """By backward induction; each window, last first, gives the chances of verifying by the loss in whole points."""
    loss = np.arange(len(windows[0])) / 100
    for verified in windows:
        loss = np.max(verified * loss + (1 - verified) * loss[:, None], axis=1)
    return float(loss[0])


@cache
def _thresholds(plan: WindowPlan, sessions: int, windows: int) -> list[tuple[int, int]]:
    """By anchor successes: the fewest live ones that verify at ``n`` and at ``n_max``, that many windows on."""
    anchors = [Anchor(successes, sessions) for successes in range(sessions + 1)]
    margin = MarginBudget(anchors[0], plan.margin, windows).available
    by_look = [[_enough(plan, anchor, n, margin) for anchor in anchors] for n in (plan.n, plan.n_max)]
    return list(zip(*by_look, strict=True))


def _few_enough(plan: WindowPlan, k: int, windows: int) -> tuple[int, int]:
    """The same for sessions not above the level, which exceedances treat as successes."""
    margin = MarginBudget(Anchor(plan.n0, plan.n0), plan.margin, windows).available

    def enough(n: int) -> int:
        return bisect_left(range(n + 1), plan.confidence, key=lambda s: few_exceedances(k, plan.n0, n - s, n, margin))

    return enough(plan.n), enough(plan.n_max)


def _enough(plan: WindowPlan, anchor: Anchor, n: int, margin: float) -> int:
    counts = (anchor.successes, anchor.sessions)
    return bisect_left(range(n + 1), plan.confidence, key=lambda s: noninferiority(*counts, s, n, margin))


@cache
def _chance_verified(n: int, n_max: int, first: int, second: int) -> NDArray[np.float64]:
    """By true rate in whole points: at least ``first`` successes in ``n``, or else ``second`` in ``n_max``."""
    early, late = _binomial(n), _binomial(n_max - n)
    at_n = early[first:].sum(axis=0)
    later = [early[s] * late[max(0, second - s) :].sum(axis=0) for s in range(first)]
    return at_n + sum(later) if n_max > n else at_n


@cache
def _binomial(n: int) -> NDArray[np.float64]:
    """Chances of 0..n successes (rows) by true rate in whole points (columns)."""
    return np.array([comb(n, s) * RATES**s * (1 - RATES) ** (n - s) for s in range(n + 1)])
