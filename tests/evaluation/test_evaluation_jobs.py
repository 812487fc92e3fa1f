"""An evaluation runs the real agent on both versions, and never takes a failure around the agent for its verdict."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import pytest

from karpathy_self_improve import _db
from karpathy_self_improve.demo.scripted_model import MODEL, Failure, ScriptedModel
from karpathy_self_improve.errors import BadInput, Conflict, GateNotPassed, NotEvaluated, StoreUnavailable, UnknownJob
from karpathy_self_improve.evaluation import jobs, results, service
from karpathy_self_improve.evaluation.gating import concluding, reports
from karpathy_self_improve.evaluation.jobs import Job
from karpathy_self_improve.evaluation.judging.grading import grade
from karpathy_self_improve.evaluation.running.exposure import Arm
from karpathy_self_improve.evaluation.running.runner import AgentRun
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.ratchet import approval, controls, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context

SOMEBODY = Actor("somebody", "os:somebody")
ROOT = Path(__file__).resolve().parents[2]
BOOTSTRAP = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location(
    "karpathy_self_improve", {str(ROOT / "__init__.py")!r}, submodule_search_locations=[{str(ROOT)!r}])
sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[spec.name])
"""
OLD = "# Soul\n\nYou are a helpful agent.\n"
NEW = OLD + "Never apologise.\n"
ANSWERED = AgentRun(answer="hello", completed=True, exposed=True, model="m", provider="p")
NOTHING_TO_RUN = "the profile has no scenarios that an evaluation could run"
NO_APOLOGY = {"type": "must_not_contain", "value": "apologise"}


