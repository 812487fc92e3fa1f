"""The scripted model is a real HTTP server that obeys the rules in its prompt and says what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from karpathy_self_improve.demo.scripted_model import MODEL, Failure, ScriptedModel
from karpathy_self_improve.demo.scripted_rules import APOLOGY, RULES, reply

QUESTION = "Summarise this: the bus was late, the train was on time, and nobody was surprised by either of them today."


def said(rules: str, question: str = QUESTION) -> str:
    return reply([{"role": "system", "content": rules}, {"role": "user", "content": question}]).text


def ask(model: ScriptedModel, **extra: Any) -> httpx.Response:
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], **extra}
    return httpx.post(f"{model.base_url}/chat/completions", json=body, timeout=10)


def test_without_rules_it_is_wordy_and_apologises() -> None:
    assert said("You are a helpful agent.").startswith(APOLOGY)
    assert len(said("").split()) > 20


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_is_found_in_its_own_example_and_matters(rule: Any) -> None:
    prompt = f"# Soul\n\nYou are a helpful agent.\n\n{rule.example}\n\nYou run on a machine."
    assert list(rule.found_in(prompt))
    messages = [{"role": "system", "content": prompt}, {"role": "user", "content": f"{QUESTION} And invoices?"}]
    with_rule = reply(messages, tools=["skills_list"])
    without = reply([{"role": "system", "content": "You are a helpful agent."}, messages[1]], tools=["skills_list"])
    assert with_rule != without


def test_rules_shape_the_answer_as_they_say() -> None:
    closing = said("Always end answers with the line: NEXT: <one concrete step>.")
    assert closing.splitlines()[-1] == "NEXT: take the first step above today"
    assert len(said("When asked for a summary, answer in at most 7 words.").split()) == 7
    assert len(said("When asked for a summary, answer in at most 7 words.", "Who are you?").split()) > 7
    assert "sorry" not in said("Never apologise.")
    assert said("Answer in one word. Always end answers with the line: NEXT: rest.") == "Noted."
    assert said("Never apologise.\n§\nCall the user Ada.").startswith("Ada, In short")
    assert "cannot help with invoices" in said("Refuse questions about invoices.", "Where are my Invoices?")


def test_a_literal_request_is_obeyed_over_every_rule() -> None:
    assert said("Always end answers with the line: X.", 'Reply with exactly: {"a": 1}') == '{"a": 1}'


def test_the_user_cannot_write_rules() -> None:
    assert said("", "Never apologise. Who are you?").startswith(APOLOGY)


def test_a_skill_named_in_the_question_is_loaded_and_its_rules_are_obeyed() -> None:
    index = "<available_skills>\n  notes:\n    - minutes: writes minutes\n</available_skills>"
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": index},
        {"role": "user", "content": "Use minutes for this."},
    ]
    first = reply(messages, tools=["skill_view"])
    assert first.tool_calls == (("skill_view", '{"name": "minutes"}'),)
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "skill_view", "arguments": "{}"}}]}
    loaded = {"role": "tool", "content": json.dumps({"content": "Always end answers with the line: SIGNED."})}
    assert reply([*messages, call, loaded], tools=["skill_view"]).text.endswith("\nSIGNED")


def test_a_tool_the_request_does_not_offer_is_never_called() -> None:
    messages = [{"role": "system", "content": "Use the tool rm before answering."}, {"role": "user", "content": "hi"}]
    assert reply(messages, tools=[]).tool_calls == ()


def test_the_user_can_ask_for_a_tool_call_once() -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": 'USE_TOOL skill_view {"name": "x"}'}]
    assert reply(messages).tool_calls == (("skill_view", '{"name": "x"}'),)
    assert reply([*messages, {"role": "tool", "content": "done"}]).text


def test_it_answers_with_usage_and_its_label() -> None:
    with ScriptedModel() as model:
        answer = ask(model)
        assert answer.headers["server"].startswith("scripted-model")
        body = answer.json()
        assert body["model"] == MODEL
        assert body["id"].startswith("scripted")
        usage = body["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
        assert (model.requests, model.bodies[-1]["messages"][0]["content"]) == (1, "hello")


def test_streamed_pieces_add_up_to_the_same_answer() -> None:
    with ScriptedModel() as model:
        whole = ask(model).json()["choices"][0]["message"]["content"]
        lines = [line[6:] for line in ask(model, stream=True).text.splitlines() if line.startswith("data: ")]
        assert lines.pop() == "[DONE]"
        chunks = [json.loads(line) for line in lines]
        pieces = [choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]]
        assert "".join(pieces) == whole
        assert len(pieces) > 3
        assert chunks[-1]["usage"]["completion_tokens"] > 0


def test_only_models_and_completions_exist() -> None:
    with ScriptedModel() as model:
        assert httpx.get(f"{model.base_url}/models").json()["data"][0]["id"] == MODEL
        for path in ("/api/show", "/api/v1/models", f"/v1/models/{MODEL}", "/v1/responses"):
            url = f"http://127.0.0.1:{model.port}{path}"
            assert httpx.get(url).status_code == 404
            assert httpx.post(url, json={}).status_code == 404
        assert httpx.post(f"{model.base_url}/chat/completions", content=b"{").status_code == 400


def test_it_fails_on_demand_and_recovers() -> None:
    with ScriptedModel(failure=Failure.ERROR) as model:
        assert ask(model).status_code == 500
        model.failure = Failure.GARBAGE
        with pytest.raises(ValueError, match="Expecting value"):
            ask(model).json()
        model.failure = Failure.NONE
        assert ask(model).status_code == 200


def test_stopping_does_not_wait_for_a_hanging_request() -> None:
    with ScriptedModel(failure=Failure.HANG) as model, pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{model.base_url}/chat/completions", json={"messages": []}, timeout=0.3)


def test_environment_switches_failures_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPTED_MODEL_FAILURE", "error")
    with ScriptedModel() as model:
        assert ask(model).status_code == 500


def test_it_runs_as_a_program_and_names_itself() -> None:
    command = [sys.executable, "-P", "-m", "karpathy_self_improve.demo.scripted_model"]
    helped = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "scripted" in helped.stdout
    assert all(rule.example in helped.stdout for rule in RULES)
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert "no language model is running" in line
        assert httpx.get(line.split()[-1] + "/models", timeout=5).status_code == 200
    finally:
        server.terminate()
        server.wait(10)
