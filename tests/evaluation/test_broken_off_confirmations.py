"""A change has one draw on a held-out set: whoever breaks it off goes on with it, or has lost it."""

from __future__ import annotations

import runpy
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from karpathy_self_improve.evaluation import jobs
from karpathy_self_improve.evaluation.gating.draws import ConfirmationUnderWay
from karpathy_self_improve.evaluation.running import scheduling
from karpathy_self_improve.evaluation.running.exposure import Arm
from karpathy_self_improve.evaluation.running.runner import RunRequest
from karpathy_self_improve.ratchet import experiments

HERE = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("gated_stage.py"))))
BAD, GOOD, QUESTIONS, SOMEBODY = HERE.BAD, HERE.GOOD, HERE.QUESTIONS, HERE.SOMEBODY
Runs, held_out, improved = HERE.Runs, HERE.held_out, HERE.improved


@pytest.fixture
def stage(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(scheduling, "POLL_S", 0.02)
    made = HERE.Stage(home)
    made.configure(workers=1)
    made.scenarios(6, 6)
    yield made
    for one in made.opened:
        one.store.close()


def overfitted(request: RunRequest) -> str:
    """Better on train, and worse on what is held out."""
    better, train = improved(request) == GOOD, QUESTIONS.index(request.scenario_input) < 6
    return GOOD if better == train else BAD


def broken_off(stage: Any, number: int, *, cancelled: bool = True) -> list[int]:
    """A confirmation that shows no gain and is ended before it is over. Returns the ids of its results."""
    stop = threading.Event()

    def says(request: RunRequest) -> str:
        if held_out(runs, 6) == 12:
            if cancelled:
                jobs.cancel(stage.context, stage.jobs()[0].id, SOMEBODY)
            else:
                stop.set()
            time.sleep(3 * scheduling.POLL_S)  # until somebody asks whether to go on
        return overfitted(request)

    runs = Runs(says)
    assert stage.run(number, runs, stop).state == ("cancelled" if cancelled else "queued")
    kept = held_out_results(stage)
    assert 4 <= len(kept) < 24
    return kept


def held_out_results(stage: Any) -> list[int]:
    return [row["id"] for row in stage.rows("experiment_scenario_results") if row["split"] == "holdout"]


def test_a_cancelled_confirmation_goes_on_with_the_results_it_had(stage: Any) -> None:
    number = stage.proposed()
    kept = broken_off(stage, number)
    rest = Runs(improved)
    assert stage.run(number, rest).state == "finished"
    assert held_out(rest, 6) == 24 - len(kept)
    assert stage.report(number)["verdict"] == "failed"
    [confirmation] = stage.rows("confirmations")
    results = [row for row in stage.rows("experiment_scenario_results") if row["split"] == "holdout"]
    assert {row["eval_run_id"] for row in results} == {
        confirmation["baseline_run_id"],
        confirmation["candidate_run_id"],
    }
    assert stage.report(number)["holdout_set"]["confirmations"] == 1


def test_so_does_one_of_the_same_change_proposed_again(stage: Any) -> None:
    first = stage.proposed()
    kept = broken_off(stage, first)
    experiments.reject(stage.context, first, SOMEBODY, "again")
    second, rest = stage.proposed(), Runs(improved)
    assert stage.run(second, rest).state == "finished"
    assert held_out(rest, 6) == 24 - len(kept)
    assert stage.report(second)["verdict"] == "failed"


def test_scenarios_added_meanwhile_take_no_part_in_it(stage: Any) -> None:
    number = stage.proposed()
    kept = broken_off(stage, number)
    stage.scenario("later", QUESTIONS[15], holdout=True)
    rest = Runs(improved)
    stage.run(number, rest)
    assert held_out(rest, 6) == 24 - len(kept)
    assert QUESTIONS[15] not in {request.scenario_input for request in rest.asked}
    assert stage.report(number)["holdout"]["scenarios"] == 6


def test_what_cannot_be_gone_on_with_is_lost_and_takes_a_place(stage: Any) -> None:
    number = stage.proposed()
    broken_off(stage, number)
    stage.configure(workers=1, repeats=3)
    for _ in range(2):
        rest = Runs(improved)
        assert stage.run(number, rest).state == "finished"
        assert held_out(rest, 6) == 0
        assert stage.report(number)["verdict"] == "no verdict"
    stage.configure(workers=1)  # nor does it come back with the settings
    assert stage.run(number, rest).state == "finished"
    assert (stage.report(number)["verdict"], held_out(rest, 6)) == ("no verdict", 0)
    assert [row["p"] for row in stage.rows("confirmations")] == [None]
    other, _ = stage.evaluated(improved)
    assert stage.report(other)["verdict"] == "passed"
    assert stage.report(other)["holdout"]["adjusted_p"] == 3 / 64
    assert stage.report(other)["holdout_set"]["confirmations"] == 2


def test_the_same_job_cannot_have_it_drawn_anew_either(stage: Any) -> None:
    number = stage.proposed()
    broken_off(stage, number, cancelled=False)
    stage.configure(workers=1, repeats=3)
    rest = Runs(improved)
    assert stage.run(number, rest).state == "finished"
    assert (stage.report(number)["verdict"], held_out(rest, 6)) == ("no verdict", 0)


def test_two_jobs_never_draw_for_one_change_at_the_same_time(stage: Any) -> None:
    first = stage.proposed()
    broken_off(stage, first, cancelled=False)
    busy = stage.jobs()[0].id
    with stage.context.store.write() as tx:
        tx.exec_driver_sql("UPDATE jobs SET state = 'running' WHERE id = ?", (busy,))
    second, rest = stage.proposed(), Runs(improved)
    with pytest.raises(ConfirmationUnderWay, match=f"Job {busy} "):
        stage.run(second, rest)
    assert (held_out(rest, 6), stage.jobs()[0].state) == (0, "queued")


def test_a_hostile_answer_on_a_held_out_scenario_ends_no_evaluation(stage: Any) -> None:
    def halves(request: RunRequest) -> Any:
        return f"{improved(request)} \ud800" if QUESTIONS.index(request.scenario_input) >= 6 else improved(request)

    number, _ = stage.evaluated(halves)
    assert stage.report(number)["verdict"] == "passed"
    assert {row["arm"] for row in stage.rows("experiment_scenario_results")} == set(Arm)
