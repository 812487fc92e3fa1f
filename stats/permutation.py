"""How often chance alone would favour the candidate as much: the paired permutation test, exact at every size.

Without an effect the names "baseline" and "candidate" could be swapped within any scenario, so every pattern of signs
of the per-scenario gains is equally likely, however hard the scenarios are and however much their runs waver. Repeats
are averaged within the scenario first: it is the scenarios that are independent, not their repeats.

The patterns are counted, never sampled. Gains are whole numbers, so their sums are few, and one convolution over those
sums counts all 2**n patterns: less work than a useful random sample, no seed, and the same digits on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

# Beyond it, with hundreds of scenarios and uneven repeats, gains are rounded: seconds would become minutes otherwise.
_MAX_TOTAL = 1 << 16


def p_value(gains: Sequence[int]) -> float:
    """One-sided p-value for "the candidate is better": the share of sign patterns whose sum is at least the observed.

    ``gains`` holds one whole number per scenario in any common unit. 1.0 without a gain or loss. A sum of 0 or less
    has a p-value above 1/2. Very many unlike gains are rounded to a coarser unit: the test then judges the rounded sum,
    and stays exact for it, because rounding treats gains and losses alike.

    Source: Fisher 1935, "The design of experiments", section 21; Pagano and Tritchler 1983 (counting by convolution).
    """
    sizes, observed = _in_units(gains)
    turned = (sum(sizes) - observed) // 2
    return _subsets_up_to(turned, sizes) / (1 << len(sizes))


def _in_units(gains: Sequence[int]) -> tuple[list[int], int]:
    """The sizes of the gains other than 0, and the sum of all, in the largest unit that keeps them whole."""
    unit = max(1, gcd(*gains), sum(abs(gain) for gain in gains) // _MAX_TOTAL)
    rounded = [round(gain / unit) for gain in gains]
    return [abs(gain) for gain in rounded if gain], sum(rounded)


def _subsets_up_to(limit: int, sizes: Sequence[int]) -> int:
    """How many subsets of ``sizes`` add up to at most ``limit``.

    The counts by sum stand side by side as the digits of one large number, so a shift and an addition convolve. A digit
    has room for all subsets together, hence their total is the remainder by the largest digit.
    """
    width = len(sizes) + 2
    kept = (1 << width * (limit + 1)) - 1
    counts = 1
    for size in sizes:
        counts = (counts + (counts << width * size)) & kept
    return counts % ((1 << width) - 1)
