"""How well raters agree: Cohen's kappa between a judge and a person, and how often votes on one thing coincide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence


def cohen_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Agreement beyond chance of two raters, one pair of ratings per item: 1 perfect, 0 chance, below 0 worse.

    None without pairs, and when both raters only ever gave one and the same rating: chance alone explains that.
    Source: J. Cohen, "A Coefficient of Agreement for Nominal Scales", 1960.
    """
    if not pairs:
        return None
    count = len(pairs)
    observed = sum(first == second for first, second in pairs) / count
    ones, others = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    expected = sum(ones[rating] * others[rating] for rating in ones) / count**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def self_agreement(groups: Sequence[Sequence[Hashable]]) -> float | None:
    """The share of pairs of votes on one item that coincide, averaged over the items with at least two votes.

    None when there is no such item. Source: the observed agreement in J. L. Fleiss, "Measuring Nominal Scale Agreement
    Among Many Raters", 1971.
    """
    shares = [_coinciding(votes) for votes in groups if len(votes) > 1]
    return sum(shares) / len(shares) if shares else None


def _coinciding(votes: Sequence[Hashable]) -> float:
    count = len(votes)
    return sum(same * (same - 1) for same in Counter(votes).values()) / (count * (count - 1))
