"""How probable it is that live sessions succeed at least as often as the anchor, but for an agreed margin."""

from __future__ import annotations

from functools import lru_cache
from math import acos, asin, cos, cosh, exp, lgamma, log, pi, sin, sinh, sqrt
from typing import NamedTuple

# Nodes reach to |t| = 3.2, where the double-exponential weights have fallen to 1e-15 of their peak.
_REACH = 3.2


class _Node(NamedTuple):
    """A point of the quadrature: sin(angle)**2 is a live rate, ``anchor`` a margin above, ``anchor_rest`` 1 - that."""

    angle: float
    weight: float
    anchor: float
    anchor_rest: float


def noninferiority(s0: int, n0: int, s: int, n: int, margin: float) -> float:
    """P(p_live > p_anchor - margin) after ``s0`` of ``n0`` anchor and ``s`` of ``n`` live successes.

    Both rates have independent Jeffreys Beta(1/2, 1/2) priors. Absolute error below 1e-9 up to thousands of sessions.
    With rate = sin(angle)**2 a posterior density is a plain trigonometric polynomial, which leaves the quadrature no
    singular end but the one of the anchor's tail, and tanh-sinh nodes absorb that one.

    Raises ValueError unless 0 <= s0 <= n0, 0 <= s <= n and 0 <= margin < 1.
    Source: Takahasi and Mori 1974 (the quadrature); Abramowitz and Stegun 26.5.15-16 (the tail).
    """
    if not (0 <= s0 <= n0 and 0 <= s <= n and 0 <= margin < 1):
        raise ValueError(f"impossible comparison: {s0} of {n0} with {s} of {n}, margin {margin}")
    nodes = _node_count(n0 + n)
    tail = _anchor_tails(n0, margin, nodes)[s0]
    density = _live_density(s, n, margin, nodes)
    inferior = sum(above * mass for above, mass in zip(tail, density, strict=True))
    return min(1.0, max(0.0, 1 - inferior))


def _node_count(sessions: int) -> int:
    """Nodes on either side of the middle: the narrower the posteriors, the closer they must stand."""
    return 48 + int(6 * sqrt(sessions))


@lru_cache(maxsize=8)
def _nodes(margin: float, count: int) -> tuple[_Node, ...]:
    """tanh-sinh nodes over the live rates from 0 to 1 - margin."""
    top, step = asin(sqrt(1 - margin)), _REACH / count
    nodes = []
    for k in range(-count, count + 1):
        t = k * step
        to_top = top / (1 + exp(pi * sinh(t)))
        angle = top / (1 + exp(-pi * sinh(t)))
        weight = top * step * pi / 4 * cosh(t) / cosh(pi / 2 * sinh(t)) ** 2
        # Not 1 - anchor: rounding would make that zero or less near the top.
        rest = sin(to_top) * sin(top + angle)
        nodes.append(_Node(angle, weight, margin + sin(angle) ** 2, rest))
    return tuple(nodes)


@lru_cache(maxsize=8)
def _anchor_tails(n0: int, margin: float, count: int) -> tuple[tuple[float, ...], ...]:
    """P(p_anchor > live rate + margin) by anchor successes (rows 0..n0) and node."""
    columns = [_tails_above(n0, node.anchor, node.anchor_rest) for node in _nodes(margin, count)]
    return tuple(zip(*columns, strict=True))


def _tails_above(n0: int, x: float, rest: float) -> list[float]:
    """P(Beta(k + 1/2, n0 - k + 1/2) > x) for k = 0..n0, with ``rest`` = 1 - x, by recurrence in the two parameters."""
    log_x, log_rest = log(x), log(rest)
    tail = 2 / pi * acos(sqrt(x))
    for j in range(n0):
        tail -= exp(0.5 * log_x + (j + 0.5) * log_rest + lgamma(j + 1) - lgamma(0.5) - lgamma(j + 1.5))
    tails = [tail]
    for k in range(n0):
        log_term = (k + 0.5) * log_x + (n0 - k - 0.5) * log_rest
        tail += exp(log_term + lgamma(n0 + 1) - lgamma(k + 1.5) - lgamma(n0 - k + 0.5))
        tails.append(tail)
    return tails


@lru_cache(maxsize=1024)
def _live_density(s: int, n: int, margin: float, count: int) -> tuple[float, ...]:
    """Posterior mass of the live rate carried by each node."""
    scale = log(2) + lgamma(n + 1) - lgamma(s + 0.5) - lgamma(n - s + 0.5)
    return tuple(
        node.weight * exp(scale + 2 * s * log(sin(node.angle)) + 2 * (n - s) * log(cos(node.angle)))
        for node in _nodes(margin, count)
    )
