"""Routes about experiments: list, propose, decide, apply, take back, evaluate, and what happened."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from ..errors import BadInput, UnknownProfile
from ..evaluation import jobs
from ..evaluation.gating import reports
from ..ratchet import again, approval, experiments
from ..ratchet import apply as applying
from ..ratchet.audit.chain import Transition
from ..ratchet.beginning import revert_purpose
from ..ratchet.signing.questions import Question
from ..ratchet.states import State
from ..ratchet.unified_diff import apply_diff
from ..ratchet.window import live_window
from ..reviewing.payload import Purpose
from .answers import ERRORS, RatchetRoute, written
from .asking import (
    DEFAULT_FILE,
    Before,
    Identifier,
    Labelled,
    Limit,
    NewExperiment,
    OfProfile,
    Opened,
    Principal,
    ReasonBody,
    following,
)
from .rows import EvalRunRow, ExperimentRow, ScenarioResultRow
from .signing import ApproveBody, ForceBody

router = APIRouter(route_class=RatchetRoute, responses=ERRORS, tags=["experiments"])


class ExperimentList(BaseModel):
    """A page of experiments, newest first; ``next_before`` asks for the next one."""

    experiments: list[ExperimentRow]
    next_before: int | None


class ExperimentProposed(BaseModel):
    experiment_id: int


class Approved(BaseModel):
    ok: Literal[True] = True
    state: Literal["approved"] = "approved"


class Rejected(BaseModel):
    ok: Literal[True] = True
    state: Literal["rejected"] = "rejected"


class Applied(BaseModel):
    ok: Literal[True] = True
    state: Literal["live"] = "live"
    apply_commit_sha: str | None


class Verified(BaseModel):
    ok: Literal[True] = True
    state: Literal["verified"] = "verified"


class Reverted(BaseModel):
    ok: Literal[True] = True
    state: Literal["reverted"] = "reverted"


class EvaluationQueued(BaseModel):
    job_id: int
    state: str


class ExperimentHistory(BaseModel):
    """Everything that happened to one experiment, each list oldest first."""

    experiment: ExperimentRow
    transitions: list[Transition]
    eval_runs: list[EvalRunRow]
    scenario_results: list[ScenarioResultRow]


@router.get("/experiments", response_model=ExperimentList)
def list_experiments(
    context: Opened,
    profile: OfProfile = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    limit: Limit = 100,
    before: Before = None,
) -> Response:
    """The experiments, newest first."""
    found = experiments.list_experiments(context, profile=profile, state=state, limit=limit, before=before)
    if profile is not None and not found:
        context.home(profile)  # a misspelt name must not look like an empty list
    rows = [ExperimentRow.of(one) for one in found]
    return written(ExperimentList(experiments=rows, next_before=following(found, limit)))


@router.post("/experiments", status_code=201)
def propose(context: Opened, body: NewExperiment, principal: Principal) -> ExperimentProposed:
    """Propose one small change to today's file; its evaluation is queued."""
    file = DEFAULT_FILE if body.file is None else body.file
    try:
        base = experiments.current_file(context, body.profile, file)
    except UnknownProfile as error:  # named in a body it is a mistake of the request, not a missing resource
        raise BadInput(error.message, profile=body.profile) from None
    made = experiments.propose(
        context,
        body.profile,
        file,
        _candidate(body, base.content, file),
        body.rationale or "",
        body.by(principal),
        base_sha256=base.sha256,
    )
    return ExperimentProposed(experiment_id=made.id)


def _candidate(body: NewExperiment, base: bytes | None, file: str) -> bytes:
    if body.content is not None and body.diff is None:
        return body.content.encode("utf-8")
    if body.diff is not None and body.content is None:
        return apply_diff(base, body.diff.encode("utf-8"), file)
    raise BadInput("A proposal has either the whole new content or a diff. Send one of the two.")


@router.post("/experiments/{experiment_id}/again", status_code=201)
def propose_again(
    context: Opened, experiment_id: Identifier, principal: Principal, body: Labelled | None = None
) -> ExperimentProposed:
    """Propose the same bytes once more, on today's file; its evaluation is queued."""
    made = again.propose_again(context, experiment_id, (body or Labelled()).by(principal))
    return ExperimentProposed(experiment_id=made.id)


