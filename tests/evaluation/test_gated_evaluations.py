"""A whole evaluation passes only what gains on train and once more on scenarios nobody saw, each asked only once."""

from __future__ import annotations

import hashlib
import json
import runpy
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from karpathy_self_improve import schema
from karpathy_self_improve.errors import ApprovalVoid, GateNotPassed, NotEvaluated
from karpathy_self_improve.evaluation import exports, labels
from karpathy_self_improve.evaluation.gating import reports
from karpathy_self_improve.evaluation.running import scheduling
from karpathy_self_improve.evaluation.running.exposure import Arm
from karpathy_self_improve.evaluation.running.runner import AgentRun, RunRequest
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.installation import overview
from karpathy_self_improve.ratchet import approval, experiments
from karpathy_self_improve.ratchet.actor import Actor

HERE = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("gated_stage.py"))))
BAD, GOOD, QUESTIONS, SOMEBODY = HERE.BAD, HERE.GOOD, HERE.QUESTIONS, HERE.SOMEBODY
Runs, held_out, improved, same = HERE.Runs, HERE.held_out, HERE.improved, HERE.same


@pytest.fixture
def stage(home: Path) -> Iterator[Any]:
    made = HERE.Stage(home)
    yield made
    for one in made.opened:
        one.store.close()


def on_train_only(request: RunRequest) -> str:
    return improved(request) if QUESTIONS.index(request.scenario_input) < 6 else BAD


def refused(stage: Any, number: int, match: str) -> None:
    with pytest.raises(GateNotPassed, match=match):
        approval.approve(stage.context, number, SOMEBODY)


# --- what passes


def test_a_gain_on_both_splits_passes_and_may_be_approved(stage: Any) -> None:
    stage.scenarios(6, 6)
    number, runs = stage.evaluated(improved)
    assert (len(runs.asked), held_out(runs, 6)) == (48, 24)
    report = stage.report(number)
    assert (report["verdict"], report["effect"]) == ("passed", 1.0)
    assert experiments.get(stage.context, number).verdict == "passed"
    [confirmation] = stage.rows("confirmations")
    assert (confirmation["p"], confirmation["version"]) == (1 / 64, 1)
    assert approval.approve(stage.context, number, SOMEBODY).state == "approved"
    [approved] = stage.rows("approvals")
    assert (approved["report_sha256"], approved["override_reason"]) == (report["sha256"], None)


def test_both_arms_take_turns_and_run_equally_often(stage: Any) -> None:
    stage.scenarios(6, 6)
    _, runs = stage.evaluated(improved)
    arms = [request.arm for request in runs.asked]
    assert {frozenset(pair) for pair in zip(arms[::2], arms[1::2], strict=True)} == {frozenset(Arm)}


def test_versions_that_do_the_same_never_reach_the_held_out_scenarios(stage: Any) -> None:
    stage.scenarios(8, 8)
    number, runs = stage.evaluated(same)
    assert held_out(runs, 8) == 0
    assert (stage.report(number)["verdict"], stage.rows("holdout_reads")) == ("failed", [])
    refused(stage, number, "No gain on train")
    assert approval.approve(stage.context, number, SOMEBODY, override_reason="a typo").state == "approved"


def test_a_gain_on_train_alone_is_found_out_and_counts_against_later_ones(stage: Any) -> None:
    stage.scenarios(6, 8)
    first, _ = stage.evaluated(on_train_only)
    assert stage.report(first)["verdict"] == "failed"
    refused(stage, first, "No gain on held-out")
    second, _ = stage.evaluated(improved)
    assert stage.report(second)["verdict"] == "passed"
    held = stage.report(second)["holdout"]
    assert (held["adjusted_p"], held["chance_of_a_false_pass"]) == (3 / 256, 0.05)
    assert [row["p"] for row in stage.rows("confirmations")] == [1.0, 1 / 256]


def test_too_few_scenarios_end_as_underpowered_with_the_number_it_takes(stage: Any) -> None:
    stage.scenarios(3, 0)
    number, _ = stage.evaluated(improved)
    assert stage.report(number)["verdict"] == "underpowered"
    refused(stage, number, "No result on 3 train scenarios could have convinced; it takes 4")
    stage.scenario("q4", QUESTIONS[10])
    number, runs = stage.evaluated(improved)
    assert stage.report(number)["verdict"] == "underpowered"
    refused(stage, number, "There are no held-out scenarios that could tell; it takes 6")
    stage.scenario("h", QUESTIONS[11], holdout=True)
    number, runs = stage.evaluated(improved)
    assert (held_out(runs, 11), stage.rows("holdout_reads")) == (0, [])  # asking one of them would be a waste
    refused(stage, number, "No result on 1 held-out scenarios could have convinced; it takes 6")


