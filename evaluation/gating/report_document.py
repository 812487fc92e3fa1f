"""The report of one evaluation as one document: what was found, how sure that is, and on what exactly it was found.

Of held-out scenarios it holds figures and counts, never a name, an id or a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...stats.comparison import Comparison, Split
from ...stats.flips import FlipRate
from ...stats.gate import Decision, GateRules, Reason
from ..scenario.authors import Author
from ..scenario.holdout import Usage
from . import pairing
from .confirming import Asked
from .gate_words import in_words
from .reports import ScenarioComparison

FORMAT = 2


@dataclass(frozen=True)
class Findings:
    """What a report is made of. ``asked`` is None when no confirmation has run; ``usage`` is as it is then."""

    decision: Decision
    by: GateRules
    rows: Sequence[Mapping[str, Any]]
    compared: Sequence[ScenarioComparison]
    asked: Asked | None
    usage: Usage
    authors: Sequence[Author]


def measured(found: Findings) -> dict[str, Any]:
    """The part of the report that says what came out."""
    names = {str(one.scenario_id): one.name for one in found.compared}
    decision = found.decision
    return {
        "format": FORMAT,
        "verdict": decision.verdict.value,
        "reasons": [_reason(reason, names) for reason in decision.reasons],
        "scenarios": [asdict(one) for one in found.compared],
        "fixed": [one.name for one in found.compared if one.change == "fixed"],
        "broken": [one.name for one in found.compared if one.change == "broken"],
        "flaky": [one.name for one in found.compared if one.flaky],
        "effect": decision.train.difference,
        "train": _comparison(decision.train),
        "holdout": _holdout(decision, decision.holdout, found.asked) if decision.holdout and found.asked else None,
        "holdout_set": {**asdict(found.usage), "authors": [asdict(one) for one in found.authors]},
        "steadiness": _steadiness(pairing.flips(pairing.pairs(found.rows)), names, found.by),
        "rules": pairing.described(found.by),
    }


def _reason(reason: Reason, names: Mapping[str, str]) -> dict[str, Any]:
    held_out = reason.split is Split.HOLDOUT
    return {
        "cause": reason.cause.value,
        "split": reason.split,
        "scenarios": [] if held_out else [names.get(one, one) for one in reason.scenarios],
        "count": len(reason.scenarios),
        "value": reason.value,
        "limit": reason.limit,
        "words": in_words(reason, names),
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    """Figures alone: which scenarios they are about, the table of train scenarios tells."""
    return {
        "scenarios": found.scenarios,
        "wins": len(found.wins),
        "ties": len(found.ties),
        "losses": len(found.losses),
        "without_result": len(found.left_out),
        "runs_without_result": asdict(found.silent),
        "difference": found.difference,
        "interval": asdict(found.interval) if found.interval else None,
        "method": found.method.value,
        "p": found.p,
        "worst_p": found.worst_p,
        "level": found.level,
        "best_p": found.best_p,
        "scenarios_needed": found.scenarios_needed,
        "detectable": found.detectable,
    }


def _holdout(decision: Decision, compared: Comparison, asked: Asked) -> dict[str, Any]:
    steady = pairing.flips(pairing.pairs(asked.rows))
    return {
        **_comparison(compared),
        "version": asked.version,
        "scenario_set_hash": asked.scenario_set_hash,
        "adjusted_p": decision.adjusted_p,
        "chance_of_a_false_pass": decision.chance_of_a_false_pass,
        "flip_rate": steady.rate if steady else None,
        "fresh": asked.fresh,
    }


def _steadiness(found: FlipRate | None, names: Mapping[str, str], by: GateRules) -> dict[str, Any] | None:
    """The A/A run on the train split; None when no scenario ran twice."""
    if found is None:
        return None
    return {
        "flip_rate": found.rate,
        "interval": asdict(found.interval),
        "limit": by.max_flip_rate,
        "scenarios": found.scenarios,
        "unsteady": [
            {"name": names.get(one.scenario, one.scenario), "rate": one.rate, "runs": one.runs} for one in found.flaky
        ],
    }
