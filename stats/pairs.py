"""What the offline gate compares: one scenario, run by the baseline and by the candidate, several times each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# The least common multiple of 1 to 10: every pass rate of up to ten runs is a whole number of these grains.
GRAINS = 2520


@dataclass(frozen=True)
class Pair:
    """The runs of one scenario in both arms: True passed, False failed, None gave no result."""

    scenario: str
    baseline: tuple[bool | None, ...]
    candidate: tuple[bool | None, ...]

    @property
    def measured(self) -> bool:
        """Whether both arms have a result. A pair with a missing side says nothing, neither for nor against."""
        return results(self.baseline) > 0 and results(self.candidate) > 0

    @property
    def gain(self) -> int:
        """The candidate's pass rate less the baseline's, in grains. Raises ValueError for a pair with a missing side.

        Runs without a result are left out of the rate. Above ten runs the rates are rounded to a whole grain; swapping
        the arms still gives the same gain with the other sign, which is all that the permutation test rests on.
        """
        return _grains(self.candidate) - _grains(self.baseline)

    @property
    def worst(self) -> Pair:
        """The pair as it would be had every run without a result gone against the candidate.

        A candidate can bring about that a run gives no result just where it would fail; leaving such runs out favours
        it, counting them like this never does.
        """
        return Pair(
            self.scenario,
            tuple(run is not False for run in self.baseline) or (True,),
            tuple(run is True for run in self.candidate) or (False,),
        )

    @property
    def winnable(self) -> bool:
        """Whether a candidate could do better here than the baseline did."""
        return self.measured and False in self.baseline


def results(runs: Sequence[bool | None]) -> int:
    """How many of the runs gave a result."""
    return len(runs) - runs.count(None)


def _grains(runs: Sequence[bool | None]) -> int:
    known = results(runs)
    if not known:
        raise ValueError("an arm without a result has no pass rate: leave the pair out")
    return round(GRAINS * runs.count(True) / known)
