"""Runs go a few at a time, each is kept once, and what fails around an agent is tried again a few times, no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from karpathy_self_improve.errors import DiskFailed
from karpathy_self_improve.evaluation.checks import CheckOutcome, Outcome
from karpathy_self_improve.evaluation.judging.grading import Graded
from karpathy_self_improve.evaluation.running import scheduling, timetable
from karpathy_self_improve.evaluation.running.exposure import Arm
from karpathy_self_improve.evaluation.running.runner import AgentRun, RunRequest, Tokens
from karpathy_self_improve.evaluation.running.scheduling import Ending, Finished, Plan

GRADED = Graded(CheckOutcome(Outcome.PASS, (), ""), {})
FAILED = AgentRun(error="the model is away", tokens=Tokens(1, 1, 0, 0, 0, 2), calls=1, transient=True)
ANSWERED = AgentRun(answer="hello", tokens=Tokens(3, 2, 0, 0, 0, 5), calls=2, cost_micro_usd=7)


class Rehearsal:
    """A plan whose runs come to what ``act`` says, and everything that happened in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, act: Callable[[str], AgentRun]) -> None:
        self.kept: list[Finished[str]] = []
        self.batches = 0
        self.at_once = self.most_at_once = 0
        self._counting = threading.Lock()
        self._act = act
        monkeypatch.setattr(scheduling, "run_agent_once", self._run)

    def _run(self, request: RunRequest) -> AgentRun:
        with self._counting:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self._act(request.scenario_input)
        finally:
            with self._counting:
                self.at_once -= 1

    def ending(self) -> Ending | None:
        """Nobody wants it to end, unless a test says so."""

    def keep(self, batch: Sequence[Finished[str]]) -> None:
        self.kept += batch
        self.batches += 1

    def run(self, tasks: Sequence[str], **options: object) -> Ending:
        plan = Plan(
            tasks=tasks,
            request=lambda task: RunRequest(Path(), "SOUL.md", Arm.BASELINE, None, None, task),
            keep=self.keep,
            ending=lambda: self.ending(),
            **{"grade": lambda *_: GRADED, "backoff_s": 0.01, **options},  # type: ignore[arg-type]
        )
        with ThreadPoolExecutor(8) as pool:
            return scheduling.run(plan, pool)


def test_every_task_is_kept_once_and_no_more_run_at_once_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = Rehearsal(monkeypatch, lambda _: time.sleep(0.005) or ANSWERED)  # type: ignore[func-returns-value]
    tasks = [str(n) for n in range(100)]
    assert rehearsal.run(tasks, workers=4) is Ending.FINISHED
    assert sorted(one.task for one in rehearsal.kept) == sorted(tasks)
    assert 1 < rehearsal.most_at_once <= 4


def test_a_failure_around_the_agent_is_tried_again_and_what_each_try_cost_adds_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[str] = []

    def act(task: str) -> AgentRun:
        tries.append(task)
        return ANSWERED if task == "fine" or tries.count(task) > 2 else FAILED

    rehearsal = Rehearsal(monkeypatch, act)
    assert rehearsal.run(["fine", "shaky"], retries=2) is Ending.FINISHED
    runs = {one.task: one.run for one in rehearsal.kept}
    assert (runs["fine"].attempts, runs["fine"].calls) == (1, 2)
    shaky = runs["shaky"]
    assert (shaky.error, shaky.attempts, shaky.calls, shaky.cost_micro_usd) == (None, 3, 4, None)
    assert shaky.tokens is not None
    assert shaky.tokens.total == 9


@pytest.mark.parametrize(("failure", "tries"), [(FAILED, 3), (AgentRun(error="the time was up"), 1)])
def test_retries_are_bounded_and_a_failure_that_would_repeat_gets_none(
    monkeypatch: pytest.MonkeyPatch, failure: AgentRun, tries: int
) -> None:
    counted: list[str] = []
    rehearsal = Rehearsal(monkeypatch, lambda task: counted.append(task) or failure)  # type: ignore[func-returns-value]
    assert rehearsal.run(["one"], retries=2) is Ending.FINISHED
    assert (len(counted), rehearsal.kept[0].run.attempts) == (tries, tries)
    assert rehearsal.kept[0].run.error == failure.error


