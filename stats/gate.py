"""The offline gate: from measured pairs to one verdict on a candidate, with its reasons as data.

First the scenarios themselves: an A/A run must show that the same bytes get the same verdicts. Then the train split
screens, cheaply and loosely. What gets through is confirmed once on the held-out split, with fresh runs, at a level
that Holm's correction sets from all candidates ever confirmed there. Scenarios marked critical block on their own.

The gate is asked twice with the same function: before the held-out split has run, when ``Decision.screened`` says
whether it should run, and after. A held-out p-value counts for later candidates whatever the verdict was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from . import holm, sign_test
from .comparison import Comparison, Precision, Silent, Split, compare
from .flips import FlipRate
from .pairs import Pair


class GateVerdict(StrEnum):
    """What the gate concludes. Only ``PASSED`` lets a candidate on."""

    PASSED = "passed"
    FAILED = "failed"
    UNDERPOWERED = "underpowered"
    BLOCKED = "blocked by a critical scenario"
    FLAKY = "flaky"
    NO_VERDICT = "no verdict"


class Cause(StrEnum):
    """Why a verdict is what it is; the first that holds, in this order, gives the verdict."""

    FLIPS_TOO_OFTEN = "flips too often"
    CRITICAL_WORSE = "critical scenario got worse"
    NOT_TRIED_AGAINST_ITSELF = "baseline not tried against itself"
    NO_PAIR = "no scenario with a result in both arms"
    CRITICAL_WITHOUT_RESULT = "critical scenario without a result"
    HELD_OUT_USED_UP = "held-out set used up"
    COULD_NOT_CONVINCE = "no result could have convinced"
    NO_GAIN = "no gain"
    NOT_CONVINCING = "gain may be chance"
    TOO_MANY_SILENT = "too many runs without a result"
    NOT_CONFIRMED_YET = "not confirmed yet"
    CONFIRMED = "confirmed"


VERDICTS = {
    Cause.FLIPS_TOO_OFTEN: GateVerdict.FLAKY,
    Cause.CRITICAL_WORSE: GateVerdict.BLOCKED,
    Cause.NOT_TRIED_AGAINST_ITSELF: GateVerdict.NO_VERDICT,
    Cause.NO_PAIR: GateVerdict.NO_VERDICT,
    Cause.CRITICAL_WITHOUT_RESULT: GateVerdict.NO_VERDICT,
    Cause.HELD_OUT_USED_UP: GateVerdict.NO_VERDICT,
    Cause.COULD_NOT_CONVINCE: GateVerdict.UNDERPOWERED,
    Cause.NO_GAIN: GateVerdict.FAILED,
    Cause.NOT_CONVINCING: GateVerdict.FAILED,
    Cause.TOO_MANY_SILENT: GateVerdict.NO_VERDICT,
    Cause.NOT_CONFIRMED_YET: GateVerdict.NO_VERDICT,
    Cause.CONFIRMED: GateVerdict.PASSED,
}
_ORDER = list(Cause)


@dataclass(frozen=True)
class Reason:
    """One cause, where it was seen, the scenarios it names, and the figure that lies on the wrong side of its limit.

    ``value`` and ``limit`` are flip rates for flips; p-values for what did or did not convince, with every run without
    a result counted against the candidate where ``silent`` says how many those are; numbers of scenarios,
    as there are and as it would take, where no result could have convinced; gains for no gain; confirmations, as there
    were and as were planned, for a held-out set that is used up.
    """

    cause: Cause
    split: Split | None = None
    scenarios: tuple[str, ...] = ()
    value: float | None = None
    limit: float | None = None
    silent: Silent | None = None


@dataclass(frozen=True)
class GateRules:
    """The gate's constants. ``planned`` is how many confirmations a held-out version is meant for: see ``holm.level``.

    A pair of runs of the same bytes may disagree in ``max_flip_rate`` of all cases. It protects power, not alpha: the
    test is exact however much the runs waver, but beyond .3 it takes twice the scenarios to see the same gain
    (benchmarks/gate.py). Raises ValueError unless 0 < alpha <= screen < 1/2, planned >= 1 and 0 <= max_flip_rate <= 1.
    """

    screen: float = 0.10
    alpha: float = 0.05
    planned: int = 3
    max_flip_rate: float = 0.30
    precision: Precision = field(default_factory=Precision)

    def __post_init__(self) -> None:
        if not (0 < self.alpha <= self.screen < 0.5 and self.planned >= 1 and 0 <= self.max_flip_rate <= 1):
            raise ValueError(f"impossible rules for a gate: {self}")


@dataclass(frozen=True)
class Evidence:
    """Everything the gate judges by.

    ``holdout`` is None before it has run. ``critical`` names scenarios of either split. ``earlier`` holds the held-out
    p-values of all other candidates ever confirmed on this version of the held-out set. ``flips`` is the A/A run of
    this scenario set, None without one. ``decided_at`` is the level at which these held-out results were judged first,
    None when this is the first time: what was decided is not decided anew because a setting changed. Raises ValueError
    when a scenario is there twice, in one split or in both.
    """

    train: tuple[Pair, ...]
    holdout: tuple[Pair, ...] | None
    critical: frozenset[str]
    earlier: tuple[float, ...]
    flips: FlipRate | None
    decided_at: float | None = None

    def __post_init__(self) -> None:
        names = [pair.scenario for pair in (*self.train, *(self.holdout or ()))]
        if len(names) != len(set(names)):
            raise ValueError("a scenario may be there once, in one of the splits")


@dataclass(frozen=True)
class Decision:
    """The verdict, all that speaks for it with the decisive reason first, and the comparisons behind it.

    ``screened`` says that the held-out split may be asked. ``holdout`` is None unless it was screened and has run; its
    ``worst_p`` must then be kept for later candidates. ``adjusted_p`` is that p after Holm's correction.
    ``chance_of_a_false_pass`` bounds it over all candidates confirmed there so far, this one included.
    """

    verdict: GateVerdict
    reasons: tuple[Reason, ...]
    screened: bool
    train: Comparison
    holdout: Comparison | None
    adjusted_p: float | None
    chance_of_a_false_pass: float | None


def decide(evidence: Evidence, rules: GateRules | None = None) -> Decision:
    """What the gate says of a candidate. The same evidence and rules always give the same decision."""
    rules = rules or GateRules()
    train = compare(evidence.train, Split.TRAIN, rules.screen, rules.precision)
    doubts = [
        *_unsteady(evidence.flips, rules),
        *_critical(Split.TRAIN, evidence.train, evidence.critical),
        *_unconvinced(train),
    ]
    if doubts or evidence.holdout is None:
        return _decision(train, doubts or [Reason(Cause.NOT_CONFIRMED_YET, Split.HOLDOUT)], screened=not doubts)
    return _confirm(train, evidence.holdout, evidence, rules)


def unasked(screened: Decision, asked: int, usable: int, earlier: Sequence[float], rules: GateRules) -> Decision | None:
    """The decision on a screened candidate whose confirmation would be wasted; None when it would not be.

    ``asked`` is how many other changes this version of the held-out set was asked about, ``usable`` the number of its
    scenarios. A set that was asked as often as planned is used up, and one that is too small could convince nobody.
    """
    needed = sign_test.wins_needed(holm.level(earlier, rules.alpha, planned=rules.planned))
    if asked >= rules.planned:
        why = Reason(Cause.HELD_OUT_USED_UP, Split.HOLDOUT, (), asked, rules.planned)
    elif usable < needed:
        why = Reason(Cause.COULD_NOT_CONVINCE, Split.HOLDOUT, (), usable, needed)
    else:
        return None
    return _decision(screened.train, [why], screened=True)


def _confirm(train: Comparison, pairs: tuple[Pair, ...], evidence: Evidence, rules: GateRules) -> Decision:
    earlier, planned = evidence.earlier, rules.planned
    level = evidence.decided_at or holm.level(earlier, rules.alpha, planned=planned)
    holdout = compare(pairs, Split.HOLDOUT, level, rules.precision)
    nowhere = evidence.critical - {pair.scenario for pair in (*evidence.train, *pairs)}
    doubts = [*_critical(Split.HOLDOUT, pairs, evidence.critical, nowhere), *_unconvinced(holdout)]
    confirmed = Reason(Cause.CONFIRMED, Split.HOLDOUT, value=holdout.p, limit=level)
    still_to_come = (1.0,) * (planned - len(earlier) - 1)
    return replace(
        _decision(train, doubts or [confirmed], screened=True),
        holdout=holdout,
        adjusted_p=holm.adjusted((holdout.worst_p, *earlier, *still_to_come))[0],
        chance_of_a_false_pass=holm.chance_of_a_false_pass(len(earlier) + 1, rules.alpha, planned=planned),
    )


def _decision(train: Comparison, reasons: Sequence[Reason], *, screened: bool) -> Decision:
    ordered = tuple(sorted(reasons, key=lambda reason: _ORDER.index(reason.cause)))
    return Decision(VERDICTS[ordered[0].cause], ordered, screened, train, None, None, None)


def _unsteady(flips: FlipRate | None, rules: GateRules) -> Iterator[Reason]:
    if flips is None:
        yield Reason(Cause.NOT_TRIED_AGAINST_ITSELF)
    elif flips.rate > rules.max_flip_rate:
        names = tuple(found.scenario for found in flips.flaky)
        yield Reason(Cause.FLIPS_TOO_OFTEN, None, names, flips.rate, rules.max_flip_rate)


def _critical(
    split: Split, pairs: Sequence[Pair], critical: frozenset[str], nowhere: frozenset[str] = frozenset()
) -> Iterator[Reason]:
    """Any loss counts: here the gate is meant to err on the strict side. Not to have run is not to be unharmed.

    So every run of the candidate has to give a result, and it may not be worse than the baseline could have been.
    """
    concerned = [pair for pair in pairs if pair.scenario in critical]
    worse = tuple(pair.scenario for pair in concerned if pair.measured and pair.gain < 0)
    unclear = (pair.scenario for pair in concerned if pair.scenario not in worse and _unclear(pair))
    silent = (*unclear, *sorted(nowhere))
    if worse:
        yield Reason(Cause.CRITICAL_WORSE, split, worse)
    if silent:
        yield Reason(Cause.CRITICAL_WITHOUT_RESULT, split, silent)


def _unclear(pair: Pair) -> bool:
    return not pair.measured or None in pair.candidate or pair.worst.gain < 0


def _unconvinced(found: Comparison) -> Iterator[Reason]:
    if found.difference is None:
        yield Reason(Cause.NO_PAIR, found.split, found.left_out)
    elif found.underpowered and found.difference >= 0:  # a loss shows even where no gain could have
        yield Reason(Cause.COULD_NOT_CONVINCE, found.split, (), found.scenarios, found.scenarios_needed)
    elif found.difference <= 0:
        yield Reason(Cause.NO_GAIN, found.split, found.losses, found.difference, 0.0)
    elif not found.convincing:
        yield Reason(Cause.NOT_CONVINCING, found.split, (), found.p, found.level)
    elif not found.convincing_at_worst:
        yield Reason(Cause.TOO_MANY_SILENT, found.split, (), found.worst_p, found.level, found.silent)