def test_a_baseline_that_fails_nothing_cannot_be_improved_and_says_so(stage: Any) -> None:
    stage.scenarios(6, 6)
    number, _ = stage.evaluated(lambda _: GOOD)
    refused(stage, number, "passes all 6 train scenarios")


@pytest.mark.parametrize("critical", [7, 15])
def test_a_critical_scenario_that_gets_worse_blocks_a_gain(stage: Any, critical: int) -> None:
    def worse_there(request: RunRequest) -> str:
        return BAD if (request.scenario_input == QUESTIONS[critical]) == (request.arm is Arm.CANDIDATE) else GOOD

    stage.scenarios(8, 8, critical=[critical])
    number, _ = stage.evaluated(worse_there)
    assert stage.report(number)["verdict"] == "blocked by a critical scenario"
    [worse] = [reason for reason in stage.report(number)["reasons"] if reason["cause"] == "critical scenario got worse"]
    named = ["q7"] if critical == 7 else []  # of held-out ones nothing but their number
    assert (worse["scenarios"], worse["count"]) == (named, 1)
    assert worse["words"].endswith("(train): q7." if named else "(held-out): 1 of the held-out ones.")


def test_scenarios_that_waver_too_much_gate_nothing_and_are_named(stage: Any) -> None:
    turns = dict.fromkeys(QUESTIONS, 0)

    def wavers(request: RunRequest) -> str:
        if request.arm is Arm.CANDIDATE:
            return GOOD
        turns[request.scenario_input] += 1
        return GOOD if turns[request.scenario_input] % 2 else BAD

    stage.scenarios(8, 8)
    number, runs = stage.evaluated(wavers)
    assert (stage.report(number)["verdict"], held_out(runs, 8)) == ("flaky", 0)
    refused(stage, number, "disagree in 100% of all cases, and 30% are allowed.*q0, q1")
    stage.configure(max_flip_rate=1.0)
    number, _ = stage.evaluated(wavers)
    assert stage.report(number)["verdict"] == "passed"


# --- once


def test_the_same_change_is_confirmed_once_and_its_result_stands(stage: Any) -> None:
    stage.scenarios(6, 6)
    first, _ = stage.evaluated(improved)
    again, runs = stage.evaluated(improved, first)
    assert (held_out(runs, 6), len(runs.asked)) == (0, 24)
    held = stage.report(again)["holdout"]
    assert (stage.report(again)["verdict"], held["fresh"], held["p"]) == ("passed", False, 1 / 64)
    assert len(stage.rows("confirmations")) == len(stage.rows("holdout_reads")) == 1


def test_a_held_out_set_is_asked_about_as_many_changes_as_planned(stage: Any) -> None:
    stage.scenarios(6, 8)
    for places in (3, 2, 1):  # Holm: those that were significant leave their places to the others
        number, runs = stage.evaluated(improved)
        assert (stage.report(number)["verdict"], held_out(runs, 6)) == ("passed", 32)
        assert stage.report(number)["holdout"]["level"] == 0.05 / places
    number, runs = stage.evaluated(improved)
    assert (stage.report(number)["verdict"], held_out(runs, 6)) == ("no verdict", 0)
    refused(stage, number, "asked about 3 other changes, as often as planned. .* hermes ratchet scenario rotate")


def test_a_confirmation_that_was_cut_short_goes_on_and_counts_once(stage: Any) -> None:
    stage.scenarios(6, 6)
    stage.configure(workers=1)
    number, stop = stage.proposed(), threading.Event()

    def until_some_were_held_out(request: RunRequest) -> str:
        if held_out(runs, 6) == 5:
            stop.set()
            time.sleep(scheduling.POLL_S)  # until somebody asks whether to go on
        return improved(request)

    runs = Runs(until_some_were_held_out)
    assert stage.run(number, runs, stop).state == "queued"
    kept = len([row for row in stage.rows("experiment_scenario_results") if row["split"] == "holdout"])
    assert 0 < kept < 24
    rest = Runs(improved)
    assert stage.run(number, rest).state == "finished"
    assert (len(rest.asked), held_out(rest, 6)) == (24 - kept, 24 - kept)
    assert (stage.report(number)["verdict"], len(stage.rows("holdout_reads"))) == ("passed", 1)


