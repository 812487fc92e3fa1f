"""Nothing is run any more once a cap is reached, judge included, and an unknown price never counts as nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from karpathy_self_improve import clock, schema
from karpathy_self_improve.demo.scripted_model import ScriptedModel
from karpathy_self_improve.evaluation import jobs, service
from karpathy_self_improve.evaluation.jobs import Job
from karpathy_self_improve.evaluation.running import budgets
from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.settings import BudgetSettings

SOMEBODY = Actor("somebody", "os:somebody")


class Books:
    """Two jobs of one profile, and what has been spent on them."""

    def __init__(self, home: Path, model: ScriptedModel) -> None:
        self.home, self.model = home, model
        self.open()
        for rule in ("Be kind.", "Be brief."):
            soul = (home / "SOUL.md").read_text() + f"{rule}\n"
            number = experiments.propose(self.context, "default", "SOUL.md", soul.encode(), "why", SOMEBODY).id
            jobs.queue_evaluation(self.context, number, SOMEBODY)

    def open(self, **budget: object) -> None:
        ours = {"approval": "unsigned", "evaluation": {"repeats": 1, "budget": budget}}
        plugins = {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": ours}}
        (self.home / "config.yaml").write_text(json.dumps({"model": self.model.model_settings(), "plugins": plugins}))
        self.context: Context = open_context()

    def spend(self, job: int, *, cost: int | None, tokens: int = 100, calls: int = 2, days_ago: int = 0) -> None:
        moment = clock.stamp(clock.now() - timedelta(days=days_ago))
        row = {"job_id": job, "profile": "default", "tries": 1, "created_at": moment}
        with self.context.store.write() as tx:
            tx.execute(insert(schema.spending).values(**row, calls=calls, tokens=tokens, cost_micro_usd=cost))

    def vote(self, experiment: int, *, cost: int | None) -> None:
        row = {"judge_run_id": "j", "experiment_id": experiment, "purpose": "canary", "verdict": "pass"}
        spent = {"input_tokens": 30, "output_tokens": 20, "cost_micro_usd": cost, "created_at": clock.stamp()}
        with self.context.store.write() as tx:
            tx.execute(insert(schema.judge_votes).values(**row, **spent))

    def reached(self, job: int, **budget: object) -> budgets.Reached | None:
        with self.context.store.read() as tx:
            return budgets.reached(tx, BudgetSettings.model_validate(budget), jobs.load(tx, job))


@pytest.fixture
def books(home: Path) -> Iterator[Books]:
    with ScriptedModel() as model:
        made = Books(home, model)
        yield made
        made.context.store.close()


def test_each_scope_counts_its_own_runs(books: Books) -> None:
    books.spend(1, cost=600_000)
    books.spend(2, cost=600_000)
    books.spend(1, cost=600_000, days_ago=2)
    assert books.reached(1, run={"usd": 1.3}) is None
    assert books.reached(2, run={"usd": 1.1}) is None
    for scope, limit in (("run", 1.2), ("day", 1.2), ("profile", 1.2)):
        found = books.reached(1, **{scope: {"usd": limit}})
        assert found is not None
        assert f"1.20 of 1.20 dollars (evaluation.budget.{scope}.usd)" in found.reason
        assert (found.until is None) == (scope == "run")
    assert books.reached(1, run={"calls": 5, "tokens": 201}) is None
    assert "4 of 4 calls" in str(books.reached(1, run={"calls": 4}))
    assert "200 of 200 tokens" in str(books.reached(1, run={"tokens": 200}))


def test_calls_of_the_judge_count_too(books: Books) -> None:
    books.spend(1, cost=1)
    assert books.reached(1, day={"calls": 3}) is None
    books.vote(1, cost=5)
    assert "3 of 3 calls" in str(books.reached(1, day={"calls": 3}))
    assert "150 of 150 tokens" in str(books.reached(1, profile={"tokens": 150}))


def test_an_unknown_price_is_never_taken_for_nothing(books: Books) -> None:
    books.spend(1, cost=None)
    assert "the price of 1 runs or votes is unknown" in str(books.reached(1, run={"usd": 1_000}))
    assert books.reached(1, run={"tokens": 1_000}) is None
    books.vote(2, cost=None)
    assert "the price of 2 runs or votes is unknown" in str(books.reached(1, day={"usd": 1_000}))


def run(books: Books, number: int) -> Job:
    return service.run_job(books.context, number)


def test_a_job_over_its_days_cap_waits_for_tomorrow_without_a_call(books: Books) -> None:
    books.spend(1, cost=1)
    books.open(day={"calls": 2})
    waiting = run(books, 2)
    assert waiting.state == "queued"
    assert "evaluation.budget.day.calls" in str(waiting.error)
    assert jobs.next_due(books.context, without=[1]) is None
    assert books.model.requests == 0


def test_a_job_that_reaches_its_own_cap_ends_and_says_so(books: Books) -> None:
    books.open(run={"calls": 1})
    ended = run(books, 1)
    assert ended.state == "failed"
    assert "of 1 calls (evaluation.budget.run.calls)" in str(ended.error)
    assert 1 <= books.model.requests <= 2  # one for each run that was under way together
    assert (ended.done, ended.seed is None) == (books.model.requests, False)
