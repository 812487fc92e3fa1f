"""The gate's reasons as sentences for whoever decides; of held-out scenarios they tell numbers only."""

from __future__ import annotations

from collections.abc import Mapping

from ...stats.comparison import Silent, Split
from ...stats.gate import Cause, Reason

_SIDES = {Split.TRAIN: "train", Split.HOLDOUT: "held-out"}


def in_words(reason: Reason, names: Mapping[str, str]) -> str:
    """One sentence. ``names`` has the names of train scenarios by the ids that a reason carries."""
    side = _SIDES.get(reason.split or Split.TRAIN, "")
    if reason.cause is Cause.COULD_NOT_CONVINCE:
        return _too_few(reason, side)
    if reason.silent is not None:
        return _too_silent(reason, reason.silent, side)
    return {
        Cause.FLIPS_TOO_OFTEN: f"Two runs of the same version disagree in {_percent(reason.value)} of all cases, and "
        f"{_percent(reason.limit)} are allowed: such scenarios show little. Make steadier: {_named(reason, names)}.",
        Cause.CRITICAL_WORSE: f"Critical scenarios got worse ({side}): {_named(reason, names)}.",
        Cause.NOT_TRIED_AGAINST_ITSELF: "No scenario ran twice on one version, so nobody knows how steady they are. "
        "Set evaluation.repeats to 2 or more.",
        Cause.NO_PAIR: f"No {side} scenario gave a result in both versions.",
        Cause.CRITICAL_WITHOUT_RESULT: "Critical scenarios did not give a result in every run "
        f"({side}): {_named(reason, names)}.",
        Cause.HELD_OUT_USED_UP: f"The held-out set was asked about {_count(reason.value)} other changes, as often as "
        "planned. Hold out others: hermes ratchet scenario rotate",
        Cause.NO_GAIN: f"No gain on {side}: {_points(reason.value)}.",
        Cause.NOT_CONVINCING: f"The gain on {side} may be chance (p = {_p(reason.value)}, limit {_p(reason.limit)}).",
        Cause.NOT_CONFIRMED_YET: "A gain on train; held-out scenarios have not run yet.",
        Cause.CONFIRMED: f"A gain on train, and again on held-out (p = {_p(reason.value)}, limit {_p(reason.limit)}).",
    }[reason.cause]


def _too_few(reason: Reason, side: str) -> str:
    if not reason.value:
        return f"There are no {side} scenarios that could tell; it takes {_count(reason.limit)}, each of them won."
    if reason.limit is None:
        return (
            f"The version before passes all {_count(reason.value)} {side} scenarios, so none of them can show a gain: "
            "add some that it fails."
        )
    return (
        f"No result on {_count(reason.value)} {side} scenarios could have convinced; it takes {_count(reason.limit)} "
        "like them."
    )


def _too_silent(reason: Reason, silent: Silent, side: str) -> str:
    return (
        f"Too many {side} runs gave no result: {silent.candidate} of the change and {silent.baseline} of the version "
        f"before. If each of them went against the change, its gain may be chance (p = {_p(reason.value)}, limit "
        f"{_p(reason.limit)}). See why they gave none, and evaluate again."
    )


def _named(reason: Reason, names: Mapping[str, str]) -> str:
    """Names of train scenarios; of held-out ones how many."""
    if reason.split is Split.HOLDOUT:
        return f"{len(reason.scenarios)} of the held-out ones"
    return ", ".join(names.get(one, f"scenario {one}") for one in reason.scenarios)


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{share:.0%}"


def _count(number: float | None) -> str:
    return "?" if number is None else f"{number:.0f}"


def _points(difference: float | None) -> str:
    return "no difference" if not difference else f"{100 * difference:+.0f} points"


def _p(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"
