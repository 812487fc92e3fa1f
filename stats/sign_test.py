"""Wins against losses alone: McNemar's exact test, the fewest wins that convince, how many scenarios that takes."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from math import ceil, comb, log2

MOST_SCENARIOS = 500


def mcnemar(wins: int, losses: int) -> float:
    """One-sided exact p-value: P(at least ``wins`` heads in ``wins`` + ``losses`` tosses). For one repeat a scenario.

    With more repeats a scenario is won or lost to a degree, which this would throw away: use ``permutation``. With one
    they agree. Raises ValueError for negative counts. Source: McNemar 1947; exact by Dixon and Mood 1946.
    """
    if wins < 0 or losses < 0:
        raise ValueError(f"wins and losses are counts, not {wins} and {losses}")
    tosses = wins + losses
    return sum(comb(tosses, k) for k in range(wins, tosses + 1)) / (1 << tosses)


def wins_needed(level: float) -> int:
    """The fewest wins, without a loss, that have a p-value of at most ``level``: five at .05. Fewer convince nobody.

    Holds for the permutation test too, whatever the repeats. Raises ValueError unless 0 < level < 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not at {level}")
    return ceil(-log2(level))


def power(scenarios: int, win: float, loss: float, level: float) -> float:
    """Exact chance that the sign test comes out at ``level`` when each scenario is won and lost with these chances.

    Raises ValueError unless the chances are chances that leave room for ties, 0 < level < 1, and there are 0 to
    ``MOST_SCENARIOS`` scenarios.
    """
    if not (win >= 0 and loss >= 0 and win + loss <= 1 and 0 < level < 1 and 0 <= scenarios <= MOST_SCENARIOS):
        raise ValueError(f"impossible: {scenarios} scenarios, win {win}, loss {loss}, level {level}")
    untied = win + loss
    share = win / untied if untied else 0.0
    return sum(
        comb(scenarios, k) * untied**k * (1 - untied) ** (scenarios - k) * _convincing(k, share, level)
        for k in range(scenarios + 1)
    )


def scenarios_needed(win: float, loss: float, level: float, wanted: float) -> int | None:
    """The fewest scenarios with which ``power`` reaches ``wanted``; None when ``MOST_SCENARIOS`` would not do.

    Raises ValueError as ``power`` does.
    """
    counts = range(1, MOST_SCENARIOS + 1)
    return next((scenarios for scenarios in counts if power(scenarios, win, loss, level) >= wanted), None)


@lru_cache(maxsize=4096)
def _convincing(untied: int, share: float, level: float) -> float:
    """The chance that so many of ``untied`` scenarios are wins that McNemar's test comes out at ``level``."""
    losses = range(_losses_allowed(untied, level))
    return sum(comb(untied, k) * share ** (untied - k) * (1 - share) ** k for k in losses)


def _losses_allowed(untied: int, level: float) -> int:
    """How many of the counts 0, 1, 2 ... losses still convince, out of ``untied`` scenarios."""
    tails = accumulate(comb(untied, losses) for losses in range(untied + 1))
    return next(losses for losses, tail in enumerate(tails) if tail / (1 << untied) > level)
