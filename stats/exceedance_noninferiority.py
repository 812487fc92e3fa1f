"""How probable it is that live sessions exceed a high level of the anchor hardly more often than the anchor did.

Errors, tokens and cost have no distribution one could rely on, so they are judged by one share: how many sessions lie
above the anchor's k-th largest value. Two facts need no assumption but independence:

* the share ``u`` of the anchor's own future sessions above that value has exactly the law Beta(k, n0 - k + 1),
  whatever the distribution (Wilks 1941, "Determination of sample sizes for setting tolerance limits");
* the live exceedances are binomial with the live share ``q``; its Jeffreys posterior after x of n is
  Beta(x + 1/2, n - x + 1/2) (Brown, Cai and DasGupta 2001).

Non-inferior means q < u + margin. The rule is the one for success, with "not above the level" in the place of success:
Beta(k, n0 - k + 1) is the Jeffreys posterior of an anchor with k - 1/2 exceedances.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import asin, comb, cos, cosh, exp, lgamma, log, pi, sin, sinh, sqrt
from typing import NamedTuple

# Nodes reach to |t| = 3.2, where the double-exponential weights have fallen to 1e-15 of their peak.
_REACH = 3.2


class Node(NamedTuple):
    """A point of the quadrature: sin(angle)**2 is a share of sessions."""

    angle: float
    weight: float


def noninferiority(k: int, n0: int, x: int, n: int, margin: float) -> float:
    """P(q < u + margin) when ``x`` of ``n`` live sessions lie above the ``k``-th largest of ``n0`` anchor values.

    Absolute error below 1e-9 up to thousands of sessions. Raises ValueError unless 1 <= k <= n0, 0 <= x <= n and
    0 <= margin < 1.
    """
    if not (1 <= k <= n0 and 0 <= x <= n and 0 <= margin < 1):
        raise ValueError(f"impossible comparison: rank {k} of {n0} with {x} of {n}, margin {margin}")
    points = nodes(asin(sqrt(margin)), n0 + n)
    reached = _anchor_within(k, n0, margin, n0 + n)
    density = share_density(x + 0.5, n - x + 0.5, points)
    inferior = sum(share * mass for share, mass in zip(reached, density, strict=True))
    return min(1.0, max(0.0, 1 - inferior))


@lru_cache(maxsize=16)
def nodes(low: float, sessions: int) -> tuple[Node, ...]:
    """tanh-sinh nodes over the angles from ``low`` to a right angle, dense enough for that many sessions.

    Source: Takahasi and Mori 1974. The more sessions, the narrower the densities, the closer the nodes must stand.
    """
    count, width = 48 + int(6 * sqrt(sessions)), pi / 2 - low
    found = []
    for j in range(-count, count + 1):
        t = j * _REACH / count
        angle = low + width / (1 + exp(-pi * sinh(t)))
        weight = width * _REACH / count * pi / 4 * cosh(t) / cosh(pi / 2 * sinh(t)) ** 2
        found.append(Node(angle, weight))
    return tuple(found)


def share_density(a: float, b: float, points: Sequence[Node]) -> list[float]:
    """Mass of Beta(a, b) carried by each node; over angles it is a plain trigonometric product."""
    scale = log(2) + lgamma(a + b) - lgamma(a) - lgamma(b)
    return [
        point.weight * exp(scale + (2 * a - 1) * _log(sin(point.angle)) + (2 * b - 1) * _log(cos(point.angle)))
        for point in points
    ]


def _log(value: float) -> float:
    """The last nodes may touch the ends, where a density is finite and its weight vanishes anyway."""
    return log(max(value, 1e-300))


@lru_cache(maxsize=64)
def _anchor_within(k: int, n0: int, margin: float, sessions: int) -> tuple[float, ...]:
    """P(u <= live share - margin) by node: at least k of n0 uniform values are that small."""
    gaps = (max(0.0, sin(point.angle) ** 2 - margin) for point in nodes(asin(sqrt(margin)), sessions))
    return tuple(1 - sum(comb(n0, j) * gap**j * (1 - gap) ** (n0 - j) for j in range(k)) for gap in gaps)
