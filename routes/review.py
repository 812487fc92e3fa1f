"""The route a reviewer decides from: one experiment with its texts, its words, what hides in them, and its results."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ..evaluation import review as reviews
from ..evaluation.review import Invisible, Words
from .answers import ERRORS, RatchetRoute
from .asking import Identifier, Opened
from .rows import ExperimentRow

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["experiments"])


class ScenarioFound(BaseModel):
    """One scenario in both arms: the share of runs that passed, null where no run gave a result."""

    scenario_id: int
    name: str
    baseline: float | None
    candidate: float | None
    change: str = Field(description="fixed, broken, unchanged, or no result.")


class Report(BaseModel):
    """What the newest finished evaluation of exactly these bytes found. An approval is bound to ``sha256``."""

    sha256: str
    verdict: str
    baseline_score: float | None
    candidate_score: float | None
    effect: float | None = Field(description="The candidate's score less the baseline's.")
    scenarios: list[ScenarioFound]
    flaky: list[str] = Field(description="Scenarios that one and the same version both passed and failed.")


class Review(BaseModel):
    """``base_text`` is null when there was no file, ``drifted`` when today's file cannot be read, ``report`` before an
    evaluation finished. Texts that are no UTF-8 show U+FFFD where they are not.
    """

    experiment: ExperimentRow
    base_text: str | None
    candidate_text: str
    diff: str = Field(description="The change as a unified diff.")
    word_diff: list[Words]
    invisible_characters: list[Invisible]
    drifted: bool | None = Field(description="Whether the file is another one than this experiment left or found.")
    report: Report | None
    runs_without_result: int
    cost: float | None = Field(description="Of the evaluation, in US dollars; null when unknown.")


@router.get("/experiments/{experiment_id}/report")
def report(context: Opened, experiment_id: Identifier) -> Review:
    """Everything a reviewer decides from."""
    found = reviews.review(context, experiment_id)
    row = ExperimentRow.of(found.experiment)
    return Review(
        experiment=row,
        base_text=found.base_text,
        candidate_text=found.candidate_text,
        diff=row.diff,
        word_diff=list(found.words),
        invisible_characters=list(found.invisible),
        drifted=found.drifted,
        report=_report(found),
        runs_without_result=found.runs_without_result,
        cost=row.cost,
    )


def _report(found: reviews.Review) -> Report | None:
    if found.report is None:
        return None
    return Report.model_validate({**found.report, "effect": found.effect, "flaky": list(found.flaky)})
