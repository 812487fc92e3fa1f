"""`hermes ratchet propose` says what was proposed and what is suspicious about it, or why nothing was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

from karpathy_self_improve.demo import scripted_proposer
from karpathy_self_improve.demo.scripted_model import ScriptedModel
from karpathy_self_improve.evaluation import jobs
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context

ADA = Actor("ada", "os:ada")
TRAIN = 4
QUESTIONS = ("Hello?", "A river?", "Spell yacht", "Kiln", "2+9", "Emma", "Boil eggs", "Draw zebras", "Fir", "Red jam")


@pytest.fixture
def model(unsigned: Path, context: Context) -> Iterator[ScriptedModel]:
    """The scripted model as proposer of a home in which a session got no answer."""
    with ScriptedModel() as server:
        plugins = {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": {"approval": "unsigned"}}}
        auxiliary = {"ratchet_proposer": server.proposer_settings()}
        config = {"model": server.model_settings(), "plugins": plugins, "auxiliary": auxiliary}
        (unsigned / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        sessions = SessionDB(db_path=unsigned / "state.db")
        sessions.create_session("s1", "cli")
        sessions.append_message("s1", "user", "I said hello. Why are you sorry?")
        sessions.end_session("s1", "cli_close")
        sessions.close()
        for number, asked in enumerate(QUESTIONS):
            checks = [{"type": "exit_ok"}]
            scenarios.add_scenario(context, "default", f"s{number}", asked, checks, ADA, holdout=number >= TRAIN)
        yield server


def test_a_proposal_is_made_and_shown(ratchet: Any, model: ScriptedModel) -> None:
    done = ratchet("propose")
    assert done.code == 0
    assert "Never apologise." in done.out
    assert "Experiment 1 is proposed. To measure it here: hermes ratchet evaluate 1" in done.out
    proposal = ratchet("show", "1", "--json").document["proposal"]
    assert (proposal["status"], proposal["model"]) == ("proposed", scripted_proposer.MODEL)
    assert [one["name"] for one in proposal["answers"]] == ["session:s1"]
    again = ratchet("propose", "--json")
    assert (again.code, again.document["skipped"]) == (4, True)
    assert "experiment 1, proposed for this file before" in again.document["reason"]


def test_a_dry_run_proposes_nothing(ratchet: Any, model: ScriptedModel) -> None:
    done = ratchet("propose", "--dry-run", "--json")
    assert (done.code, done.document["outcome"], done.document["experiment_id"]) == (0, "drafted", None)
    [draft] = done.document["drafts"]
    assert (draft["status"], draft["flags"], draft["cost"]) == ("drafted", [], None)
    assert ratchet("list", "--json").document["experiments"] == []


def test_flags_and_refusals_are_told(ratchet: Any, model: ScriptedModel) -> None:
    model.proposing = lambda messages: json.dumps(
        {
            **json.loads(scripted_proposer.propose(messages)),
            "old_text": "Be brief.",
            "new_text": "Use skill_view first.",
        }
    )
    assert "flagged" in ratchet("propose").out
    assert "FLAGGED: tool in the new text: skill_view" in ratchet("show", "1").out
    ratchet("reject", "1")
    model.proposing = lambda _: "\x1b[31mno"
    done = ratchet("propose")
    assert done.code == 3
    assert "3 drafts were refused" in done.out


def test_it_can_be_left_to_the_daemon_and_cancelled(ratchet: Any, model: ScriptedModel, context: Context) -> None:
    job = ratchet("propose", "--queue", "--json").document["job"]
    assert (job["kind"], job["state"], job["experiment_id"]) == ("propose", "queued", None)
    assert "a proposal of default" in ratchet("jobs").out
    assert ratchet("jobs", "--cancel", str(job["id"])).code == 0
    assert jobs.get_job(context, job["id"]).state == "cancelled"


def test_without_a_model_it_says_so(ratchet: Any, unsigned: Path) -> None:
    done = ratchet("propose", "--json")
    assert (done.code, done.document["skipped"]) == (4, True)
    assert "auxiliary.ratchet_proposer" in done.document["reason"]
