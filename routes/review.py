"""The route a reviewer decides from: one experiment with its texts, its words, what hides in them, and its results."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, ValidationError

from ..errors import StoreCorrupt
from ..evaluation import review as reviews
from ..evaluation.review import Invisible, Words
from ..proposal import drafts
from ..proposal.drafts import Proposal
from .answers import ERRORS, RatchetRoute
from .asking import Identifier, Opened
from .rows import ExperimentRow, dollars

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["experiments"])


class ScenarioFound(BaseModel):
    """One scenario in both arms: the share of runs that passed, null where no run gave a result."""

    scenario_id: int
    name: str
    baseline: float | None
    candidate: float | None
    change: str = Field(description="fixed, broken, unchanged, or no result.")


class Agreement(BaseModel):
    """The judge against persons: Cohen's kappa, null with fewer ``labels`` than ``needed``."""

    labels: int
    needed: int
    kappa: float | None


class JudgeFound(BaseModel):
    """What the judge did: ``spoiled`` votes gave no verdict; ``agreement_with_itself`` is a share, in 0..1."""

    model: str
    votes: int
    spoiled: int
    agreement_with_itself: float | None
    labels: Agreement


class Reason(BaseModel):
    """Why the gate's verdict is what it is. Of held-out scenarios it tells how many, never which."""

    cause: str
    split: str | None
    scenarios: list[str]
    count: int
    value: float | None
    limit: float | None
    words: str = Field(description="The same as a sentence for a person.")


class Interval(BaseModel):
    """Where the true difference probably lies."""

    low: float
    high: float
    confidence: float


class Compared(BaseModel):
    """One split: ``difference`` of the pass rates, candidate less baseline; ``p`` convinces at ``level`` or below.

    ``detectable`` is the gain that would have been seen in four of five such comparisons, null when none would;
    ``scenarios_needed`` how many it would take when no result could have convinced. ``worst_p`` is the p-value when
    each of the ``runs_without_result`` (by arm) counts against the candidate; null in reports from before.
    """

    scenarios: int
    wins: int
    ties: int
    losses: int
    without_result: int
    difference: float | None
    interval: Interval | None
    method: str
    p: float
    level: float
    best_p: float
    scenarios_needed: int | None
    detectable: float | None
    runs_without_result: dict[str, int] = {}
    worst_p: float | None = None


class Confirmed(Compared):
    """The held-out split, in figures alone. ``fresh`` is false when an earlier evaluation confirmed this change."""

    version: int
    adjusted_p: float | None
    chance_of_a_false_pass: float | None
    flip_rate: float | None
    fresh: bool


class HeldOutAuthor(BaseModel):
    """How many held-out scenarios ``actor`` added, and when; ``late`` ones after the set was first asked."""

    actor: str
    scenarios: int
    first: str
    last: str
    late: int


class HeldOutSet(BaseModel):
    """How worn the held-out set is: changes it was asked about, of those ``planned``; unlocks by reviewers."""

    version: int
    scenarios: int
    confirmations: int
    planned: int
    reveals: int
    authors: list[HeldOutAuthor] = []


class Unsteady(BaseModel):
    name: str
    rate: float
    runs: int


class Steadiness(BaseModel):
    """The baseline against itself: the share of pairs of runs that disagreed, beside the limit of the gate."""

    flip_rate: float
    interval: Interval
    limit: float
    scenarios: int
    unsteady: list[Unsteady]


class Answered(BaseModel):
    """A failure the proposal named, and what became of it."""

    name: str
    kind: str
    scenario_id: int | None
    session_id: str | None
    summary: str
    answer: str = Field(description="fixed, partly fixed, not fixed, not seen again, or not measured.")