@router.get("/experiments/{experiment_id}")
def get_experiment(context: Opened, experiment_id: Identifier) -> ExperimentRow:
    """One experiment."""
    return ExperimentRow.of(experiments.shown(context, experiment_id))


@router.get("/experiments/{experiment_id}/history")
def history(context: Opened, experiment_id: Identifier) -> ExperimentHistory:
    """One experiment with its transitions, evaluation runs and results."""
    found = experiments.shown(context, experiment_id)
    return ExperimentHistory(
        experiment=ExperimentRow.of(found),
        transitions=experiments.transitions(context, experiment_id),
        eval_runs=[EvalRunRow.of(row) for row in reports.eval_runs(context, experiment_id)],
        scenario_results=[ScenarioResultRow.of(row) for row in reports.results(context, experiment_id)],
    )


@router.post("/experiments/{experiment_id}/approve")
def approve(
    context: Opened, experiment_id: Identifier, principal: Principal, body: ApproveBody | None = None
) -> Approved:
    """Let a measured change go live; a reviewer signs it, where reviewers are set up."""
    live_window.check_prepared(context, experiment_id)
    asked = body or ApproveBody()
    actor, override = asked.by(principal), asked.override_reason
    purpose = Purpose.OVERRIDE if (override or "").strip() else Purpose.APPROVE
    experiments.check_candidate(context, experiment_id, asked.candidate_sha256)
    signed = asked.signed(context, Question(purpose, experiment_id, reason=override), actor)
    approval.approve(context, experiment_id, actor, override_reason=override, signed=signed)
    return Approved()


@router.post("/experiments/{experiment_id}/reject")
def reject(
    context: Opened, experiment_id: Identifier, principal: Principal, body: ReasonBody | None = None
) -> Rejected:
    """Refuse a proposal, or withdraw an approval."""
    asked = body or ReasonBody()
    experiments.reject(context, experiment_id, asked.by(principal), asked.reason or "")
    return Rejected()


@router.post("/experiments/{experiment_id}/apply")
def apply(context: Opened, experiment_id: Identifier, principal: Principal, body: ForceBody | None = None) -> Applied:
    """Put an approved change into its file, as one commit; repeated, the same answer."""
    asked = body or ForceBody()
    actor, force, signed = asked.by(principal), None, None
    if asked.force:
        force = asked.reason or "forced in the dashboard"
        signed = asked.signed(context, Question(Purpose.FORCE, experiment_id, reason=force), actor)
    done = applying.apply(context, experiment_id, actor, force=force, signed=signed)
    return Applied(apply_commit_sha=done.apply_commit_sha)


@router.post("/experiments/{experiment_id}/verify")
def verify(context: Opened, experiment_id: Identifier, principal: Principal, body: Labelled | None = None) -> Verified:
    """Keep a live change, if its window allows it."""
    live_window.verify(context, experiment_id, (body or Labelled()).by(principal))
    return Verified()


@router.post("/experiments/{experiment_id}/revert")
def revert(context: Opened, experiment_id: Identifier, principal: Principal, body: ForceBody | None = None) -> Reverted:
    """Take a live or verified change back, to the exact bytes from before; of a verified one a reviewer signs it."""
    asked = body or ForceBody()
    actor, reason, signed = asked.by(principal), asked.reason or "taken back in the dashboard", None
    purpose = revert_purpose(experiments.get(context, experiment_id), force=bool(asked.force))
    if purpose:
        signed = asked.signed(context, Question(purpose, experiment_id, reason=reason), actor)
    applying.revert(context, experiment_id, actor, reason, force=bool(asked.force), signed=signed)
    return Reverted()


@router.post("/experiments/{experiment_id}/evaluate", status_code=202)
def evaluate(
    context: Opened, experiment_id: Identifier, principal: Principal, body: Labelled | None = None
) -> EvaluationQueued:
    """Queue an evaluation; the daemon runs it."""
    job = jobs.queue_evaluation(context, experiment_id, (body or Labelled()).by(principal))
    return EvaluationQueued(job_id=job.id, state=job.state)
