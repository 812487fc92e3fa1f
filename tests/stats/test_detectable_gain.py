"""The gain said to be detectable is one that is detected, and small sets are not said to see what they cannot."""

from __future__ import annotations

import numpy as np
import pytest

from karpathy_self_improve.stats.detectable import detectable_gain
from karpathy_self_improve.stats.permutation import p_value
from karpathy_self_improve.stats.sign_test import power


@pytest.mark.parametrize("scenarios", [20, 40, 80])
def test_steady_scenarios_have_about_the_sign_tests_power(scenarios: int) -> None:
    gain = detectable_gain([0.0] * scenarios, level=0.05, power=0.8)
    assert gain is not None
    assert power(scenarios, gain, 0.0, 0.05) == pytest.approx(0.8, abs=0.12)


@pytest.mark.parametrize("noise", [(0.2, 0.2), (0.05, 0.1)])
def test_the_permutation_test_finds_such_a_gain_at_least_about_as_often_as_said(noise: tuple[float, float]) -> None:
    rng = np.random.default_rng(20261120)
    scenarios, small, large = 40, *noise
    sizes, chances = [-3, -1, 0, 1, 3], [large / 2, small, 1 - large - 2 * small, small, large / 2]
    wavering = rng.choice(sizes, (1000, scenarios), p=chances)
    said = [detectable_gain((row / 3).tolist(), level=0.05, power=0.8) for row in wavering[:50]]
    gain = float(np.median([value for value in said if value is not None]))
    seen = [p_value(np.where(rng.random(scenarios) < gain, 3, row).tolist()) <= 0.05 for row in wavering]
    assert 0.7 <= np.mean(seen) <= 0.97


def test_noise_and_strictness_raise_it_and_scenarios_lower_it() -> None:
    quiet, loud = [0.0, 0.1, -0.1] * 10, [0.0, 0.9, -0.9] * 10
    assert _gain(quiet, 0.05) < _gain(loud, 0.05)
    assert _gain(quiet, 0.05) < _gain(quiet, 0.005)
    assert _gain(quiet * 4, 0.05) < _gain(quiet, 0.05)


def _gain(values: list[float], level: float) -> float:
    found = detectable_gain(values, level=level, power=0.8)
    assert found is not None
    return found


def test_too_few_scenarios_detect_nothing() -> None:
    assert detectable_gain([0.0] * 4, level=0.05, power=0.8) is None
    assert detectable_gain([1.0, -1.0, 1.0, -1.0, 0.0], level=0.05, power=0.8) is None
    assert detectable_gain([], level=0.05, power=0.8) is None


@pytest.mark.parametrize("case", [(0.0, 0.8), (0.5, 0.8), (0.05, 0.4), (0.05, 1.0)])
def test_impossible_wishes_are_refused(case: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="needs 0 < level"):
        detectable_gain([0.0] * 20, level=case[0], power=case[1])