def test_a_confirmation_in_which_no_agent_could_run_is_put_off_and_train_is_kept(stage: Any) -> None:
    class Broken(Runs):
        def submit(self, _: Any, request: RunRequest, /) -> Any:
            done = super().submit(_, request)
            if QUESTIONS.index(request.scenario_input) >= 6:
                answered = super().submit(_, request)
                object.__setattr__(answered, "_result", AgentRun(error="the model is away"))
                return answered
            return done

    stage.scenarios(6, 6)
    number = stage.proposed()
    job = stage.run(number, Broken(improved))
    assert (job.state, job.attempts) == ("queued", 1)
    assert QUESTIONS[7] not in str(job.error)
    rest = Runs(improved)
    assert stage.run(number, rest).state == "finished"
    assert (held_out(rest, 6), len(rest.asked)) == (24, 24)
    assert stage.report(number)["verdict"] == "passed"


def test_an_approval_needs_todays_scenarios(stage: Any) -> None:
    stage.scenarios(6, 6)
    number, _ = stage.evaluated(improved)
    added = stage.scenario("another", QUESTIONS[15])
    with pytest.raises(NotEvaluated, match="changed since"):
        approval.approve(stage.context, number, SOMEBODY)
    scenarios.delete_scenario(stage.context, added, SOMEBODY)
    assert approval.approve(stage.context, number, SOMEBODY).state == "approved"


def test_what_became_of_the_held_out_set_since_needs_another_evaluation(stage: Any) -> None:
    def critical(now: bool) -> None:
        scenarios.edit_scenario(stage.context, 16, SOMEBODY, critical=now)

    stage.scenarios(6, 10)
    number, _ = stage.evaluated(lost_at(15))
    assert stage.report(number)["verdict"] == "passed"  # one loss among ten
    critical(True)
    with pytest.raises(NotEvaluated, match="The held-out scenarios of 'default' changed since"):
        approval.approve(stage.context, number, SOMEBODY)
    _, runs = stage.evaluated(lost_at(15), number)
    assert (stage.report(number)["verdict"], held_out(runs, 6)) == ("blocked by a critical scenario", 0)
    critical(False)
    stage.evaluated(lost_at(15), number)
    assert approval.approve(stage.context, number, SOMEBODY).state == "approved"
    critical(True)
    with pytest.raises(ApprovalVoid, match="the held-out scenarios changed since"):
        approval.check_valid(stage.context, experiments.get(stage.context, number))


def asked_about(request: RunRequest) -> int:
    return QUESTIONS.index(request.scenario_input)


def lost_at(number: int) -> Any:
    """Gains everywhere but on this scenario, which only the version before passes."""

    def says(request: RunRequest) -> str:
        if asked_about(request) != number:
            return improved(request)
        return BAD if request.arm is Arm.CANDIDATE else GOOD

    return says


def test_rules_set_for_a_moment_change_no_verdict_and_pass_nothing(stage: Any) -> None:
    def five_of_eight(request: RunRequest) -> str:
        return BAD if asked_about(request) >= 11 else improved(request)

    stage.scenarios(6, 8)
    number, _ = stage.evaluated(five_of_eight)
    held = stage.report(number)["holdout"]
    assert (stage.report(number)["verdict"], held["p"], held["level"]) == ("failed", 1 / 32, 0.05 / 3)
    stage.configure(confirmations=1)
    stage.evaluated(five_of_eight, number)
    held = stage.report(number)["holdout"]
    assert (stage.report(number)["verdict"], held["fresh"], held["level"]) == ("failed", False, 0.05 / 3)
    later, _ = stage.evaluated(improved)
    assert stage.report(later)["verdict"] == "no verdict"
    stage.configure(confirmations=3)
    passed, _ = stage.evaluated(improved)
    assert stage.report(passed)["verdict"] == "passed"
    stage.configure(max_flip_rate=0.9)
    with pytest.raises(NotEvaluated, match="The gate's rules of 'default' changed since"):
        approval.approve(stage.context, passed, SOMEBODY)
    stage.configure()
    assert approval.approve(stage.context, passed, SOMEBODY).state == "approved"


# --- the report


