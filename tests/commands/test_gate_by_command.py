"""What the gate says is shown in sentences, ends in an exit code, and decides what `approve` takes without a reason."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

HERE = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "evaluation" / "gated_stage.py")))


@pytest.fixture
def stage(home: Path) -> Iterator[Any]:
    made = HERE.Stage(home)
    yield made
    for one in made.opened:
        one.store.close()


def test_a_change_that_passed_is_shown_with_both_splits_and_approved(stage: Any, ratchet: Any) -> None:
    stage.scenarios(6, 6)
    stage.evaluated(HERE.improved)
    shown = " ".join(ratchet("show", "1").out.split())
    assert "A gain on train, and again on held-out (p = 0.0156, limit 0.0167)." in shown
    assert "Train: +100 points (90% interval +100 points to +100 points); 6 won, 0 tied, 0 lost" in shown
    assert "Held-out (version 1): +100 points" in shown
    assert "hermes ratchet approve 1" in shown
    assert ratchet("approve", "1").code == 0


@pytest.mark.parametrize(
    ("says", "held_out", "code", "words"),
    [
        ("improved", 6, 0, "finished, passed"),
        ("same", 6, 3, "No gain on train: no difference."),
        ("improved", 0, 4, "There are no held-out scenarios that could tell; it takes 6"),
    ],
)
def test_the_verdict_is_an_exit_code(
    stage: Any, ratchet: Any, monkeypatch: pytest.MonkeyPatch, says: str, held_out: int, code: int, words: str
) -> None:
    from karpathy_self_improve.commands import measuring
    from karpathy_self_improve.evaluation import service

    def run_job(context: Any, job_id: int, tell: Any, *, stop: Any) -> Any:
        return service.run_job(context, job_id, tell, stop=stop, executor=HERE.Runs(getattr(HERE, says)))

    monkeypatch.setattr(measuring, "service", SimpleNamespace(run_job=run_job))
    stage.scenarios(8, held_out)
    stage.proposed()
    done = ratchet("evaluate", "1")
    assert (done.code, words in " ".join(done.out.split())) == (code, True), done.out + done.err


def test_what_did_not_pass_is_refused_with_the_reason_and_the_way_out(stage: Any, ratchet: Any) -> None:
    stage.scenarios(8, 0)
    stage.evaluated(HERE.same)
    assert "hermes ratchet approve 1 --override TEXT" in " ".join(ratchet("show", "1").out.split())
    refused = ratchet("approve", "1")
    assert refused.code == 3
    assert "failed. No gain on train" in " ".join(refused.err.split())
    assert ratchet("approve", "1", "--override", "I know better").code == 0
    assert "whatever the gate says: I know better" in " ".join(ratchet("show", "1").out.split())


def test_the_held_out_set_shows_how_worn_it_is(stage: Any, ratchet: Any) -> None:
    stage.scenarios(6, 6)
    stage.configure(confirmations=1)
    stage.evaluated(HERE.improved)
    used = ratchet("scenario", "holdout")
    assert used.code == 0
    assert "1 of 1 changes" in used.out
    assert "hermes ratchet scenario rotate" in used.out
    refused = ratchet("scenario", "rotate")
    assert (refused.code, "reviewer" in refused.err) == (3, True)


def test_a_first_set_is_drawn_by_command(stage: Any, ratchet: Any) -> None:
    stage.scenarios(8, 0)
    assert ratchet("scenario", "rotate").code == 0
    assert ratchet("scenario", "holdout", "--json").document["scenarios"] == 4