class Stage:
    """A profile that talks to the scripted model, and what one does with evaluations of it."""

    def __init__(self, home: Path, model: ScriptedModel) -> None:
        self.home = home
        self.model = model
        self.opened: list[Context] = []
        self.others = agents()
        (home / "SOUL.md").write_text(OLD)
        self.settings()

    @property
    def context(self) -> Context:
        return self.opened[-1]

    def settings(self, **evaluation: object) -> None:
        ours = {"approval": "unsigned", "evaluation": {"timeout_s": 60, "repeats": 1, "retries": 0, **evaluation}}
        plugins = {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": ours}}
        config = {"model": self.model.model_settings(), "agent": {"api_max_retries": 1}, "plugins": plugins}
        (self.home / "config.yaml").write_text(json.dumps(config))
        self.opened.append(open_context())

    def scenario(self, name: str = "does not apologise", asked: str = "hello", **check: Any) -> int:
        checks = [check or NO_APOLOGY]
        return scenarios.add_scenario(self.context, "default", name, asked, checks, SOMEBODY).id

    def proposed(self, new: str = NEW, relpath: str = "SOUL.md") -> int:
        """An experiment, whose job has the same number as long as there is one job for each."""
        return experiments.propose(self.context, "default", relpath, new.encode(), "why", SOMEBODY).id

    def run(self, number: int, **options: Any) -> Job:
        return service.run_job(self.context, number, **options)

    def concluded(self, number: int, run: Callable[[results.Task], AgentRun]) -> Job:
        """What becomes of the job when its runs came to this."""
        with jobs.claimed(self.context, number) as job:
            experiment = self.experiment(number)
            versions = experiments.contents(self.context, experiment)
            with self.context.store.write() as tx:
                asked = tuple(scenarios.train_set(tx, "default"))
                runs = results.runs_of(tx, self.context, job, experiment, asked)
            evaluation = results.Evaluation(self.context, job, experiment, *versions, asked, runs)
            for scenario, arm in product(asked, Arm):
                task = results.Task(scenario, arm, 0)
                ran = run(task)
                results.store_result(evaluation, task, ran, grade(scenario, ran, None))
            with self.context.store.write() as tx:
                concluding.conclude(tx, evaluation)
        return jobs.get_job(self.context, number)

    def in_background(self, number: int, **options: Any) -> threading.Thread:
        thread = threading.Thread(target=self.run, args=(number,), kwargs=options)
        thread.start()
        return thread

    def experiment(self, number: int) -> experiments.Experiment:
        return experiments.get(self.context, number)

    def results(self, number: int) -> list[dict[str, Any]]:
        return reports.results(self.context, number)


@pytest.fixture
def stage(home: Path) -> Iterator[Stage]:
    with ScriptedModel() as model:
        made = Stage(home, model)
        yield made
        for one in made.opened:
            one.store.close()


def fingerprint(home: Path) -> dict[str, tuple[int, str]]:
    """Every file of the profile itself, with its modification time and hash."""
    return {
        path.relative_to(home).as_posix(): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in home.rglob("*")
        if path != home / "ratchet" and (home / "ratchet") not in path.parents
    }


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(1_500):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def agents() -> list[psutil.Process]:
    return [process for process in psutil.Process().children() if "worker.py" in " ".join(process.cmdline())]


# --- what a whole evaluation leaves behind


def test_both_versions_are_measured_and_the_profile_is_left_alone(stage: Stage) -> None:
    scenario, number = stage.scenario(), stage.proposed()
    before, seen = fingerprint(stage.home), list[Job]()
    with ThreadPoolExecutor(2) as executor:
        done = stage.run(number, progress=seen.append, executor=executor)
        executor.submit(int).result()  # whoever lends an executor keeps it
    assert (done.state, done.error, done.done, done.total) == ("finished", None, 2, 2)
    assert [job.done for job in seen] == sorted(job.done for job in seen)
    assert (seen[0].done, seen[-1].done) == (0, 2)
    assert fingerprint(stage.home) == before
    measured = stage.experiment(number)
    assert (measured.evaluation_status, measured.verdict) == ("finished", "no verdict")  # nothing ran twice
    assert (measured.baseline_score, measured.offline_score, measured.cost_micro_usd) == (0.0, 1.0, None)
    for row in stage.results(number):
        assert (row["exposed"], row["no_result_reason"], row["split"]) == (1, None, "train")
        assert json.loads(row["scenario_snapshot"])["input"] == "hello"
        assert row["tokens"] > 0
        assert json.loads(row["transcript"])["answer"]
    runs = reports.eval_runs(stage.context, number)
    assert {run["arm"]: run["file_sha256"] for run in runs} == {
        "baseline": measured.base_sha256,
        "candidate": measured.candidate_sha256,
    }
    assert {(run["state"], run["subject_model"], run["aggregate_score"]) for run in runs} == {
        ("finished", f"custom/{MODEL}", 0.0),
        ("finished", f"custom/{MODEL}", 1.0),
    }
    with pytest.raises(GateNotPassed, match=r"no verdict\. No scenario ran twice on one version"):
        approval.approve(stage.context, number, SOMEBODY)
    # What a result measured stays, whatever becomes of the scenario.
    kept = stage.results(number)
    scenarios.delete_scenario(stage.context, scenario, SOMEBODY)
    stage.scenario(asked="another question")
    assert stage.results(number) == kept


def test_a_run_that_did_not_meet_its_version_has_no_result_and_does_not_score(stage: Stage) -> None:
    reading, not_reading = stage.scenario("reads it"), stage.scenario("does not", type="exit_ok")
    number = stage.proposed()
    answers = {Arm.BASELINE: replace(ANSWERED, answer="I apologise"), Arm.CANDIDATE: ANSWERED}
    ended = stage.concluded(
        number,
        lambda task: answers[task.arm] if task.scenario.id == reading else replace(ANSWERED, exposed=None),
    )
    assert ended.state == "finished"
    found = {(row["scenario_id"], row["arm"]): row for row in stage.results(number)}
    assert [found[reading, arm]["pass_fail"] for arm in ("baseline", "candidate")] == [0, 1]
    for arm in ("baseline", "candidate"):
        assert found[not_reading, arm]["pass_fail"] is None
        assert found[not_reading, arm]["no_result_reason"].startswith("not exposed")
    report = reports.latest(stage.context, number)
    assert report is not None
    assert [one["change"] for one in report["scenarios"]] == ["fixed", "no result"]
    assert (report["baseline_score"], report["candidate_score"], report["train"]["scenarios"]) == (0.0, 1.0, 1)


# --- failures around the agent


def test_a_broken_model_is_tried_again_and_then_given_up_but_never_judged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_ATTEMPTS", 2)
    stage.scenario()
    number = stage.proposed()
    stage.model.stop()
    first = stage.run(number)
    assert (first.state, first.attempts) == ("queued", 1)
    assert "the agent could not run" in str(first.error)
    assert jobs.next_due(stage.context) is None  # not at once
    second = stage.concluded(number, lambda _: AgentRun(error="the model is still away"))
    assert (second.state, second.attempts) == ("failed", 2)
    assert "no scenario gave a result in both arms: the agent could not run" in str(second.error)
    rows = stage.results(number)
    assert len(rows) == 4
    assert {row["pass_fail"] for row in rows} == {None}
    failed = stage.experiment(number)
    assert (failed.evaluation_status, failed.verdict, failed.offline_score) == ("failed", None, None)
    assert {run["state"] for run in reports.eval_runs(stage.context, number)} == {"failed"}
    assert reports.latest(stage.context, number) is None
    with pytest.raises(NotEvaluated):
        approval.approve(stage.context, number, SOMEBODY)


def test_a_model_that_hangs_costs_a_few_time_limits_and_not_all_of_them(stage: Stage) -> None:
    stage.settings(timeout_s=2.0)
    for name in ("one", "two", "three", "four"):
        stage.scenario(name)
    number = stage.proposed()
    stage.model.failure = Failure.HANG
    ended = stage.run(number)
    assert (ended.state, ended.attempts) == ("queued", 1)
    rows = stage.results(number)
    assert {row["no_result_reason"] for row in rows} == {
        "the agent could not run: the agent did not finish within 2 seconds"
    }
    assert 4 <= len(rows) < 8
    assert not set(agents()) - set(stage.others)


def test_scenarios_that_nobody_could_judge_are_not_run(stage: Stage) -> None:
    stage.scenario(type="judge", rubric="friendly")
    number = stage.proposed()
    ended = stage.concluded(number, lambda _: ANSWERED)
    assert (ended.state, ended.error, stage.results(number)) == ("finished", NOTHING_TO_RUN, [])
    assert stage.experiment(number).evaluation_status == "unmeasured"


def test_an_arm_without_a_single_result_is_no_measurement(stage: Stage) -> None:
    stage.scenario()
    number = stage.proposed()
    away = AgentRun(error="the model is away")
    ended = stage.concluded(number, lambda task: ANSWERED if task.arm is Arm.BASELINE else away)
    assert (ended.state, ended.attempts) == ("queued", 1)
    assert str(ended.error).endswith("the model is away")
    assert reports.latest(stage.context, number) is None


def test_a_setting_that_no_evaluation_allows_is_a_clear_failure(stage: Stage) -> None:
    stage.settings(toolsets=["browser"])
    stage.scenario()
    number = stage.proposed()
    with pytest.raises(BadInput, match="Toolsets not allowed"):
        stage.run(number)
    failed = jobs.get_job(stage.context, number)
    assert (failed.state, stage.experiment(number).evaluation_status) == ("failed", "failed")
    assert "Toolsets not allowed" in str(failed.error)
    assert {run["state"] for run in reports.eval_runs(stage.context, number)} == {"failed"}


def test_a_database_that_fails_for_a_moment_leaves_the_job_in_the_queue(stage: Stage) -> None:
    stage.scenario()
    number = stage.proposed()

    def locked(_: Job) -> None:
        raise StoreUnavailable("locked")

    with pytest.raises(StoreUnavailable):
        stage.run(number, progress=locked)
    waiting = jobs.get_job(stage.context, number)
    assert (waiting.state, waiting.attempts, waiting.error) == ("queued", 1, "locked")
    assert {run["state"] for run in reports.eval_runs(stage.context, number)} == {"running"}  # what is done is kept


def test_a_job_whose_failure_could_not_even_be_written_down_is_taken_up_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.scenario()
    number = stage.proposed()
    monkeypatch.setattr(_db, "_PATIENCE_S", 0.2)
    other = _db.open_store(stage.context.store.path)
    with ExitStack() as until_later:

        def somebody_holds_the_database(_: Job) -> None:
            until_later.enter_context(other.alone())
            raise RuntimeError("and something is wrong")

        with pytest.raises(StoreUnavailable):
            stage.run(number, progress=somebody_holds_the_database)
    other.close()
    due = jobs.next_due(stage.context)
    assert due is not None
    assert (due.id, due.state) == (number, "running")


# --- who runs it


CLAIM = """
import sys
from karpathy_self_improve.errors import Conflict
from karpathy_self_improve.evaluation import jobs
from karpathy_self_improve.ratchet.context import open_context
context = open_context()
print("ready", flush=True)
sys.stdin.readline()
try:
    with jobs.claimed(context, 1) as job:
        print(job.state, flush=True)
        sys.stdin.readline()
except Conflict as error:
    print(error, flush=True)
"""


def test_of_several_processes_one_gets_the_job_and_a_killed_one_gives_it_up(stage: Stage) -> None:
    stage.proposed()
    command = [sys.executable, "-P", "-c", f"{BOOTSTRAP}{CLAIM}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen(command, env=dict(os.environ), **pipes) for _ in range(3)]  # type: ignore[call-overload]
    assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 3
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    said = [racer.stdout.readline() for racer in racers]
    assert sorted(said) == ["Job 1 is running already (0 of ?).\n"] * 2 + ["running\n"]
    assert jobs.next_due(stage.context) is None
    with pytest.raises(Conflict, match="running already"):
        stage.run(1)
    for racer in racers:
        racer.kill()
        racer.communicate()
    due = jobs.next_due(stage.context)
    assert due is not None
    assert due.state == "running"
    with jobs.claimed(stage.context, 1) as job, pytest.raises(Conflict), jobs.claimed(stage.context, 1):
        assert job.id == 1  # not even this process gets it twice
    assert list((stage.context.data / "locks").glob("job-*")) != []
    jobs.cancel(stage.context, 1, SOMEBODY)
    with pytest.raises(Conflict, match="cancelled"):
        stage.run(1)
    with pytest.raises(UnknownJob):
        stage.run(99)


def test_an_interrupted_evaluation_goes_back_into_the_queue(stage: Stage) -> None:
    stage.scenario()
    number = stage.proposed()

    def interrupt(_: Job) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.run(number, progress=interrupt)
    assert jobs.get_job(stage.context, number).state == "queued"
    asked = threading.Event()
    asked.set()
    assert stage.run(number, stop=asked).state == "queued"
    assert stage.experiment(number).evaluation_status == "queued"
    due = jobs.next_due(stage.context)
    assert due is not None
    assert stage.model.requests == 0


def test_an_evaluation_asked_for_twice_is_one_job(stage: Stage) -> None:
    number = stage.proposed()
    assert jobs.queue_evaluation(stage.context, number, SOMEBODY).id == 1
    with jobs.claimed(stage.context, 1):
        assert jobs.queue_evaluation(stage.context, number, SOMEBODY).id == 1
        assert jobs.cancel(stage.context, 1, SOMEBODY).state == "running"
        assert jobs.queue_evaluation(stage.context, number, SOMEBODY).id == 2  # the first one is ending
    experiments.reject(stage.context, number, SOMEBODY, "no")
    with pytest.raises(Conflict, match="only a proposal"):
        jobs.queue_evaluation(stage.context, number, SOMEBODY)
    assert [job.id for job in jobs.list_jobs(stage.context, limit=1)] == [2]
    for wrong in ({"state": "lost"}, {"limit": 0}, {"limit": 1_001}):
        with pytest.raises(BadInput):
            jobs.list_jobs(stage.context, **wrong)  # type: ignore[arg-type]


def test_jobs_are_due_oldest_first_and_not_before_their_time(stage: Stage) -> None:
    for word in ("Never", "Never ever", "Please never"):
        stage.proposed(f"{OLD}{word} apologise.\n")
    with stage.context.store.write() as tx:
        assert jobs.retry_later(tx, jobs.load(tx, 1), "the model was away")
    due = jobs.next_due(stage.context)
    assert due is not None
    assert due.id == 2
    other = jobs.next_due(stage.context, without={2})
    assert other is not None
    assert other.id == 3


# --- cancelled


def test_a_queued_job_is_cancelled_at_once(stage: Stage) -> None:
    number = stage.proposed()
    cancelled = jobs.cancel(stage.context, number, SOMEBODY)
    assert (cancelled.state, cancelled.error) == ("cancelled", "cancelled by somebody")
    assert stage.experiment(number).evaluation_status == "unmeasured"
    assert jobs.cancel(stage.context, number, SOMEBODY) == cancelled


def test_a_running_job_is_cancelled_with_the_agents_it_started(stage: Stage) -> None:
    stage.scenario()
    number = stage.proposed()
    stage.model.failure = Failure.HANG
    thread = stage.in_background(number)
    wait_for(lambda: stage.model.requests > 0)
    assert set(agents()) - set(stage.others)
    with pytest.raises(Conflict, match="running already"):
        stage.run(number)
    jobs.cancel(stage.context, number, SOMEBODY)
    thread.join(30)
    ended = jobs.get_job(stage.context, number)
    assert (ended.state, ended.error) == ("cancelled", "cancelled by somebody")
    assert not set(agents()) - set(stage.others)
    assert stage.results(number) == []
    assert {run["state"] for run in reports.eval_runs(stage.context, number)} == {"failed"}
    assert list((stage.context.data / "locks").glob("job-*")) == []


def test_a_rejected_proposal_is_not_evaluated(stage: Stage) -> None:
    stage.scenario()
    number = stage.proposed()
    experiments.reject(stage.context, number, SOMEBODY, "no")
    ended = stage.run(number)
    assert (ended.state, ended.error, stage.model.requests) == ("cancelled", "the proposal was rejected", 0)


# --- nothing to measure


def test_a_profile_whose_scenarios_were_all_deleted_stays_unmeasured(stage: Stage) -> None:
    """Paused as well: an evaluation changes no profile."""
    scenarios.delete_scenario(stage.context, stage.scenario(), SOMEBODY)
    number = stage.proposed()
    controls.pause(stage.context, "default", SOMEBODY)
    ended = stage.run(number)
    assert (ended.state, ended.error) == ("finished", NOTHING_TO_RUN)
    unmeasured = stage.experiment(number)
    assert (unmeasured.evaluation_status, unmeasured.verdict, unmeasured.offline_score) == ("unmeasured", None, None)
    assert reports.latest(stage.context, number) is None
    controls.resume(stage.context, "default", SOMEBODY)
    with pytest.raises(NotEvaluated, match="unmeasured"):
        approval.approve(stage.context, number, SOMEBODY)
    assert approval.approve(stage.context, number, SOMEBODY, override_reason="tiny").state == "approved"


def test_a_profile_without_scenarios_is_measured_on_starter_ones(stage: Stage) -> None:
    number = stage.proposed()
    asked = threading.Event()
    asked.set()
    stage.run(number, stop=asked)
    found = scenarios.list_scenarios(stage.context, "default")
    assert {one.source for one in found} == {"starter"}
    assert reports.eval_runs(stage.context, number)[0]["scenario_set_hash"] == scenarios.set_hash(found)


def test_a_cancelled_second_evaluation_leaves_the_first_ones_word(stage: Stage) -> None:
    number = stage.proposed()
    with stage.context.store.write() as tx:
        reports.store(tx, experiments.load(tx, number), {"verdict": "failed"})
    jobs.cancel(stage.context, number, SOMEBODY)
    assert stage.experiment(number).evaluation_status == "finished"


def test_what_was_measured_under_other_rules_is_measured_again(stage: Stage) -> None:
    """A killed evaluation goes on only while scenarios, repeats and evaluator are what they were."""
    stage.scenario()
    number = stage.proposed()
    asked = threading.Event()
    asked.set()
    for runs in (2, 2):
        stage.run(number, stop=asked)
        assert len(reports.eval_runs(stage.context, number)) == runs
    stage.settings(repeats=2)
    stage.run(number, stop=asked)
    stage.scenario("another")
    stage.run(number, stop=asked)
    states = [run["state"] for run in reports.eval_runs(stage.context, number)]
    assert states == ["failed"] * 4 + ["running"] * 2
