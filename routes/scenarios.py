"""Routes about scenarios: list, add, delete."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from ..errors import BadInput, Conflict
from ..evaluation import scenarios
from ..evaluation.checks import parse_checks
from ..evaluation.scenarios import Scenario
from ..ratchet.actor import Actor
from .answers import ERRORS, RatchetRoute
from .asking import Identifier, NewScenario, Opened, Principal

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


@router.post("/scenarios", status_code=201)
def add_scenario(context: Opened, body: NewScenario, principal: Principal) -> ScenarioAdded:
    """Add a scenario; every check is validated, and the first wrong one is named."""
    try:
        parse_checks(body.checks)
    except BadInput as error:
        raise Conflict(error.message, **error.ids) from None  # the client expects 422 for a wrong check
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
def delete_scenario(context: Opened, scenario_id: Identifier, principal: Principal) -> ScenarioDeleted:
    """Take a scenario out of use; results that it gave keep it."""
    scenarios.delete_scenario(context, scenario_id, Actor(principal, principal))
    return ScenarioDeleted()