class Report(BaseModel):
    """What the newest finished evaluation of exactly these bytes found. An approval is bound to ``sha256``."""

    sha256: str
    verdict: str
    baseline_score: float | None
    candidate_score: float | None
    effect: float | None = Field(description="The candidate's score less the baseline's.")
    scenarios: list[ScenarioFound]
    runs: dict[str, int] = Field({}, description="The evaluation run of each arm; a result names its own.")
    flaky: list[str] = Field(description="Scenarios that one and the same version both passed and failed.")
    judge: JudgeFound | None = Field(None, description="Null when no rubric was judged.")
    reasons: list[Reason] = Field([], description="The decisive one first.")
    fixed: list[str] = []
    broken: list[str] = []
    train: Compared | None = None
    holdout: Confirmed | None = Field(None, description="Null when held-out scenarios were not asked.")
    holdout_set: HeldOutSet | None = None
    steadiness: Steadiness | None = Field(None, description="Null when no scenario ran twice.")
    answers: list[Answered] = Field([], description="The failures the proposal names, and which of them it fixed.")
    models: dict[str, Any] = {}
    seeds: dict[str, int | None] = {}
    hashes: dict[str, str | None] = {}
    isolation: str | None = None
    repeats: int | None = None
    seconds: dict[str, float | None] = {}
    tokens: int | None = None
    cost_micro_usd: int | None = Field(None, description="Of all runs and of the judge; null when unknown.")


class NamedFailure(BaseModel):
    name: str
    kind: str
    summary: str


class ProposerSaid(BaseModel):
    """What the proposer said of its change. Whoever decides sees the ``flags`` first."""

    flags: list[str] = Field(description="What is suspicious about it, in words; the rationale begins with the same.")
    hypothesis: str | None
    expected_effect: str | None
    answers: list[NamedFailure] = Field(description="The failures it says it answers.")
    model: str | None
    cost: float | None = Field(description="Of this draft, in US dollars; null when unknown.")


class Review(BaseModel):
    """``base_text`` is null when there was no file, ``drifted`` when today's file cannot be read, ``report`` before an
    evaluation finished, ``proposal`` when a person made the change. Texts that are no UTF-8 show U+FFFD where they are
    not.
    """

    experiment: ExperimentRow
    proposal: ProposerSaid | None
    base_text: str | None
    candidate_text: str
    diff: str = Field(description="The change as a unified diff.")
    word_diff: list[Words]
    invisible_characters: list[Invisible]
    drifted: bool | None = Field(description="Whether the file is another one than this experiment left or found.")
    report: Report | None
    runs_without_result: int
    cost: float | None = Field(description="Of the evaluation, in US dollars; null when unknown.")
    live_window: list[str] | None = Field(
        description="What the live window will catch and miss, in sentences; null before its plan is made."
    )


@router.get("/experiments/{experiment_id}/report")
def report(context: Opened, experiment_id: Identifier) -> Review:
    """Everything a reviewer decides from."""
    found = reviews.review(context, experiment_id)
    row = ExperimentRow.of(found.experiment)
    return Review(
        experiment=row,
        proposal=_said(drafts.proposal_of(context, experiment_id)),
        base_text=found.base_text,
        candidate_text=found.candidate_text,
        diff=row.diff,
        word_diff=list(found.words),
        invisible_characters=list(found.invisible),
        drifted=found.drifted,
        report=_report(found),
        runs_without_result=found.runs_without_result,
        cost=row.cost,
        live_window=None if found.foretold is None else list(found.foretold),
    )


def _said(found: Proposal | None) -> ProposerSaid | None:
    if found is None:
        return None
    return ProposerSaid(
        flags=found.draft.flagged,
        hypothesis=found.draft.hypothesis,
        expected_effect=found.draft.expected_effect,
        answers=[NamedFailure(name=one.name, kind=one.kind, summary=one.summary) for one in found.failures],
        model=found.draft.model,
        cost=dollars(found.draft.cost_micro_usd),
    )


def _report(found: reviews.Review) -> Report | None:
    if found.report is None:
        return None
    try:
        return Report.model_validate({**found.report, "effect": found.effect, "flaky": list(found.flaky)})
    except ValidationError:
        raise StoreCorrupt(
            "The stored report of this evaluation is none that an evaluation writes. See: hermes ratchet audit verify",
            experiment_id=found.experiment.id,
        ) from None
