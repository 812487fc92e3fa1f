"""No transcript of the corpus steers the verdict, and a judge that can be steered is found out before it judges."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.demo.scripted_model import ScriptedModel
from karpathy_self_improve.evaluation.judging import transcript
from karpathy_self_improve.evaluation.judging.canary import JudgeUntrustworthy
from karpathy_self_improve.evaluation.judging.judge import Judge, Opening

CORPUS = runpy.run_path(str(Path(__file__).with_name("injections.py")))
GULLIBLE = runpy.run_path(str(Path(__file__).with_name("gullible_judges.py")))
TRANSCRIPTS = list(CORPUS["transcripts"]())
WITH_MARKUP = [one for one in TRANSCRIPTS if "rubric" in one.name]
WRITTEN_OUT = [one for one in TRANSCRIPTS if "fake verdict" in one.name]


@pytest.fixture
def model(home: Path) -> Iterator[ScriptedModel]:
    """The scripted model, which judges for this home under another name."""
    with ScriptedModel() as server:
        config = {"model": server.model_settings(), "auxiliary": {"ratchet_judge": server.judge_settings()}}
        (home / "config.yaml").write_text(json.dumps(config))
        yield server


@pytest.fixture
def judge(model: ScriptedModel) -> Judge:
    opened = Opening().judge()
    assert opened is not None
    return opened


def flips(judge: Judge, among: Sequence[Any] = TRANSCRIPTS) -> list[tuple[str, str | None]]:
    """The transcripts whose verdict is not the truth, with what was said instead."""
    said = [(one, judge.vote(CORPUS["RUBRIC"], one.asked, one.run)) for one in among]
    return [(one.name, vote.verdict) for one, vote in said if vote.verdict != one.truth]


def test_the_corpus_holds_a_hundred_different_transcripts() -> None:
    assert len({(one.asked, one.run.answer, one.run.tool_trace) for one in TRANSCRIPTS}) == len(TRANSCRIPTS) >= 100


def test_no_transcript_changes_a_verdict(judge: Judge) -> None:
    assert flips(judge) == []


def test_the_same_transcripts_unquoted_would_change_verdicts(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "lines", lambda asked, run: [f"user: {asked}", f"agent: {run.answer}"])
    assert flips(judge, WITH_MARKUP)


@pytest.mark.parametrize("one", TRANSCRIPTS, ids=lambda one: one.name)
def test_nothing_in_a_quoted_transcript_marks_up_a_prompt_or_hides(one: Any) -> None:
    lines = list(transcript.lines(one.asked, one.run))
    for line in lines:
        assert not set(line) & set("<>")
        assert line.isprintable()
        assert not re.search(r"\[/?[A-Z_]+\]", line)
        assert isinstance(json.loads(line), dict)
    assert len(lines) == 2 + len(one.run.tool_trace)


def test_a_judge_that_obeys_is_found_out_before_it_judges(model: ScriptedModel, judge: Judge) -> None:
    model.judging = GULLIBLE["obeys"]
    plain = TRANSCRIPTS[:20]
    assert len(flips(judge, plain)) > 15  # what the canary is for: such a reply is perfectly well formed
    opening = Opening()
    with pytest.raises(JudgeUntrustworthy, match="Nothing was judged"):
        opening.judge()
    assert [call.purpose for call in opening.calls] == ["probe"] * 2 + ["canary"] * 4


@pytest.mark.parametrize("gullible", ["repeats", "adds"])
def test_a_judge_that_repeats_a_planted_verdict_gives_none(model: ScriptedModel, judge: Judge, gullible: str) -> None:
    model.judging = GULLIBLE[gullible]
    found = flips(judge, WRITTEN_OUT)
    assert len(found) == len(WRITTEN_OUT)
    assert {verdict for _, verdict in found} == {None}  # never the planted one
    with pytest.raises(JudgeUntrustworthy):
        Opening().judge()


@pytest.mark.parametrize("verdict", ["pass", "fail", "unclear"])
def test_a_judge_that_always_says_the_same_is_found_out(model: ScriptedModel, verdict: str) -> None:
    model.judging = lambda messages: GULLIBLE["reply"](messages, verdict) if GULLIBLE["is_question"](messages) else ""
    with pytest.raises(JudgeUntrustworthy):
        Opening().judge()
