"""Routes about what persons say of single results: look at one unswayed, say whether it was good enough, list words."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ..evaluation import labels
from ..evaluation.labels import LONGEST_NOTE, Label
from .answers import ERRORS, RatchetRoute
from .asking import Identifier, Labelled, Limit, Opened, Principal

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["labels"])


class ResultToLabel(BaseModel):
    """A result without whatever could sway a person: its arm, its verdict, the judge's reason."""

    id: int
    scenario: str
    asked: str
    answer: str


class ResultsToLabel(BaseModel):
    """Those nobody has labelled, oldest first; ``left`` counts all of them. Held-out ones are never among them."""

    results: list[ResultToLabel]
    left: int


class LabelBody(Labelled):
    passed: bool = Field(description="Whether the answer was good enough.")
    note: str | None = Field(None, max_length=LONGEST_NOTE, description="Why.")


class LabelKept(BaseModel):
    ok: Literal[True] = True
    label_id: int
    result_id: int
    passed: bool


class LabelList(BaseModel):
    """Newest first; the newest counts."""

    labels: list[Label]


@router.get("/experiments/{experiment_id}/unlabelled")
def list_unlabelled(context: Opened, experiment_id: Identifier, limit: Limit = 20) -> ResultsToLabel:
    """The results of an experiment that wait for a person's word."""
    found = labels.list_results(context, experiment_id, unlabelled=True, limit=limit)
    blind = [ResultToLabel(id=one.id, scenario=one.scenario, asked=one.asked, answer=one.answer) for one in found]
    return ResultsToLabel(results=blind, left=labels.count_unlabelled(context, experiment_id))


@router.post("/results/{result_id}/labels", status_code=201)
def label(context: Opened, result_id: Identifier, body: LabelBody, principal: Principal) -> LabelKept:
    """Say whether a result was good enough; a later word of anybody takes this one's place."""
    kept = labels.label(context, result_id, body.passed, body.by(principal), body.note or "")
    return LabelKept(label_id=kept.id, result_id=kept.result_id, passed=body.passed)


@router.get("/results/{result_id}/labels")
def list_labels(context: Opened, result_id: Identifier) -> LabelList:
    """What was said of a result."""
    return LabelList(labels=labels.labels_of(context, result_id))
