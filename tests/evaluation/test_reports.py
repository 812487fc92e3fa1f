"""A report compares what can be compared, says so when nothing can, and never changes once it is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from karpathy_self_improve.evaluation.gating import reports
from karpathy_self_improve.evaluation.running.exposure import Arm
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
    ("results", "change", "flaky"),
    [
        (([0], [1]), "fixed", False),
        (([1], [0]), "broken", False),
        (([1, None], [1, 1]), "unchanged", False),
        (([0, 1], [1, 1]), "fixed", True),
        (([1], [None]), "no result", False),
    ],
)
def test_each_scenario_says_what_became_of_it(
    results: tuple[list[int | None], list[int | None]], change: str, flaky: bool
) -> None:
    (compared,) = reports.compare(rows({1: results}))
    assert (compared.change, compared.flaky) == (change, flaky)


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


def store(here: Context, experiment: experiments.Experiment, **facts: Any) -> str:
    with here.store.write() as tx:
        return reports.store(tx, experiment, {"verdict": "failed", **facts})


def test_a_report_names_the_bytes_it_measured_and_is_found_by_them(
    here: Context, experiment: experiments.Experiment
) -> None:
    assert reports.latest(here, experiment.id) is None
    store(here, experiment)
    sha256 = store(here, experiment, verdict="passed")
    found = reports.latest(here, experiment.id)
    assert found is not None
    assert (found["sha256"], found["verdict"], found["diff"]) == (sha256, "passed", experiment.diff)
    assert (found["base_sha256"], found["candidate_sha256"]) == (experiment.base_sha256, experiment.candidate_sha256)


def test_a_report_is_bound_by_its_hash_and_cannot_be_rewritten(
    here: Context, experiment: experiments.Experiment
) -> None:
    sha256 = store(here, experiment)
    with here.store.read() as tx:
        document = tx.exec_driver_sql("SELECT document FROM reports").scalar_one()
    assert hashlib.sha256(document.encode()).hexdigest() == sha256
    for statement in ("UPDATE reports SET document = '{}'", "DELETE FROM reports"):
        with pytest.raises(IntegrityError, match="append-only"), here.store.write() as tx:
            tx.exec_driver_sql(statement)


def test_each_report_is_a_file_of_exactly_its_bytes_which_is_never_written_again(
    here: Context, experiment: experiments.Experiment
) -> None:
    hashes = [store(here, experiment, number=number) for number in (1, 2)]
    paths = reports.write_files(here, experiment.id)
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] == hashes
    assert {path.stat().st_mode & 0o777 for path in (*paths, paths[0].parent)} == {0o600, 0o700}
    paths[0].write_text("somebody's")
    paths[1].unlink()
    assert reports.write_files(here, experiment.id) == paths
    assert paths[0].read_text() == "somebody's"
    assert hashlib.sha256(paths[1].read_bytes()).hexdigest() == hashes[1]


def test_a_report_keeps_no_secret(here: Context, experiment: experiments.Experiment) -> None:
    token = "ghp_" + "A1b2C3d4" * 4 + "E5f6"
    store(here, experiment, answers=[{"summary": f"it said {token}"}], effect=0.5)
    found = reports.latest(here, experiment.id)
    assert found is not None
    assert (found["answers"], found["effect"]) == ([{"summary": "it said <github-token>"}], 0.5)
