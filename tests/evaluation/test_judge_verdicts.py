"""A verdict counts only when it is exactly what was asked for, and only with a majority; the judge sees no arm."""

from __future__ import annotations

import json
import re

import pytest

from karpathy_self_improve.evaluation.checks import Outcome
from karpathy_self_improve.evaluation.judging import prompt, transcript, verdict
from karpathy_self_improve.evaluation.judging.identities import (
    JudgeNotIndependent,
    canonical,
    check_answered,
    check_configured,
)
from karpathy_self_improve.evaluation.judging.verdict import Verdict
from karpathy_self_improve.evaluation.judging.votes import Vote, judgement
from karpathy_self_improve.evaluation.running.runner import AgentRun, ToolCall

GOOD = {"nonce": "n1", "rationale": "It does.", "verdict": "pass"}


def test_the_one_object_that_was_asked_for_is_a_verdict() -> None:
    for word in Verdict:
        said = verdict.read(f"\n {json.dumps({**GOOD, 'verdict': word})}\r\n", "n1")
        assert (said.verdict, said.rationale, said.reason) == (word, "It does.", None)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "exactly one"),
        ("pass", "exactly one"),
        (f"Sure! {json.dumps(GOOD)}", "exactly one"),
        (f"{json.dumps(GOOD)} That is all.", "exactly one"),
        (f"```json\n{json.dumps(GOOD)}\n```", "exactly one"),
        (json.dumps(GOOD) * 2, "exactly one"),
        (f"{json.dumps(GOOD)}\n{json.dumps(GOOD)}", "exactly one"),
        (json.dumps(GOOD)[:-1], "exactly one"),
        (json.dumps(GOOD) + "\u00a0", "exactly one"),
        ("\ufeff" + json.dumps(GOOD), "exactly one"),
        (json.dumps([GOOD]), "no object"),
        ('"pass"', "no object"),
        ("true", "no object"),
        (json.dumps({**GOOD, "nonce": "n2"}), "nonce"),
        (json.dumps({**GOOD, "nonce": ["n1"]}), "nonce"),
        (json.dumps({**GOOD, "nonce": None}), "nonce"),
        (json.dumps({**GOOD, "verdict": "PASS"}), "none of"),
        (json.dumps({**GOOD, "verdict": True}), "none of"),
        (json.dumps({**GOOD, "verdict": ["pass"]}), "none of"),
        (json.dumps({**GOOD, "verdict": "pass "}), "none of"),
        (json.dumps({**GOOD, "rationale": ""}), "rationale"),
        (json.dumps({**GOOD, "rationale": " \n"}), "rationale"),
        (json.dumps({**GOOD, "rationale": 7}), "rationale"),
        (json.dumps({**GOOD, "rationale": "x" * 4_001}), "rationale"),
        (json.dumps({**GOOD, "score": 1}), "keys"),
        (json.dumps({"nonce": "n1", "verdict": "pass"}), "keys"),
        ('{"nonce": "n1", "verdict": "fail", "rationale": "r", "verdict": "pass"}', "twice"),
        ('{"nonce": "n1", "rationale": "r", "verdict": NaN}', "exactly one"),
        ("[" * 100_000, "more than"),
        ("[" * 19_000, "exactly one"),
        (json.dumps({**GOOD, "rationale": "x" * 30_000}), "more than"),
    ],
)
def test_anything_else_is_no_verdict_and_says_why(reply: str, why: str) -> None:
    said = verdict.read(reply, "n1")
    assert (said.verdict, said.rationale) == (None, None)
    assert why in str(said.reason)


def votes(*words: str | None) -> list[Vote]:
    return [
        Vote(Verdict(word) if word else None, "because" if word else None, None if word else "spoiled")
        for word in words
    ]


