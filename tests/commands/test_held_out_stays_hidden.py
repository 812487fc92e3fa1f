"""A word planted in held-out scenarios comes out nowhere: no prompt, route, command, chat, event, report or log."""

from __future__ import annotations

import json
import logging
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from karpathy_self_improve.commands import slash
from karpathy_self_improve.demo.scripted_judge import MODEL as JUDGE
from karpathy_self_improve.demo.scripted_model import MODEL, ScriptedModel
from karpathy_self_improve.evaluation import jobs
from karpathy_self_improve.proposal import requests as proposing
from karpathy_self_improve.proposal import service as proposer
from karpathy_self_improve.ratchet import events

HERE = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "evaluation" / "gated_stage.py")))
TRAIN, HELD_OUT = 5, 6
NAME, ASKED, RUBRIC, ANSWERED = "namemarkerqx", "askedmarkerqx", "rubricmarkerqx", "answermarkerqx"
WORDS = (ASKED, RUBRIC, ANSWERED)
TOKEN = "t" * 40
COMMANDS = """
status; list; show 1; diff 1; history 1; live 1; results 1; results 1 --to-label; jobs; metrics; changes; scenario list;
scenario show 1; scenario holdout; reviewer list; audit verify; notify; evaluate 1 --queue; doctor
"""


def says(request: Any) -> str:
    answer = HERE.improved(request)
    return f"{answer} {ANSWERED}" if ASKED in request.scenario_input else answer


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as running:
        yield running


@pytest.fixture
def stage(home: Path, model: ScriptedModel, caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """A profile whose only change was evaluated on both splits, with everything the loggers said meanwhile."""
    caplog.set_level(logging.INFO)  # what the host writes down
    made = HERE.Stage(home)
    judge = model.judge_settings()
    auxiliary = {"ratchet_judge": judge, "ratchet_proposer": {**judge, "model": MODEL}}
    made.configure({"model": model.model_settings(), "auxiliary": auxiliary})
    made.scenarios(TRAIN, 0)
    for number in range(HELD_OUT):
        rubric: dict[str, Any] = {"type": "judge", "rubric": f"The answer does not contain: {RUBRIC}"}
        checks = [{"type": "must_contain", "value": HERE.GOOD}, rubric]
        question = f"{HERE.QUESTIONS[8 + number]} {ASKED}"
        made.scenario(f"{NAME} {number}", question, holdout=True, check=checks[number == 0])
    made.evaluated(says)
    rows = [row for row in made.rows("experiment_scenario_results") if row["split"] == "holdout"]
    assert len(rows) == HELD_OUT * 2 * 2
    assert all(word in str(rows) for word in WORDS), "nothing was planted"
    yield made
    for one in made.opened:
        one.store.close()


def test_no_prompt_shows_them_but_those_of_their_own_runs_and_judge(stage: Any, model: ScriptedModel) -> None:
    asked = proposing.ask(stage.context, "default", "SOUL.md", HERE.SOMEBODY, dry_run=True)
    proposer.run_job(stage.context, asked.id)
    sent = [(body["model"] == JUDGE, json.dumps(body)) for body in model.bodies]
    others = [text for judging, text in sent if not judging or "rubric-" not in text]
    assert any(HERE.QUESTIONS[0] in text for text in others), "the proposer was asked nothing"
    assert not any(word in text for word in (*WORDS, NAME) for text in others)
    assert any(ASKED in text for judging, text in sent if judging)


def test_no_answer_of_any_route_shows_them(stage: Any) -> None:
    from starlette.testclient import TestClient

    from karpathy_self_improve.serving.app import API, build
    from karpathy_self_improve.serving.run import Options, policy

    client = TestClient(build(policy(Options(), TOKEN)), base_url="http://127.0.0.1:9120", headers={"X-Ratchet-Token": TOKEN, "Authorization": f"Bearer {TOKEN}"})  # fmt: skip  # noqa: E501
    routes = client.get(f"{API}/openapi.json").json()["paths"]
    reported = client.get(f"{API}/experiments/1/report").json()["report"]
    assert (reported["holdout"]["scenarios"], reported["holdout_set"]["confirmations"]) == (HELD_OUT, 1)
    asked = [(method, path) for path, methods in routes.items() for method in methods]
    answered = 0
    for method, path in sorted(asked, key=lambda one: one[0] != "get"):
        for address in addresses(path):
            for query in ({}, {"profile": "default", "include_holdout": "true", "limit": "100"}):
                body = None if method == "get" else {"profile": "default", "name": "x", "input": "x", "checks": []}
                answer = client.request(method.upper(), address, params=query, json=body)
                text = answer.text
                answered += answer.status_code == 200
                assert not any(word in text for word in WORDS), (method, address, query)
                named = NAME in text
                may_name = "/scenarios/" in address or (path.endswith("/scenarios") and query)
                assert not named or may_name, (method, address, query)
    assert answered > len(routes) / 2


def addresses(path: str) -> Iterator[str]:
    """The path for every number and name that it could be about."""
    known = {"profile": "default", "kind": "results", "session_id": "s1"}
    names = re.findall(r"{(\w+)}", path)
    filled = path
    for name in names:
        if name in known:
            filled = filled.replace(f"{{{name}}}", known[name])
    numbers = (1, TRAIN + 1) if "scenario" in path else (1, 40)  # 40 is a result on a held-out one
    yield from {re.sub(r"{\w+}", str(number), filled) for number in numbers}
    if "{kind}" in path:
        yield from (path.replace("{kind}", kind) for kind in ("experiments", "transitions"))


def test_no_command_and_no_chat_shows_them(stage: Any, ratchet: Any) -> None:
    for words in (line.split() for line in COMMANDS.replace("\n", " ").split(";")):
        for more in ((), ("--json",)):
            done = ratchet(*words, *more)
            assert not any(word in done.out + done.err for word in (*WORDS, NAME)), words
    for words in ("scenario list --holdout", f"scenario show {TRAIN + 1}"):  # these name them, and show no more
        for more in ((), ("--json",)):
            done = ratchet(*words.split(), *more)
            assert NAME in done.out
            assert not any(word in done.out + done.err for word in WORDS), words
    for said in ("status", "list", "show 1", "diff 1", "scenario", "help"):
        answer = slash.answer(said)
        assert not any(word in answer for word in (*WORDS, NAME)), said


def test_no_event_job_report_or_log_tells_of_them(stage: Any, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with stage.context.store.read() as tx:
        told = [str(event) for event in events.since(tx, 0, 10_000)]
    told += [str(job) for job in jobs.list_jobs(stage.context)]
    told += [row["document"] for row in stage.rows("reports")] + [str(stage.rows("experiments"))]
    written = [path for path in home.rglob("*") if path.is_file() and not path.name.startswith("ratchet.db")]
    told += [path.read_text(encoding="utf-8", errors="replace") for path in written]
    told += [record.getMessage() for record in caplog.get_records("setup")]
    assert any(path.parent.name == "reports" for path in written)
    assert [word for word in (*WORDS, NAME) for text in told if word in text] == []
