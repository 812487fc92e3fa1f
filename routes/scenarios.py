"""Routes about single scenarios: list, look, add, edit, delete, restore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from ..errors import BadInput, Conflict
from ..evaluation.checks import parse_checks
from ..evaluation.scenario import scenarios
from ..evaluation.scenario.scenarios import ListedScenario
from ..evaluation.scenario.texts import Replaced, cleaned
from ..ratchet.signing.questions import Question
from ..reviewing.payload import Purpose
from .answers import ERRORS, RatchetRoute
from .asking import After, Identifier, Limit, NewScenario, OfProfile, Opened, Principal, ScenarioEdit, following
from .signing import SignedBody

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["scenarios"])


class ScenarioList(BaseModel):
    """A page, oldest first; ``input`` and ``checks`` (JSON in a string) of held-out scenarios are empty strings."""

    scenarios: list[ListedScenario]
    next_after: int | None


class ScenarioAdded(BaseModel):
    """``not_run`` says why no evaluation runs it, null when one does; ``replaced`` what became a placeholder."""

    scenario_id: int
    not_run: str | None
    replaced: list[Replaced]


@dataclass(frozen=True)
class ScenarioEdited(ListedScenario):
    """The scenario as it is now, and what became a placeholder in what was sent."""

    replaced: tuple[Replaced, ...]


class SignedEdit(ScenarioEdit, SignedBody):
    """What stays out, or is null, stays as it is. That a held-out scenario is critical no more, a reviewer signs."""


class ScenarioDeleted(BaseModel):
    ok: Literal[True] = True


@router.get("/scenarios")
def list_scenarios(
    context: Opened,
    profile: OfProfile = None,
    include_holdout: Annotated[bool, Query(description="Also the held-out ones, by name.")] = False,
    limit: Limit = 1000,
    after: After = None,
) -> ScenarioList:
    """The scenarios of a profile, or of all."""
    found = scenarios.list_scenarios(context, profile, include_holdout=include_holdout, limit=limit, after=after)
    if profile is not None and not found:
        context.home(profile)  # a misspelt name must not look like an empty list
    return ScenarioList(scenarios=scenarios.listed(found), next_after=following(found, limit))


@router.get("/scenarios/{scenario_id}")
def get_scenario(context: Opened, scenario_id: Identifier) -> ListedScenario:
    """One scenario; of a held-out one, neither input nor checks."""
    return scenarios.listed([scenarios.get_scenario(context, scenario_id)])[0]


@router.patch("/scenarios/{scenario_id}")
def edit_scenario(context: Opened, scenario_id: Identifier, body: SignedEdit, principal: Principal) -> ScenarioEdited:
    """Change what is given; results that the scenario gave keep what it was."""
    replaced = _replaced(body.name or "-", body.input or "-", body.checks or "")
    found, actor, signed = scenarios.get_scenario(context, scenario_id), body.by(principal), None
    if found.holdout and found.critical and body.critical is False:
        question = Question(Purpose.UNCRITICAL_HOLDOUT, profile=found.profile, scenario=scenario_id)
        signed = body.signed(context, question, actor)
    edited = scenarios.edit_scenario(
        context,
        scenario_id,
        actor,
        name=body.name,
        input_text=body.input,
        checks=body.checks,
        critical=body.critical,
        signed=signed,
    )
    return ScenarioEdited(**scenarios.listed([edited])[0].__dict__, replaced=replaced)


def _replaced(name: str, input_text: str, checks: Sequence[object] | str) -> tuple[Replaced, ...]:
    """What will become a placeholder. Raises BadInput, and Conflict naming the first wrong check."""
    try:
        parse_checks(checks)
    except BadInput as error:
        raise Conflict(error.message, **error.ids) from None  # the client expects 422 for a wrong check
    try:
        return cleaned(name, input_text, checks).replaced
    except BadInput as error:
        raise (Conflict if "check" in error.ids else BadInput)(error.message, **error.ids) from None


@router.post("/scenarios", status_code=201)
def add_scenario(context: Opened, body: NewScenario, principal: Principal) -> ScenarioAdded:
    """Add a scenario; every check is validated, and the first wrong one is named."""
    checks = body.checks or ""
    replaced = _replaced(body.name, body.input or "", checks)
    made = scenarios.add_scenario(
        context,
        body.profile,
        body.name,
        body.input or "",
        checks,
        body.by(principal),
        holdout=bool(body.holdout),
        critical=bool(body.critical),
    )
    not_run = scenarios.listed([made])[0].not_run
    return ScenarioAdded(scenario_id=made.id, not_run=not_run, replaced=list(replaced))


@router.post("/scenarios/{scenario_id}/restore")
def restore_scenario(
    context: Opened, scenario_id: Identifier, principal: Principal, body: SignedBody | None = None
) -> ListedScenario:
    """Take a deleted scenario into use again; one in use stays as it is. Of a held-out one a reviewer signs it."""
    found, asked = scenarios.deleted_scenario(context, scenario_id), body or SignedBody()
    actor, signed = asked.by(principal), None
    if scenarios.needs_restoring(found):
        question = Question(Purpose.RESTORE_HOLDOUT, profile=found.profile, scenario=scenario_id)
        signed = asked.signed(context, question, actor)
    return scenarios.listed([scenarios.restore_scenario(context, scenario_id, actor, signed)])[0]


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
