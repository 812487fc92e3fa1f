"""One verdict from several measures of the same sessions: any of them may take a change back, all must verify it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from . import fisher
from .calibration import Verdict, WindowPlan
from .creep import Anchor
from .jeffreys import noninferiority


@dataclass(frozen=True)
class MeasureLooks:
    """What one measure says at every look so far, as if nothing had been decided on the way.

    ``mid_p`` holds one value per look, the first at the plan's ``n_min``; at or below ``boundary`` it crosses.
    ``noninferiority`` holds (sessions, probability) for each verification look that was reached.
    """

    measure: str
    sessions: int
    boundary: float
    mid_p: tuple[float, ...]
    noninferiority: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class JointDecision:
    """The verdict of a window and which measures it hangs on.

    ``sessions`` counts what the verdict rests on. ``crossed`` names the measures that took the change back;
    ``unsure`` those that did not allow "verified" at the last verification look.
    """

    verdict: Verdict
    sessions: int
    crossed: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


def verification_looks(plan: WindowPlan, sessions: int) -> tuple[int, ...]:
    """The looks, out of ``n`` and ``n_max``, that ``sessions`` counted sessions have reached."""
    return tuple(look for look in sorted({plan.n, plan.n_max}) if look <= sessions)


def success_looks(
    plan: WindowPlan, c: float, s0: int, outcomes: Sequence[bool], *, anchor: Anchor | None = None
) -> MeasureLooks:
    """The success rate's looks: ``s0`` baseline successes, ``outcomes`` oldest first, True = success.

    Raises ValueError unless 0 <= s0 <= plan.n0. Without an ``anchor`` the baseline is its own.
    """
    reference = anchor or Anchor(s0, plan.n0)
    wins = list(accumulate(outcomes[: plan.n_max], initial=0))
    seen = len(wins) - 1
    mid_p = tuple(fisher.mid_p(s0, plan.n0, wins[n], n) for n in range(plan.n_min, seen + 1))
    shown = tuple(
        (n, noninferiority(reference.successes, reference.sessions, wins[n], n, plan.margin))
        for n in verification_looks(plan, seen)
    )
    return MeasureLooks("success", seen, c, mid_p, shown)


def judge_together(plan: WindowPlan, measures: Sequence[MeasureLooks]) -> JointDecision:
    """What a window says by all its measures, each with its own share of alpha.

    A change that did nothing is taken back at most as often as those shares add up to, however the measures hang
    together. A verdict, once reached, stays whatever follows. ``plan`` gives the looks and the confidence; its own
    alpha and margin do not matter here. Raises ValueError without measures, and when they count different sessions.
    """
    if len({measure.sessions for measure in measures}) != 1:
        raise ValueError("the measures of a window must all count the same sessions")
    seen = measures[0].sessions
    crossings = {measure.measure: _first_crossing(plan, measure) for measure in measures}
    first = min((at for at in crossings.values() if at is not None), default=plan.n_max + 1)
    unsure: tuple[str, ...] = ()
    for look in verification_looks(plan, min(seen, first - 1)):
        unsure = tuple(m.measure for m in measures if dict(m.noninferiority)[look] < plan.confidence)
        if not unsure:
            return JointDecision(Verdict.VERIFIED, look)
    if first <= seen:
        crossed = tuple(name for name, at in crossings.items() if at == first)
        return JointDecision(Verdict.REVERTED, first, crossed, unsure)
    verdict = Verdict.INCONCLUSIVE if seen == plan.n_max else Verdict.UNDECIDED
    return JointDecision(verdict, seen, (), unsure)


def _first_crossing(plan: WindowPlan, looks: MeasureLooks) -> int | None:
    return next((n for n, value in enumerate(looks.mid_p, start=plan.n_min) if value <= looks.boundary), None)
