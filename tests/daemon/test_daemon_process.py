"""A daemon can be told to stop, killed, frozen out of its database, and another goes on where it was."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from karpathy_self_improve.demo.scripted_model import Failure, ScriptedModel
from karpathy_self_improve.evaluation import jobs
from karpathy_self_improve.evaluation.gating import reports
from karpathy_self_improve.ratchet import lease

Stage = Any
Until = Callable[..., None]
WAITING = "another daemon is at work; waiting to take over when it stops"


class Stalling(ScriptedModel):
    """Answers so many requests and hangs from then on."""

    answers = 1_000

    def record(self, body: dict[str, Any]) -> None:
        super().record(body)
        if self.requests > self.answers:
            self.failure = Failure.HANG


@pytest.fixture
def model() -> Iterator[Stalling]:
    with Stalling() as server:
        yield server


def owner(stage: Stage) -> str | None:
    with stage.context.store.read() as tx:
        held = lease.current(tx)
    return held.owner if held and held.released_at is None else None


def is_heard_of(stage: Stage) -> bool:
    with stage.context.store.read() as tx:
        return lease.is_watched(tx, 1.0)


def serving(stage: Stage, pid: int) -> bool:
    return f":{pid}:" in (owner(stage) or "")


# --- told to stop


def test_a_daemon_stops_when_told_and_says_goodbye(stage: Stage, until: Until) -> None:
    stage.settings({"tick_s": 60.0})
    running = stage.start()
    until(lambda: serving(stage, running.process.pid))
    # Far less than the pause between two rounds.
    assert running.end(signal.SIGINT, within_s=20) == 0
    assert owner(stage) is None


def test_a_daemon_that_is_stuck_is_gone_all_the_same(stage: Stage, until: Until) -> None:
    number = stage.approved()
    (stage.home / "ratchet/locks").mkdir(exist_ok=True)
    with (stage.home / "ratchet/locks/profile-default.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = stage.start()
        until(lambda: serving(stage, running.process.pid))
        # It waits a quarter of a minute for this lock.
        assert running.end(within_s=10) == 0
    assert stage.state(number) == "approved"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_evaluation_cut_short_goes_on_without_repeating_what_was_finished(
    stage: Stage, model: Stalling, until: Until, number: int
) -> None:
    stage.model = model.model_settings()
    stage.settings({"lease_s": 1.0}, evaluation={"workers": 1, "repeats": 1})
    stage.scenario()
    experiment = stage.proposed()
    model.answers = 1
    first = stage.start()
    until(lambda: jobs.get_job(stage.context, 1).done == 1 and model.requests == 2, "half of it")
    agents = psutil.Process(first.process.pid).children(recursive=True)
    assert len(agents) == 1
    finished = reports.results(stage.context, experiment)
    first.end(number)
    assert psutil.wait_procs(agents, timeout=20)[1] == []
    left = jobs.get_job(stage.context, 1)
    assert (left.state, left.done) == ("queued" if number == signal.SIGTERM else "running", 1)
    assert jobs.next_due(stage.context) is not None

    model.answers, model.failure = 1_000, Failure.NONE
    second = stage.start()
    until(lambda: not jobs.get_job(stage.context, 1).is_open, "the rest of it")
    second.end()
    done, results = jobs.get_job(stage.context, 1), reports.results(stage.context, experiment)
    assert (done.state, done.done, done.attempts) == ("finished", 2, 0)
    assert {row["arm"] for row in results} == {"baseline", "candidate"}
    assert results[:1] == finished
    assert model.requests == 3  # one answered, one cut short and asked again
    assert stage.experiment(experiment).offline_score == 1.0


# --- one at a time


def test_a_second_daemon_waits_says_so_and_takes_over_when_the_first_is_killed(stage: Stage, until: Until) -> None:
    stage.settings({"lease_s": 1.0})
    first = stage.start()
    until(lambda: serving(stage, first.process.pid))
    second = stage.start()
    second.says(WAITING)
    assert serving(stage, first.process.pid)
    third = stage.start(once=True)
    assert third.process.wait(30) == 0
    assert "another daemon is at work; nothing to do here" in third.text
    first.end(signal.SIGKILL)
    until(lambda: serving(stage, second.process.pid), "the second one to take over")
    number = stage.approved()
    until(lambda: stage.state(number) == "live")
    assert second.text.count(WAITING) == 1
    second.end()


# --- a bad moment


def test_a_daemon_outlives_a_database_that_is_held_and_a_configuration_that_is_broken(
    stage: Stage, until: Until
) -> None:
    running = stage.start("_db._PATIENCE_S = 0.2")
    until(lambda: serving(stage, running.process.pid))
    with (stage.home / "ratchet/ratchet.db.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running.says("this round failed")
    stage.configure("plugins: [")
    running.says("reading the settings failed")
    number = stage.approved()
    until(lambda: stage.state(number) == "live", "an apply with the settings of before")
    assert running.text.count("reading the settings failed") == 1
    running.end()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can shrink a running process's files")
def test_a_daemon_outlives_a_full_disk(stage: Stage, until: Until) -> None:
    running = stage.start()
    until(lambda: serving(stage, running.process.pid))
    limits = psutil.Process(running.process.pid)
    limits.rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
    until(lambda: not is_heard_of(stage), "silence")
    number = stage.approved()
    assert running.process.poll() is None
    limits.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    until(lambda: stage.state(number) == "live", "an apply")
    running.end()


def test_a_daemon_whose_database_was_replaced_ends_and_says_why(stage: Stage, until: Until) -> None:
    running = stage.start()
    until(lambda: serving(stage, running.process.pid))
    path = stage.context.store.path
    os.replace(path, f"{path}.aside")
    assert running.process.wait(30) == 1
    assert "Restart this process" in running.text
