"""Routes about scenarios: list, look, add, edit, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from ..errors import BadInput, Conflict
from ..evaluation import scenarios
from ..evaluation.checks import parse_checks
from ..evaluation.scenarios import Scenario
from ..ratchet.signing.questions import Question
from ..reviewing.payload import Purpose
from .answers import ERRORS, RatchetRoute
from .asking import Identifier, NewScenario, Opened, Principal, ScenarioEdit
from .signing import SignedBody

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["scenarios"])


class ScenarioList(BaseModel):
    """``input`` and ``checks`` (JSON in a string) of held-out scenarios are empty strings."""

    scenarios: list[Scenario]


class ScenarioAdded(BaseModel):
    scenario_id: int


class ScenarioDeleted(BaseModel):
    ok: Literal[True] = True


@router.get("/scenarios")
def list_scenarios(context: Opened, profile: str | None = None, include_holdout: bool = False) -> ScenarioList:
    """The scenarios of a profile, or of all."""
    found = scenarios.list_scenarios(context, profile, include_holdout=include_holdout)
    if profile is not None and not found:
        context.home(profile)  # a misspelt name must not look like an empty list
    return ScenarioList(scenarios=found)


@router.get("/scenarios/{scenario_id}")
def get_scenario(context: Opened, scenario_id: Identifier) -> Scenario:
    """One scenario; of a held-out one, neither input nor checks."""
    return scenarios.get_scenario(context, scenario_id)


@router.patch("/scenarios/{scenario_id}")
def edit_scenario(context: Opened, scenario_id: Identifier, body: ScenarioEdit, principal: Principal) -> Scenario:
    """Change what is given; results that the scenario gave keep what it was."""
    if body.checks is not None:
        _check(body.checks)
    return scenarios.edit_scenario(
        context,
        scenario_id,
        body.by(principal),
        name=body.name,
        input_text=body.input,
        checks=body.checks,
        critical=body.critical,
    )


def _check(checks: Sequence[object] | str) -> None:
    try:
        parse_checks(checks)
    except BadInput as error:
        raise Conflict(error.message, **error.ids) from None  # the client expects 422 for a wrong check


@router.post("/scenarios", status_code=201)
def add_scenario(context: Opened, body: NewScenario, principal: Principal) -> ScenarioAdded:
    """Add a scenario; every check is validated, and the first wrong one is named."""
    _check(body.checks)
    made = scenarios.add_scenario(
        context,
        body.profile,
        body.name,
        body.input,
        body.checks,
        body.by(principal),
        holdout=body.holdout,
        critical=body.critical,
    )
    return ScenarioAdded(scenario_id=made.id)


@router.delete("/scenarios/{scenario_id}")
def delete_scenario(
    context: Opened, scenario_id: Identifier, principal: Principal, body: SignedBody | None = None
) -> ScenarioDeleted:
    """Take a scenario out of use; results that it gave keep it. Of a held-out one a reviewer signs it."""
    found, asked = scenarios.get_scenario(context, scenario_id), body or SignedBody()
    actor, signed = asked.by(principal), None
    if found.holdout:
        question = Question(Purpose.DELETE_HOLDOUT, profile=found.profile, scenario=scenario_id)
        signed = asked.signed(context, question, actor)
    scenarios.delete_scenario(context, scenario_id, actor, signed)
    return ScenarioDeleted()
