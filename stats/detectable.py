"""How large a gain would have been seen: what a comparison of so many scenarios, wavering so much, can find."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist, fmean

from .sign_test import wins_needed

_STEPS = 1000


def detectable_gain(values: Sequence[float], *, level: float, power: float) -> float | None:
    """The smallest true mean gain that has this ``power`` at this one-sided ``level``; None when no gain has.

    ``values`` are the observed gains, -1 to 1, one per scenario: their variance is the noise. The gain is thought of as
    scenarios turned from failing to passing, which adds g to the mean square under the test and g(1 - g) to the
    variance: so steady scenarios, without any noise, still need the few wins that convince. Normal approximation, in
    steps of a thousandth. Raises ValueError unless 0 < level < 1/2 <= power < 1.

    Source: Miller 2024, arXiv 2411.00640, section 5 (minimum detectable effect), with the permutation test's variance.
    """
    if not (0 < level < 0.5 <= power < 1):
        raise ValueError(f"needs 0 < level < 1/2 <= power < 1, not {level} and {power}")
    n = len(values)
    if n < wins_needed(level):
        return None
    mean = fmean(values)
    noise = sum((value - mean) ** 2 for value in values) / (n - 1) if n > 1 else 0.0
    z_level, z_power = NormalDist().inv_cdf(1 - level), NormalDist().inv_cdf(power)

    def is_seen(gain: float) -> bool:
        return gain * sqrt(n) >= z_level * sqrt(noise + gain) + z_power * sqrt(noise + gain * (1 - gain))

    # The condition's two sides differ by a convex function that starts below zero: once seen, always seen.
    step = bisect_left(range(_STEPS + 1), True, key=lambda step: is_seen(step / _STEPS))
    return step / _STEPS if step <= _STEPS else None