def test_the_report_names_who_added_held_out_scenarios_and_when(stage: Any) -> None:
    stage.scenarios(6, 6)
    stage.evaluated(improved)
    checks = [{"type": "must_contain", "value": GOOD}]
    bot = Actor("bot", "os:bot")
    late = scenarios.add_scenario(stage.context, "default", "late", QUESTIONS[14], checks, bot, holdout=True)
    number, _ = stage.evaluated(improved)
    first, second = stage.report(number)["holdout_set"]["authors"]
    assert (first["actor"], first["scenarios"], first["late"]) == ("somebody", 6, 0)
    assert second == {"actor": "bot", "scenarios": 1, "first": late.created_at, "last": late.created_at, "late": 1}
    assert "late" not in json.dumps(stage.report(number)["reasons"])


def test_runs_without_a_result_are_counted_by_arm_and_may_not_carry_a_gain(stage: Any) -> None:
    class Silent(Runs):
        """The candidate is never seen to have met the change where it would fail."""

        def submit(self, _: Any, request: RunRequest, /) -> Any:
            done = super().submit(_, request)
            if asked_about(request) >= 12 and request.arm is Arm.CANDIDATE and self.second(request):
                object.__setattr__(done.result(), "exposed", False)
            return done

        def second(self, request: RunRequest) -> bool:
            return sum(one.scenario_input == request.scenario_input for one in self.asked if one.arm is request.arm) > 1

    stage.scenarios(6, 10)
    number = stage.proposed()
    stage.run(number, Silent(lambda request: GOOD if asked_about(request) >= 12 else improved(request)))
    report = stage.report(number)
    assert (report["verdict"], report["reasons"][0]["cause"]) == ("no verdict", "too many runs without a result")
    assert report["holdout"]["runs_without_result"] == {"baseline": 0, "candidate": 4}
    assert (report["holdout"]["p"], report["holdout"]["losses"]) == (1 / 64, 0)
    refused(stage, number, "Too many held-out runs gave no result: 4 of the change and 0 of the version before")


def test_the_report_says_what_a_reviewer_decides_from(stage: Any) -> None:
    stage.scenarios(6, 6)
    number, _ = stage.evaluated(lambda request: BAD if request.scenario_input == QUESTIONS[0] else improved(request))
    report, experiment = stage.report(number), experiments.get(stage.context, number)
    assert (report["fixed"], report["broken"], report["flaky"]) == ([f"q{n}" for n in range(1, 6)], [], [])
    train, held = report["train"], report["holdout"]
    assert (train["wins"], train["ties"], train["losses"], train["p"], train["level"]) == (5, 1, 0, 1 / 32, 0.1)
    assert train["interval"]["low"] <= train["difference"] <= train["interval"]["high"]
    assert 0 < train["detectable"] <= 1
    assert (held["wins"], held["scenarios"], held["version"], held["fresh"]) == (6, 6, 1, True)
    assert (report["holdout_set"]["confirmations"], report["holdout_set"]["planned"]) == (1, 3)
    assert report["steadiness"]["flip_rate"] == 0
    assert report["models"] == {"subject": {"baseline": "p/m", "candidate": "p/m"}, "judge": None, "proposer": None}
    hashes = report["hashes"]
    assert (hashes["base"], hashes["candidate"]) == (experiment.base_sha256, experiment.candidate_sha256)
    assert all(hashes[name] for name in ("evaluator", "train_scenarios", "holdout_scenarios"))
    assert report["cost_micro_usd"] is None  # nobody knows a price
    assert report["seconds"]["wall"] > 0
    assert (report["repeats"], report["judge"], report["answers"], report["baseline_before"]) == (2, None, [], None)
    assert report["isolation"]


def test_the_report_is_a_file_whose_hash_is_what_is_signed(stage: Any) -> None:
    stage.scenarios(6, 6)
    number, _ = stage.evaluated(improved)
    [path] = (stage.context.data / "reports").iterdir()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == stage.report(number)["sha256"]


def test_the_same_baseline_measured_again_is_found_by_its_key_and_by_nothing_else(stage: Any) -> None:
    stage.scenarios(6, 0)
    first, _ = stage.evaluated(same)
    second, _ = stage.evaluated(lambda _: GOOD)
    assert stage.report(second)["baseline_before"]["experiment_id"] == first
    assert stage.report(second)["baseline_before"]["score"] == stage.report(first)["baseline_score"]
    assert overview.look(stage.context, "default").profiles[0].baseline_score == 1
    stage.scenario("another", QUESTIONS[15])
    assert overview.look(stage.context, "default").profiles[0].baseline_score is None
    third, _ = stage.evaluated(same)
    assert stage.report(third)["baseline_before"] is None


