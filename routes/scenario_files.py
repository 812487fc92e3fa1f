"""Routes that make scenarios of sessions and files, write them as a file, and say what is wrong with them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from ..evaluation.scenario import files, from_session, linting, scenarios
from ..evaluation.scenario.documents import MAX_CHARACTERS
from ..evaluation.scenario.files import Form, Skipped, Split
from ..evaluation.scenario.linting import Finding
from ..evaluation.scenario.texts import Replaced
from ..ratchet.actor import Actor
from .answers import ERRORS, RatchetRoute
from .asking import Labelled, Name, Opened, Principal

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["scenarios"])

OfOne = Annotated[str, Query(min_length=1, max_length=200, description="Whose scenarios.")]


class SessionToRemember(Labelled):
    """What went wrong: the session, and in whose words."""

    profile: Name
    session_id: Name = Field(description="Of any part of the conversation, as the host names it.")
    note: str | None = Field(
        None, max_length=from_session.LONGEST_NOTE, description="What was wrong: it becomes a judge's rubric."
    )
    first: bool | None = Field(None, description="What was asked first in the session, instead of last.")


class Remembered(BaseModel):
    """The new scenario. ``not_run`` says why no evaluation runs it, null when one does."""

    scenario_id: int
    name: str
    holdout: bool
    not_run: str | None


class ScenarioFile(Labelled):
    """A file as text: a YAML list or JSONL, each entry as the schema route says."""

    profile: Name
    document: str = Field(max_length=MAX_CHARACTERS, description="The whole file.")
    split: Split | None = Field(None, description="Of those that name none; else train.")


class ScenariosImported(BaseModel):
    """``added`` are ids; ``skipped`` are there already; ``replaced`` says what became a placeholder, and where."""

    added: list[int]
    skipped: list[Skipped]
    replaced: list[Replaced]


class ScenariosExported(BaseModel):
    """The file's text, how many scenarios are in it, and how many held-out ones are not."""

    text: str
    scenarios: int
    left_out: int


class ScenarioSchema(BaseModel):
    """JSON Schema, draft 2020-12."""

    model_config = ConfigDict(extra="allow")

    type: str
    properties: dict[str, Any]


class ScenariosLinted(BaseModel):
    """``ok``: no finding is a problem. ``locked`` held-out scenarios were not looked at."""

    ok: bool
    profile: str
    looked_at: int
    locked: int
    findings: list[Finding]


@router.post("/scenarios/from-session", status_code=201)
def remember(context: Opened, body: SessionToRemember, principal: Principal) -> Remembered:
    """Make a scenario of what was asked in a real session; secrets and personal data become placeholders."""
    made = from_session.draft_from_session(
        context, body.profile, body.session_id, body.note, body.by(principal), first=bool(body.first)
    )
    not_run = scenarios.listed([made])[0].not_run
    return Remembered(scenario_id=made.id, name=made.name, holdout=bool(made.holdout), not_run=not_run)


@router.post("/scenarios/import", status_code=201)
def take_in(context: Opened, body: ScenarioFile, principal: Principal) -> ScenariosImported:
    """Add the scenarios of a file, all or none; the first wrong line is named, and what is there already is skipped."""
    found = files.import_scenarios(context, body.profile, body.document, body.by(principal), body.split or Split.TRAIN)
    return ScenariosImported(
        added=[one.id for one in found.added], skipped=list(found.skipped), replaced=list(found.replaced)
    )


@router.get("/scenarios/export")
def hand_out(
    context: Opened,
    principal: Principal,
    profile: OfOne,
    form: Annotated[Form, Query(description="How it is written.")] = Form.YAML,
    include_holdout: Annotated[bool, Query(description="Also the held-out ones, while they are unlocked.")] = False,
) -> ScenariosExported:
    """A profile's scenarios as the text of a file that can be imported."""
    found = files.export_scenarios(context, profile, Actor(principal, principal), form, holdout=include_holdout)
    return ScenariosExported(text=found.text, scenarios=found.scenarios, left_out=found.left_out)


@router.get("/scenarios/schema")
def schema() -> ScenarioSchema:
    """The JSON Schema of one scenario in a file."""
    return ScenarioSchema(**files.json_schema())


@router.get("/scenarios/lint")
def lint(context: Opened, profile: OfOne) -> ScenariosLinted:
    """What is wrong with a profile's scenarios, from what they say and from what their runs came to."""
    found = linting.lint(context, profile)
    return ScenariosLinted(
        ok=found.ok,
        profile=found.profile,
        looked_at=found.looked_at,
        locked=found.locked,
        findings=list(found.findings),
    )
