"""How steady the scenarios are: the same bytes run twice should get the same verdict twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean

from .bootstrap import Interval
from .pairs import Pair, results


@dataclass(frozen=True)
class ScenarioFlips:
    """How often two runs of one scenario disagree, 0 to 1, out of ``runs`` with a result."""

    scenario: str
    rate: float
    runs: int


@dataclass(frozen=True)
class FlipRate:
    """The mean over the ``scenarios`` with at least two results; the others are ``left_out``.

    ``flaky`` are those whose runs disagreed at all, the worst first.
    """

    rate: float
    interval: Interval
    scenarios: int
    flaky: tuple[ScenarioFlips, ...]
    left_out: tuple[str, ...]


def flip_rate(pairs: Sequence[Pair], *, confidence: float = 0.95) -> FlipRate | None:
    """The flip rate of an A/A run: both arms of each pair are the same bytes. None when nothing ran twice.

    A scenario's rate is the share of disagreeing pairs among its runs, an unbiased estimate of 2p(1 - p). The interval
    is Wilson's for as many tosses as there are scenarios: a mean of values between 0 and 1 varies at most that much,
    and the interval does not collapse when no scenario flipped. Raises ValueError unless 0 < confidence < 1.

    Source: Wilson 1927; Brown, Cai and DasGupta 2001.
    """
    found = [_flips(pair) for pair in pairs]
    counted = [flips for flips in found if flips.runs >= 2]
    if not counted:
        return None
    rate = fmean(flips.rate for flips in counted)
    flaky = sorted((flips for flips in counted if flips.rate), key=lambda flips: (-flips.rate, flips.scenario))
    left_out = tuple(flips.scenario for flips in found if flips.runs < 2)
    return FlipRate(rate, wilson(rate, len(counted), confidence), len(counted), tuple(flaky), left_out)


def wilson(share: float, tosses: int, confidence: float) -> Interval:
    """Wilson's score interval for a share observed in ``tosses``. Raises ValueError for no tosses or no confidence."""
    if not (tosses >= 1 and 0 <= share <= 1 and 0 < confidence < 1):
        raise ValueError(f"no interval for a share of {share} in {tosses} at confidence {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    shrunk = 1 + z * z / tosses
    middle = (share + z * z / (2 * tosses)) / shrunk
    half = z / shrunk * sqrt(share * (1 - share) / tosses + z * z / (4 * tosses * tosses))
    return Interval(max(0.0, middle - half), min(1.0, middle + half), confidence)


def _flips(pair: Pair) -> ScenarioFlips:
    runs = (*pair.baseline, *pair.candidate)
    total, passed = results(runs), runs.count(True)
    rate = 2 * passed * (total - passed) / (total * (total - 1)) if total >= 2 else 0.0
    return ScenarioFlips(pair.scenario, rate, total)
