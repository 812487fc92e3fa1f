"""How surprising a run of live sessions is if nothing changed: the one-sided mid-p value of Fisher's exact test."""

from __future__ import annotations

from functools import lru_cache
from math import comb


@lru_cache(maxsize=8192)  # every look of a window is asked for again whenever somebody asks how it stands
def mid_p(s0: int, n0: int, s: int, n: int) -> float:
    """Mid-p value for "the live success rate is lower than the baseline's".

    ``s0`` of ``n0`` baseline sessions and ``s`` of ``n`` live sessions succeeded. Given their sum, the live successes
    of an unchanged agent are hypergeometric: the value is P(fewer than s) + P(exactly s) / 2. Whole numbers until the
    last division, so it is correctly rounded and the same on every machine.

    Raises ValueError unless 0 <= s0 <= n0 and 0 <= s <= n.
    Source: Lancaster 1961, "Significance tests in discrete distributions".
    """
    if not (0 <= s0 <= n0 and 0 <= s <= n):
        raise ValueError(f"successes must lie between 0 and the sessions: {s0} of {n0}, {s} of {n}")
    total = s0 + s
    fewer = sum(comb(n, k) * comb(n0, total - k) for k in range(max(0, total - n0), s))
    return (2 * fewer + comb(n, s) * comb(n0, s0)) / (2 * comb(n0 + n, total))