def test_the_report_says_which_of_the_failures_it_answers_are_fixed(stage: Any) -> None:
    stage.scenarios(6, 6)
    from_session = stage.scenario("from a session", QUESTIONS[14], source="session:s1")
    number = stage.proposed()
    answers(stage, number, {"scenario:1": 1, "scenario:2": 2, "scenario:7": 7, "session:s1": "s1", "session:s2": "s2"})
    stage.evaluated(lambda request: BAD if request.scenario_input == QUESTIONS[1] else improved(request), number)
    found = {one["name"]: one["answer"] for one in stage.report(number)["answers"]}
    assert found == {
        "scenario:1": "fixed",
        "scenario:2": "not fixed",
        "scenario:7": "not measured",  # it is held out, so nobody is told
        "session:s1": "fixed",
        "session:s2": "not measured",
    }
    assert from_session


def answers(stage: Any, number: int, named: dict[str, int | str]) -> None:
    """What the proposer writes down about a draft that became an experiment."""
    with stage.context.store.write() as tx:
        insert(tx, schema.proposal_requests, job_id=1, profile="default")
        insert(tx, schema.proposal_drafts, request_id=1, experiment_id=number, status="proposed", flags="[]")
        for name, what in named.items():
            ids = {"scenario_id": what} if isinstance(what, int) else {"session_id": what}
            insert(tx, schema.proposal_failures, draft_id=1, name=name, kind=name.partition(":")[0], **ids)


def insert(tx: Any, table: Any, **values: Any) -> None:
    """A row; what is not given and may not be null is 1 or ``x``."""
    usual = {one.name: 1 if "INT" in str(one.type) else "x" for one in table.columns if not one.nullable}
    usual.pop("id")
    tx.execute(table.insert().values({**usual, **values}))


# --- what is kept holds no secret


def test_no_secret_that_an_agent_said_is_kept_or_exported(stage: Any) -> None:
    token = "ghp_" + "A1b2C3d4" * 4 + "E5f6"
    stage.scenarios(6, 0, check={"type": "regex", "value": "^never$"})
    number, _ = stage.evaluated(lambda request: f"{GOOD}: {token}")
    assert "<github-token>" in reports.results(stage.context, number)[0]["transcript"]
    for table in ("experiment_scenario_results", "reports", "eval_runs", "events", "jobs"):
        assert token not in str(stage.rows(table))
    assert token not in (stage.context.data / "ratchet.db").read_bytes().decode("latin-1")
    assert token not in str([*exports.results(stage.context), *exports.experiments(stage.context)])


def test_a_row_from_before_is_cleaned_when_it_is_exported(stage: Any) -> None:
    token = "ghp_" + "A1b2C3d4" * 4 + "E5f6"
    stage.scenarios(6, 0)
    stage.evaluated(same)
    with stage.context.store.write() as tx:
        row = tx.exec_driver_sql("SELECT * FROM experiment_scenario_results LIMIT 1").one()._mapping
        old = {**row, "id": 9_999, "repeat": 99, "transcript": json.dumps({"answer": token, "error": None})}
        columns = ", ".join(old)
        tx.exec_driver_sql(
            f"INSERT INTO experiment_scenario_results ({columns}) VALUES ({', '.join('?' * len(old))})",
            tuple(old.values()),
        )
    [exported] = [row for row in exports.results(stage.context) if row["id"] == 9_999]
    assert json.loads(exported["transcript"])["answer"] == "<github-token>"


# --- what became held out


def test_results_of_a_scenario_that_is_held_out_by_now_are_shown_no_more(stage: Any) -> None:
    stage.scenarios(6, 0)
    number, _ = stage.evaluated(same)
    shown = reports.results(stage.context, number)
    with stage.context.store.write() as tx:
        tx.exec_driver_sql("UPDATE scenarios SET holdout = 1 WHERE id = 2")
    assert {row["scenario_id"] for row in shown} - {
        row["scenario_id"] for row in reports.results(stage.context, number)
    } == {2}
    assert 2 not in {row["scenario_id"] for row in exports.results(stage.context)}
    [hidden] = [row["id"] for row in shown if row["scenario_id"] == 2][:1]
    with pytest.raises(labels.ResultHeldOut):
        labels.label(stage.context, hidden, True, SOMEBODY)
    assert len(labels.list_results(stage.context, number)) == len(shown) - 4