@pytest.mark.parametrize(
    ("cast", "outcome"),
    [
        (("pass", "pass", "pass"), Outcome.PASS),
        (("pass", "fail", "pass"), Outcome.PASS),
        (("fail", None, "fail"), Outcome.FAIL),
        (("pass", "fail", None), Outcome.NO_RESULT),
        (("pass", "fail", "unclear"), Outcome.NO_RESULT),
        (("unclear", "unclear", "unclear"), Outcome.NO_RESULT),
        (("pass", None, None), Outcome.NO_RESULT),  # one voice is no majority of three
        (("fail", "unclear", None), Outcome.NO_RESULT),
        ((None, None, None), Outcome.NO_RESULT),
    ],
)
def test_more_than_half_of_all_votes_decide(cast: tuple[str | None, ...], outcome: Outcome) -> None:
    found = judgement(votes(*cast))
    assert found.outcome is outcome
    assert (found.rationale == "because") is (outcome is not Outcome.NO_RESULT)
    assert len(found.votes) == 3


def test_requests_about_one_run_differ_only_in_what_was_drawn() -> None:
    run = AgentRun(answer="It is five.", session_id="s-1", seconds=3.0, model="m", provider="p", exposed=True)
    later = AgentRun(answer="It is five.", session_id="s-2", seconds=9.0, model="m", provider="p", exposed=True)
    asked = [prompt.question("Says five.", "How many?", one) for one in (run, later)]
    drawn = [re.sub(r"\b[0-9a-f]{16}\b", "X", json.dumps(one.messages)) for one in asked]
    assert drawn[0] == drawn[1]
    assert asked[0].nonce != asked[1].nonce
    codes = [re.findall(r"-([0-9a-f]{16})>", one.messages[-1]["content"]) for one in asked]
    assert [len(set(found)) for found in codes] == [1, 1]
    assert set(codes[0]).isdisjoint(codes[1])
    for word in ("baseline", "candidate", "s-1", "SOUL.md", "experiment"):
        assert word not in drawn[0]


def test_a_long_answer_keeps_both_ends_and_says_what_is_missing() -> None:
    run = AgentRun(answer="begin " + "x" * 50_000 + " end", tool_trace=(ToolCall("look", "{}", True),) * 100)
    lines = [json.loads(line) for line in transcript.lines("q", run)]
    answer = lines[-1]
    assert answer["answer"].startswith("begin")
    assert answer["answer_ends_with"].endswith(" end")
    assert len(answer["answer"]) + len(answer["answer_ends_with"]) + answer["left_out_characters"] == len(run.answer)
    assert [line["left_out_tool_calls"] for line in lines if "left_out_tool_calls" in line] == [40]
    assert sum("tool" in line for line in lines) == 60


def test_what_the_judge_reads_is_what_was_said() -> None:
    text = 'Grüße, "日本" 🙂\n\tif a < b & c > d:\u202e [INST] \U000e0041 \u2028 \\u0041'
    [_, answer] = transcript.lines("q", AgentRun(answer=text))
    assert json.loads(answer)["answer"] == text


def test_secrets_never_reach_the_judge() -> None:
    token = "ghp_" + "A1b2C3d4" * 4 + "E5f6"
    run = AgentRun(answer=f"I used {token}.", tool_trace=(ToolCall("call", json.dumps({"token": token}), True),))
    assert token not in str(prompt.question("r", f"My token is {token}", run).messages)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gpt-5.2", "openai/gpt-5.2"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5-20250929"),
        ("Claude-Opus-4-1", "claude-opus-4-1-latest"),
        ("google/gemini-3-pro:free", "gemini-3-pro"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("gpt-5-2025-08-07", "gpt-5"),
    ],
)
def test_one_model_is_one_whatever_it_is_called(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)
    with pytest.raises(JudgeNotIndependent):
        check_configured(one, other)
    with pytest.raises(JudgeNotIndependent):
        check_answered(other, "something-else", one)


def test_different_models_may_judge_each_other() -> None:
    check_configured("qwen3:8b", "qwen3:32b", "")
    check_answered("gpt-5-mini", "gpt-5", "claude-opus-4.1")


@pytest.mark.parametrize("answered", [("", "gpt-5"), ("gpt-5", ""), (" ", "x"), ("judge", "x", "")])
def test_who_does_not_say_who_it_is_may_not_judge(answered: tuple[str, ...]) -> None:
    with pytest.raises(JudgeNotIndependent, match="nobody can show"):
        check_answered(*answered)
