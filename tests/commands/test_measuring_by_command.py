"""Scenarios, evaluations and jobs by typed commands; an evaluation runs the real agent on the scripted model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.commands import measuring
from karpathy_self_improve.demo.scripted_model import CONTEXT_LENGTH, MODEL, Failure, ScriptedModel

CHECKS = '[{"type": "must_contain", "value": "Ada"}]'


@pytest.fixture
def model(unsigned: Path) -> Iterator[ScriptedModel]:
    """The scripted model, named in both profiles' configurations."""
    with ScriptedModel() as running:
        settings = (
            f"model: {{default: {MODEL}, provider: custom, base_url: '{running.base_url}', api_key: scripted,"
            f" context_length: {CONTEXT_LENGTH}}}\n"
        )
        for place in (unsigned, unsigned / "profiles" / "coder"):
            config = place / "config.yaml"
            ours = config.read_text(encoding="utf-8").replace("unsigned}", "unsigned, evaluation: {repeats: 1}}")
            config.write_text(settings + ours, encoding="utf-8")
        yield running


@pytest.fixture
def proposed(ratchet: Any, unsigned: Path) -> None:
    """One scenario, and a proposal that makes it pass."""
    assert ratchet("scenario", "add", "--name", "named", "--input", "Who am I?", "--checks", CHECKS).code == 0
    assert ratchet("new", "--replace", "Say hello.", "Call the user Ada.").code == 0


def test_an_evaluation_here_ends_with_its_report(ratchet: Any, model: ScriptedModel, proposed: None) -> None:
    done = ratchet("evaluate", "1")
    assert done.code == 4, done.err  # one run of each says nothing about how steady they are
    assert "finished, no verdict" in done.out
    assert "named" in done.out
    assert "Set evaluation.repeats to 2 or more." in done.out
    shown = ratchet("show", "1", "--json").document
    assert (shown["experiment"]["baseline_score"], shown["experiment"]["offline_score"]) == (0.0, 1.0)
    assert shown["report"]["verdict"] == "no verdict"
    assert ratchet("status", "--json").document["profiles"][0]["evaluation"] == "measured"
    refused = ratchet("approve", "1")
    assert (refused.code, "The offline gate did not let experiment 1 pass" in refused.err) == (3, True)
    assert ratchet("approve", "1", "--override", "it is what I want").code == 0


def test_ctrl_c_ends_an_evaluation_with_a_word_and_puts_it_back(
    ratchet: Any, model: ScriptedModel, proposed: None
) -> None:
    model.failure = Failure.HANG
    code = "import sys; from karpathy_self_improve.commands import entry; sys.exit(entry.main(['evaluate', '1']))"
    started = subprocess.Popen([sys.executable, "-P", "-c", code], env=os.environ, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not model.requests and time.monotonic() < deadline:
        time.sleep(0.1)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert (started.returncode, err.strip()) == (130, "Stopped.")
    (job,) = ratchet("jobs", "--json").document["jobs"]
    assert job["state"] == "queued"


@pytest.mark.parametrize("number", measuring._ENDINGS, ids=lambda number: number.name)
def test_whatever_ends_a_command_politely_ends_its_agents_first(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def work() -> None:
        with measuring._interrupt_asks_to_stop() as stop:
            os.kill(os.getpid(), number)
            assert stop.wait(10)
            assert signal.getsignal(number) is before  # the second time it is meant at once

    with pytest.raises(KeyboardInterrupt):
        work()
    assert signal.getsignal(number) is before


def test_a_queued_evaluation_can_be_cancelled(ratchet: Any, proposed: None) -> None:
    job = ratchet("evaluate", "1", "--queue", "--json").document["job"]
    assert job["state"] == "queued"
    assert ratchet("jobs", "--cancel", str(job["id"]), "--json").document["job"]["state"] == "cancelled"
    assert ratchet("jobs", "--state", "queued", "--json").document["jobs"] == []
    assert ratchet("jobs", "--cancel", "99").code == 2


def test_a_scenario_is_added_shown_and_taken_out_of_use(ratchet: Any, unsigned: Path) -> None:
    words = ("--target", "coder", "--name", "greets", "--input", "-", "--checks", '[{"type": "exit_ok"}]', "--critical")
    number = str(ratchet("scenario", "add", *words, "--json", stdin="Hello?\n").document["scenario_id"])
    shown = ratchet("scenario", "show", number, "--json").document["scenario"]
    assert (shown["profile"], shown["input"], shown["critical"]) == ("coder", "Hello?\n", 1)
    assert "exit_ok" in ratchet("scenario", "list", "--target", "coder").out
    assert ratchet("scenario", "delete", number).code == 0
    assert ratchet("scenario", "delete", number).code == 2
    assert ratchet("scenario", "show", number).code == 2


WRONG = {
    "not JSON": ("--checks", "nonsense"),
    "not a list": ("--checks", "{}"),
    "unknown check": ("--checks", '[{"type": "mind_reading"}]'),
    "unknown profile": ("--target", "nobody"),
    "a name with an escape": ("--name", "a\x1b[2J"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_scenario_is_refused_and_not_kept(ratchet: Any, unsigned: Path, what: str) -> None:
    done = ratchet("scenario", "add", "--name", "n", "--input", "i", *WRONG[what])
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert ratchet("scenario", "list", "--json").document["scenarios"] == []


def test_a_held_out_scenario_shows_its_name_only(ratchet: Any, unsigned: Path) -> None:
    secret = "the question nobody may see"
    ratchet("scenario", "add", "--name", "hidden", "--input", secret, "--checks", CHECKS, "--holdout")
    for words in (("scenario", "list"), ("scenario", "list", "--holdout"), ("scenario", "show", "1"), ("status",)):
        for form in ((), ("--json",)):
            done = ratchet(*words, *form)
            assert done.code == 0
            assert secret not in done.out
            assert "must_contain" not in done.out
    assert "hidden" in ratchet("scenario", "list", "--holdout").out
    assert "hidden" not in ratchet("scenario", "list").out