def test_when_nothing_works_the_rest_is_not_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    rehearsal = Rehearsal(monkeypatch, lambda task: counted.append(task) or FAILED)  # type: ignore[func-returns-value]
    assert rehearsal.run([str(n) for n in range(50)], retries=2, backoff_s=60.0) is Ending.FINISHED
    assert scheduling.OUTAGE <= len(counted) < 50
    assert {one.run.error for one in rehearsal.kept} == {"the model is away"}
    assert len(rehearsal.kept) >= scheduling.OUTAGE


def test_over_budget_nothing_more_starts_and_what_was_under_way_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = Rehearsal(monkeypatch, lambda _: ANSWERED)
    enough = lambda: Ending.OVER_BUDGET if rehearsal.kept else None  # noqa: E731
    assert rehearsal.run([str(n) for n in range(50)], may_start=enough) is Ending.OVER_BUDGET
    assert 1 <= len(rehearsal.kept) < 10


def test_what_cannot_be_kept_ends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = Rehearsal(monkeypatch, lambda _: ANSWERED)

    def full(_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(rehearsal, "keep", full)
    with pytest.raises(OSError, match="full"):
        rehearsal.run([str(n) for n in range(50)])


@pytest.mark.parametrize("raised", [RecursionError("too deep"), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "half")])
def test_what_one_run_raises_is_its_own_result_and_ends_nothing_else(
    monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    def act(task: str) -> AgentRun:
        if task == "3":
            raise raised
        return ANSWERED

    rehearsal = Rehearsal(monkeypatch, act)
    assert rehearsal.run([str(n) for n in range(20)], retries=2) is Ending.FINISHED
    failed = {one.task: str(one.run.error) for one in rehearsal.kept if one.run.error}
    assert len(rehearsal.kept) == 20
    assert failed.keys() == {"3"}
    assert type(raised).__name__ in failed["3"]


@pytest.mark.parametrize("slow", [False, True])
def test_a_run_that_cannot_be_graded_has_no_result_and_says_why(monkeypatch: pytest.MonkeyPatch, slow: bool) -> None:
    def grade(task: str, _: AgentRun) -> Graded:
        if task == "3":
            raise RuntimeError("\ud800" + "x" * 10_000)
        return GRADED

    rehearsal = Rehearsal(monkeypatch, lambda _: ANSWERED)
    assert rehearsal.run([str(n) for n in range(20)], grade=grade, slow_grade=slow) is Ending.FINISHED
    [lost] = [one.graded.outcome for one in rehearsal.kept if one.graded is not GRADED]
    assert lost.outcome is Outcome.NO_RESULT
    assert lost.reason.startswith("the run could not be graded: RuntimeError: ?xxx")
    assert len(lost.reason) < 1_000


def test_what_we_stand_on_ends_everything_when_it_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(_: str) -> AgentRun:
        raise DiskFailed("the disk is full")

    with pytest.raises(DiskFailed):
        Rehearsal(monkeypatch, act).run(["one"])


def test_a_run_that_ended_before_a_stop_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    rehearsal = Rehearsal(monkeypatch, lambda task: ANSWERED if task == "short" or let_go.wait(10) else FAILED)
    threading.Timer(0.5, let_go.set).start()  # as if ended with the stop
    monkeypatch.setattr(scheduling, "POLL_S", 0.01)
    monkeypatch.setattr(rehearsal, "ending", lambda: Ending.STOPPED if rehearsal.kept else None)
    assert rehearsal.run(["short", "long"]) is Ending.STOPPED
    assert [one.task for one in rehearsal.kept] == ["short"]


def test_a_scenario_that_is_refused_says_nothing_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = AgentRun(error="this scenario is not run: it needs the tool 'terminal'", refused=True)
    rehearsal = Rehearsal(monkeypatch, lambda task: refused if int(task) < 10 else ANSWERED)
    assert rehearsal.run([str(n) for n in range(20)], workers=1, retries=2) is Ending.FINISHED
    assert sum(one.run.error is None for one in rehearsal.kept) == 10


def test_the_seed_decides_the_order_and_both_arms_stay_together() -> None:
    order = list(timetable.order(range(20), 3, seed=7))
    assert order == list(timetable.order(range(20), 3, seed=7))
    assert order != list(timetable.order(range(20), 3, seed=8))
    assert len(set(order)) == len(order) == 20 * 2 * 3
    pairs = list(zip(order[::2], order[1::2], strict=True))
    assert all((one[0], one[2]) == (other[0], other[2]) and one[1] != other[1] for one, other in pairs)
    assert {one[1] for one, _ in pairs} == set(Arm)  # neither arm always goes first
    assert [repeat for _, _, repeat in order] == sorted(repeat for _, _, repeat in order)
