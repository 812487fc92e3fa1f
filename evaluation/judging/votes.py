"""Three votes of one judge on one run, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..checks import Outcome
from .verdict import Verdict

VOTES = 3
_OUTCOMES = {Verdict.PASS: Outcome.PASS, Verdict.FAIL: Outcome.FAIL}


@dataclass(frozen=True)
class Vote:
    """One reply of the judge. Without a ``verdict``, ``reason`` says why it gave none.

    ``model`` is what the provider says has answered, empty when nothing did. Token figures are the provider's;
    ``cost_micro_usd`` is None when no price is known, never 0.
    """

    verdict: Verdict | None
    rationale: str | None
    reason: str | None
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_micro_usd: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Judgement:
    """The votes on one rubric and one run, with what the majority of all votes, spoiled ones included, says."""

    outcome: Outcome
    reason: str
    rationale: str | None
    votes: tuple[Vote, ...]


def judgement(votes: Sequence[Vote]) -> Judgement:
    """Pass or fail when more than half of all votes say so; anything else is no result, never a fail."""
    counted = Counter(vote.verdict for vote in votes if vote.verdict is not None)
    tally = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counted.items())) or "none"
    for verdict, outcome in _OUTCOMES.items():
        if 2 * counted[verdict] > len(votes):
            rationale = next(vote.rationale for vote in votes if vote.verdict is verdict)
            return Judgement(outcome, f"the judge says {verdict} ({tally}): {rationale}", rationale, tuple(votes))
    spoiled = next((vote.reason for vote in votes if vote.verdict is None), None)
    why = f"; {spoiled}" if spoiled else ""
    return Judgement(Outcome.NO_RESULT, f"the judge's votes have no majority ({tally}){why}", None, tuple(votes))
