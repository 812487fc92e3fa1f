"""A report compares what can be compared, says so when nothing can, and never changes once it is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from karpathy_self_improve.evaluation import reports
from karpathy_self_improve.evaluation.exposure import Arm
from karpathy_self_improve.evaluation.reports import OfflineVerdict
from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context

B, C = Arm.BASELINE, Arm.CANDIDATE
Results = dict[int, tuple[list[int | None], list[int | None]]]


def rows(results: Results) -> list[dict[str, Any]]:
    """Stored results from, per scenario, the passes of the baseline's and of the candidate's runs."""
    listed = []
    for scenario, arms in results.items():
        for arm, passes in zip(Arm, arms, strict=True):
            for passed in passes:
                snapshot = json.dumps({"name": f"scenario {scenario}"})
                row = {"scenario_id": scenario, "arm": arm.value, "pass_fail": passed, "scenario_snapshot": snapshot}
                listed.append({"id": len(listed) + 1, **row})
    return listed


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ({1: ([0], [1])}, OfflineVerdict.IMPROVED),
        ({1: ([1], [0])}, OfflineVerdict.WORSE),
        ({1: ([1], [1])}, OfflineVerdict.UNCHANGED),
        ({1: ([0], [1]), 2: ([1], [0])}, OfflineVerdict.MIXED),
        ({1: ([0, 1], [1, 1]), 2: ([1, 1], [1, 1])}, OfflineVerdict.IMPROVED),
        ({1: ([0], [1]), 2: ([1], [None])}, OfflineVerdict.IMPROVED),
        ({1: ([1], [None]), 2: ([None], [1])}, OfflineVerdict.NO_RESULT),
        ({1: ([None], [None])}, OfflineVerdict.NO_RESULT),
        ({}, OfflineVerdict.NO_RESULT),
    ],
)
def test_the_verdict_is_about_scenarios_with_a_result_in_both_arms(results: Results, verdict: OfflineVerdict) -> None:
    assert reports.verdict(reports.compare(rows(results))) is verdict


def test_a_missing_result_is_no_failure() -> None:
    (compared,) = reports.compare(rows({1: ([1, None], [None, 1])}))
    assert (compared.baseline, compared.candidate, compared.change) == (1.0, 1.0, "unchanged")
    assert reports.pass_rate([]) is None
    assert reports.pass_rate(rows({1: ([None], [None])})) is None


def test_both_scores_are_over_the_same_scenarios() -> None:
    """A candidate that gave no result where the baseline failed must not look better for it."""
    compared = reports.compare(rows({1: ([1], [1]), 2: ([0], [None]), 3: ([1], [0])}))
    assert (reports.score(compared, B), reports.score(compared, C)) == (1.0, 0.5)
    assert reports.score(reports.compare(rows({1: ([1], [None])})), B) is None


@pytest.fixture
def here(home: Any) -> Iterator[Context]:
    opened = open_context()
    yield opened
    opened.store.close()


@pytest.fixture
def experiment(here: Context) -> experiments.Experiment:
    candidate = (here.home("default") / "SOUL.md").read_bytes().replace(b"briefly", b"at length")
    return experiments.propose(here, "default", "SOUL.md", candidate, "why", Actor("somebody", "os:somebody"))


def store(here: Context, experiment: experiments.Experiment, results: Results) -> str:
    with here.store.write() as tx:
        return reports.store(tx, experiment, {"runs": {"baseline": 1, "candidate": 2}}, rows(results))


def test_a_report_names_the_bytes_it_measured_and_is_found_by_them(
    here: Context, experiment: experiments.Experiment
) -> None:
    assert reports.latest(here, experiment.id) is None
    store(here, experiment, {1: ([1], [1])})
    sha256 = store(here, experiment, {1: ([0], [1])})
    found = reports.latest(here, experiment.id)
    assert found is not None
    assert (found["sha256"], found["verdict"]) == (sha256, "improved")
    assert (found["base_sha256"], found["candidate_sha256"]) == (experiment.base_sha256, experiment.candidate_sha256)
    assert (found["baseline_score"], found["candidate_score"], found["result_ids"]) == (0.0, 1.0, [1, 2])
    assert found["scenarios"] == [
        {"scenario_id": 1, "name": "scenario 1", "baseline": 0.0, "candidate": 1.0, "change": "fixed"}
    ]


def test_a_report_is_bound_by_its_hash_and_cannot_be_rewritten(
    here: Context, experiment: experiments.Experiment
) -> None:
    sha256 = store(here, experiment, {1: ([0], [1])})
    with here.store.read() as tx:
        document = tx.exec_driver_sql("SELECT document FROM reports").scalar_one()
    assert hashlib.sha256(document.encode()).hexdigest() == sha256
    for statement in ("UPDATE reports SET document = '{}'", "DELETE FROM reports"):
        with pytest.raises(IntegrityError, match="append-only"), here.store.write() as tx:
            tx.exec_driver_sql(statement)
