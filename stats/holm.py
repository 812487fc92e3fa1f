"""Several candidates confirmed on one held-out set: Holm's correction, and its worth when they come one by one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def adjusted(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values, in the order given: at most ``alpha`` means significant among all of them.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    ranked = sorted(range(len(p_values)), key=lambda i: p_values[i])
    steps = (min(1.0, (len(ranked) - rank) * p_values[i]) for rank, i in enumerate(ranked))
    by_index = dict(zip(ranked, accumulate(steps, max), strict=True))
    return tuple(by_index[i] for i in range(len(p_values)))


def level(earlier: Sequence[float], alpha: float, *, planned: int = 1) -> float:
    """The largest p-value with which the next candidate is significant among ``earlier`` and itself.

    ``planned`` is how many candidates the held-out set is meant for. Those that did not come yet count as failed.
    Without a plan the first has all of alpha, the k-th alpha / k unless earlier ones were significant: see
    ``chance_of_a_false_pass``. Raises ValueError unless 0 < alpha < 1 and planned >= 1.
    """
    if not (0 < alpha < 1 and planned >= 1):
        raise ValueError(f"a level needs 0 < alpha < 1 and a plan for at least one candidate, not {alpha}, {planned}")
    family = max(planned, len(earlier) + 1)
    significant = 0
    for p in sorted(earlier):
        if p > alpha / (family - significant):
            break
        significant += 1
    return alpha / (family - significant)


def chance_of_a_false_pass(confirmed: int, alpha: float, *, planned: int = 1) -> float:
    """A bound on the chance that any useless candidate among ``confirmed`` ones passes, judged as they come.

    Holm keeps alpha when all p-values are there at once. One by one, with verdicts that are never taken back, it keeps
    alpha for as many as were planned; the first one beyond adds alpha / 2, the next alpha / 3, and so on: without a
    plan ten candidates may reach .146 at an alpha of .05. Holds however the p-values hang together and however the
    candidates were chosen, as long as none has seen the held-out set.

    Source: Holm's argument at each step. A false pass needs one of the n useless p-values so far at alpha / n or below,
    with the places still free counted among the n; then Bonferroni's inequality over the steps.
    """
    return min(1.0, sum(alpha / n for n in range(1, max(1, confirmed - planned + 1) + 1)))
