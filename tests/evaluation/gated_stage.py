"""A profile with train and held-out scenarios, and runs that come to what a test says: no agent is started."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from karpathy_self_improve.evaluation import service
from karpathy_self_improve.evaluation.gating import reports
from karpathy_self_improve.evaluation.jobs import Job
from karpathy_self_improve.evaluation.running.exposure import Arm
from karpathy_self_improve.evaluation.running.runner import AgentRun, RunRequest
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context

SOMEBODY = Actor("somebody", "os:somebody")
OLD = "# Soul\n\nYou are a helpful agent.\n"
GOOD, BAD = "good", "bad"
Says = Callable[[RunRequest], str]
QUESTIONS = (
    "Which bird sings at night in the old mill?",
    "Name a river that crosses two deserts.",
    "How long does a copper roof stay brown?",
    "What did sailors eat during a calm?",
    "Who paints the stripes on a football field?",
    "Where do glaciers keep their oldest air?",
    "Why does bread go stale faster in a fridge?",
    "When was the first pencil sharpened by a machine?",
    "Is a tomato heavier after the rain?",
    "Which knot holds best on wet rope?",
    "What colour is the shadow of a flame?",
    "How do bees find the door of a hive?",
    "Can a violin be tuned by candle light?",
    "Whose signature is under the oldest map?",
    "Does thunder travel through a tunnel?",
    "What makes a stone skip on a lake?",
)


def improved(request: RunRequest) -> str:
    return GOOD if request.arm is Arm.CANDIDATE else BAD


def same(request: RunRequest) -> str:
    """Passes and fails the same scenarios whatever the version."""
    return BAD if QUESTIONS.index(request.scenario_input) % 4 else GOOD


class Runs(Executor):
    """Answers at once, and keeps what it was asked."""

    def __init__(self, says: Says) -> None:
        self.says, self.asked = says, list[RunRequest]()

    def submit(self, _: Any, request: RunRequest, /) -> Future[AgentRun]:  # type: ignore[override]
        self.asked.append(request)
        done: Future[AgentRun] = Future()
        done.set_result(AgentRun(answer=self.says(request), completed=True, exposed=True, model="m", provider="p"))
        return done


class Stage:
    """One profile; scenarios pass when the answer is good."""

    def __init__(self, home: Path) -> None:
        self.home, self.opened, self.files = home, list[Context](), 0
        (home / "SOUL.md").write_text(OLD)
        self.configure()

    @property
    def context(self) -> Context:
        return self.opened[-1]

    def configure(self, host: dict[str, Any] | None = None, **evaluation: object) -> None:
        """``host`` are sections of the host's own, such as ``model`` and ``auxiliary``."""
        ours = {"approval": "unsigned", "evaluation": {"repeats": 2, "workers": 4, **evaluation}}
        plugins = {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": ours}}
        (self.home / "config.yaml").write_text(json.dumps({"plugins": plugins, **(host or {})}))
        self.opened.append(open_context())

    def scenarios(self, train: int, holdout: int, critical: Sequence[int] = (), **options: Any) -> None:
        """Number 0 to ``train`` - 1 are train, the next ones held out; ``critical`` holds numbers."""
        for number, question in enumerate(QUESTIONS[: train + holdout]):
            self.scenario(f"q{number}", question, holdout=number >= train, critical=number in critical, **options)

    def scenario(self, name: str, question: str, *, check: dict[str, Any] | None = None, **options: Any) -> int:
        checks = [check or {"type": "must_contain", "value": GOOD}]
        return scenarios.add_scenario(self.context, "default", name, question, checks, SOMEBODY, **options).id

    def proposed(self, line: str = "Be kind.") -> int:
        content = f"{OLD}{line}\n".encode()
        return experiments.propose(self.context, "default", "SOUL.md", content, "why", SOMEBODY).id

    def evaluated(self, says: Says, number: int | None = None) -> tuple[int, Runs]:
        """An experiment that was evaluated, anew when it has a number, and what the agent was asked."""
        experiment, runs = number or self.proposed(f"Be kind {len(self.jobs())} times."), Runs(says)
        self.run(experiment, runs)
        return experiment, runs

    def run(self, experiment: int, runs: Runs, stop: threading.Event | None = None) -> Job:
        from karpathy_self_improve.evaluation import jobs

        job = jobs.queue_evaluation(self.context, experiment, SOMEBODY)
        return service.run_job(self.context, job.id, executor=runs, stop=stop)

    def jobs(self) -> list[Job]:
        from karpathy_self_improve.evaluation import jobs

        return jobs.list_jobs(self.context)

    def report(self, number: int) -> dict[str, Any]:
        found = reports.latest(self.context, number)
        assert found is not None
        return found

    def rows(self, table: str) -> list[dict[str, Any]]:
        with self.context.store.read() as tx:
            return [dict(row._mapping) for row in tx.exec_driver_sql(f"SELECT * FROM {table} ORDER BY id")]


def held_out(runs: Runs, train: int) -> int:
    """How many of the runs were on held-out scenarios."""
    return sum(QUESTIONS.index(request.scenario_input) >= train for request in runs.asked)
