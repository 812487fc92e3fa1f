"""What does not pass the gate is rejected for the proposer, never for a person; what failed before is what it reads."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from karpathy_self_improve import daemon, schema
from karpathy_self_improve.evaluation import jobs, results
from karpathy_self_improve.evaluation.gating import concluding, reports
from karpathy_self_improve.evaluation.judging.grading import grade
from karpathy_self_improve.evaluation.running.exposure import Arm
from karpathy_self_improve.evaluation.running.runner import AgentRun
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.proposal import drafts, settling
from karpathy_self_improve.ratchet import experiments, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.stats.gate import GateVerdict

ADA = Actor("ada", "os:ada")
RUBRIC = [{"type": "must_not_contain", "value": "apologise"}]


def measured(stage: Any, number: int, verdict: GateVerdict) -> None:
    """As if the evaluation of an experiment had ended with this verdict."""
    with stage.context.store.write() as tx:
        facts = {"verdict": verdict.value, "reasons": [{"words": "As this test wishes."}]}
        reports.store(tx, experiments.load(tx, number), facts)
        tx.exec_driver_sql("UPDATE experiments SET evaluation_status = 'finished' WHERE id = ?", (number,))


def state(stage: Any, number: int) -> str:
    return str(experiments.get(stage.context, number).state)


@pytest.mark.parametrize("verdict", [GateVerdict.PASSED, GateVerdict.UNDERPOWERED, GateVerdict.NO_VERDICT])
def test_only_what_passes_stays_proposed(stage: Any, verdict: GateVerdict) -> None:
    stage.bad()
    number = stage.propose().experiment_id
    assert settling.settle(stage.context) == []  # not measured yet
    measured(stage, number, verdict)
    passed = verdict is GateVerdict.PASSED
    assert settling.settle(stage.context) == ([] if passed else [number])
    found = experiments.get(stage.context, number)
    draft = drafts.proposal_of(stage.context, number).draft
    if passed:
        assert (found.state, draft.status) == ("proposed", "passed")
    else:
        assert (found.state, found.rejected_by, draft.status) == ("rejected", "gate", "failed_gate")
        assert found.rejection_reason == draft.reason == f"The gate says: {verdict}. As this test wishes."
    assert settling.settle(stage.context) == []


def test_the_daemon_asks_by_the_schedule_and_draws_the_consequence(stage: Any) -> None:
    stage.bad()
    number = stage.propose().experiment_id
    [evaluation] = [row["id"] for row in stage.rows(schema.jobs) if row["kind"] == "evaluate"]
    jobs.cancel(stage.context, evaluation, ADA)
    measured(stage, number, GateVerdict.FAILED)
    stage.configure(proposer={"schedule": "* * * * *", "budget": {"calls": 1}})
    said: list[str] = []
    daemon.run(stage.context, once=True, say=said.append)
    assert f"experiment {number} of the proposer did not pass the gate and is rejected" in said
    assert state(stage, number) == "rejected"
    scheduled = stage.rows(schema.proposal_requests)[-1]
    assert (scheduled["actor"], scheduled["outcome"]) == ("daemon", "skipped")
    assert "1 of 1 calls" in scheduled["reason"]


def test_a_persons_proposal_is_never_rejected_by_the_gate(stage: Any) -> None:
    candidate = (stage.home / "SOUL.md").read_bytes() + b"- Be fair.\n"
    number = experiments.propose(stage.context, "default", "SOUL.md", candidate, "mine", ADA).id
    measured(stage, number, GateVerdict.FAILED)
    assert settling.settle(stage.context) == []
    assert state(stage, number) == "proposed"


def test_a_person_who_was_quicker_decides(stage: Any) -> None:
    stage.bad()
    number = stage.propose().experiment_id
    measured(stage, number, GateVerdict.FAILED)
    experiments.reject(stage.context, number, ADA, "too late for the gate")
    assert settling.settle(stage.context) == []
    assert experiments.get(stage.context, number).rejected_by == "ada"
    assert drafts.proposal_of(stage.context, number).draft.status == "failed_gate"


def test_what_a_person_has_approved_is_left_to_them(stage: Any) -> None:
    stage.bad()
    number = stage.propose().experiment_id
    with stage.context.store.write() as tx:
        states.move(tx, number, states.State.APPROVED, ADA, "needed today")
    measured(stage, number, GateVerdict.FAILED)
    assert settling.settle(stage.context) == []
    assert state(stage, number) == "approved"


def test_a_draft_that_failed_is_told_and_does_not_come_again(stage: Any) -> None:
    stage.bad()
    number = stage.propose().experiment_id
    measured(stage, number, GateVerdict.FAILED)
    settling.settle(stage.context)
    done = stage.propose()
    assert done.experiment_id != number
    assert "The gate says: failed" in stage.asked_of_proposer()[-1]
    assert "plain words" in experiments.get(stage.context, done.experiment_id).diff


# --- failed scenarios


def evaluated(stage: Any, number: int, answers: dict[Arm, str]) -> None:
    """An evaluation of an experiment, with what the agent said in each arm."""
    [job] = [row["id"] for row in stage.rows(schema.jobs) if row["experiment_id"] == number]
    with jobs.claimed(stage.context, job) as claimed:
        experiment = experiments.get(stage.context, number)
        with stage.context.store.write() as tx:
            asked = tuple(scenarios.train_set(tx, "default"))
            runs = results.runs_of(tx, stage.context, claimed, experiment, asked)
        versions = experiments.contents(stage.context, experiment)
        evaluation = results.Evaluation(stage.context, claimed, experiment, *versions, asked, runs)
        for one, arm in product(asked, Arm):
            ran = AgentRun(answer=answers[arm], completed=True, exposed=True, model="m", provider="p")
            results.store_result(evaluation, results.Task(one, arm, 0), ran, grade(one, ran, None))
        with stage.context.store.write() as tx:
            concluding.conclude(tx, evaluation)


def measured_change(stage: Any, sentence: str, baseline: str, candidate: str) -> int:
    base = (stage.home / "SOUL.md").read_bytes()
    number = experiments.propose(stage.context, "default", "SOUL.md", base + f"- {sentence}\n".encode(), "mine", ADA).id
    evaluated(stage, number, {Arm.BASELINE: baseline, Arm.CANDIDATE: candidate})
    return number


def test_failed_scenarios_of_this_version_are_answered(stage: Any) -> None:
    one = scenarios.add_scenario(stage.context, "default", "no apology", "Where were you?", RUBRIC, ADA).id
    measured_change(stage, "Be fair.", "I apologise.", "I apologise.")
    done = stage.propose()
    proposal = drafts.proposal_of(stage.context, done.experiment_id)
    [named] = proposal.failures
    assert (named.name, named.kind, named.scenario_id) == (f"scenario:{one}", "scenario", one)
    assert "scenario 'no apology' failed in 1 of 1 runs" in named.summary
    [prompt] = stage.asked_of_proposer()
    assert '"answered": "I apologise."' in prompt
    assert prompt.count('"failure": ') == 1  # the others passed


def test_what_the_version_in_use_does_right_is_no_failure(stage: Any) -> None:
    scenarios.add_scenario(stage.context, "default", "no apology", "Where were you?", RUBRIC, ADA)
    measured_change(stage, "Be fair.", "I apologise.", "Here.")
    (stage.home / "SOUL.md").write_bytes((stage.home / "SOUL.md").read_bytes() + b"- Be fair.\n")
    assert "no failures" in stage.propose().reason


def test_a_scenario_that_is_held_out_by_now_is_not_shown(stage: Any, raw: Any) -> None:
    one = scenarios.add_scenario(stage.context, "default", "no apology", "Where were you?", RUBRIC, ADA).id
    measured_change(stage, "Be fair.", "I apologise.", "I apologise.")
    raw(f"UPDATE scenarios SET holdout = 1 WHERE id = {one}")
    assert "no failures" in stage.propose().reason
    assert stage.asked_of_proposer() == []


def test_a_scenario_edited_since_says_nothing(stage: Any) -> None:
    one = scenarios.add_scenario(stage.context, "default", "no apology", "Where were you?", RUBRIC, ADA).id
    measured_change(stage, "Be fair.", "I apologise.", "I apologise.")
    scenarios.edit_scenario(stage.context, one, ADA, input_text="And where are you now, my friend?")
    assert "no failures" in stage.propose().reason


def test_sessions_from_before_the_last_change_are_not_held_against_it(stage: Any, raw: Any) -> None:
    stage.bad()
    candidate = (stage.home / "SOUL.md").read_bytes() + b"- Be fair.\n"
    number = experiments.propose(stage.context, "default", "SOUL.md", candidate, "mine", ADA).id
    raw(f"UPDATE experiments SET applied_at = '2199-01-01T00:00:00.000000+00:00' WHERE id = {number}")
    assert "no failures" in stage.propose().reason


def test_failing_sessions_count_without_anybodys_word(stage: Any) -> None:
    stage.session("cut", asked="Are you there?")
    stage.propose()
    [named] = stage.rows(schema.proposal_failures)
    assert (named["name"], named["kind"]) == ("session:cut", "session")
    assert "unanswered" in named["summary"]
    assert json.loads(stage.rows(schema.proposal_drafts)[0]["flags"]) == []
