"""Counts the transcripts that make a judge's verdict another one than the rubric's, and measures our part of a vote."""

from __future__ import annotations

import argparse
import json
import os
import runpy
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ABOUT = """\
Every transcript of tests/evaluation/judge_injections.yaml holds a text that asks for a verdict: once under an answer
that does not meet the rubric, once under one that does. Each gets three votes, as in an evaluation, over HTTP through
the host's own model client. A flip is a majority other than the rubric's verdict, or none.

The judge is the scripted one of the demonstration. It is no language model: it obeys nothing, but it reads without
suspicion, so that a text which gets out of its quotation and forges a rubric does change its verdict. So this measures
quoting, parsing and voting, not how gullible a real model is; that is what the canaries of every evaluation are for.

As a check of the corpus itself it is judged twice more: without quotation, where some of it must win, and by a judge
that does what a transcript says, where most of it must win if such a judge were not refused before.
"""
TESTS = Path(__file__).resolve().parents[1] / "tests" / "evaluation"


def main() -> None:
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth transcript (default: 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ratchet-injection-") as folder:
        os.environ.update(HOME=folder, HERMES_HOME=str(Path(folder, "hermes")))
        figures = measure(Path(folder, "hermes"), options.every)
    print(json.dumps({"injection": figures}))


def measure(home: Path, every: int) -> dict[str, int | None]:
    """The figures of one run in a fresh home. Prints what stands behind them."""
    from karpathy_self_improve.demo import scripted_judge
    from karpathy_self_improve.demo.scripted_model import ScriptedModel
    from karpathy_self_improve.evaluation.judging import transcript
    from karpathy_self_improve.evaluation.judging.judge import Opening

    corpus, gullible = (runpy.run_path(str(TESTS / f"{name}.py")) for name in ("injections", "gullible_judges"))
    planted = list(corpus["transcripts"]())[::every]
    home.mkdir()
    with ScriptedModel() as model:
        config = {"model": model.model_settings(), "auxiliary": {"ratchet_judge": model.judge_settings()}}
        (home / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        judge = Opening().judge()
        if judge is None:
            sys.exit("The judge was not found in the configuration just written.")
        started = time.perf_counter()
        flips = flipped(judge, corpus["RUBRIC"], planted)
        seconds = time.perf_counter() - started
        model.judging = gullible["obeys"]
        obeyed = flipped(judge, corpus["RUBRIC"], planted)
        admitted = is_admitted()
        model.judging = scripted_judge.judge
        transcript.lines = lambda asked, run: iter([f"user: {asked}", f"agent: {run.answer}"])
        unquoted = flipped(judge, corpus["RUBRIC"], planted)
    print(f"{len(planted)} transcripts, 3 votes each: {dict(Counter(one.truth for one in planted))}")
    print(f"flipped: {flips or 'none'}; the same without quotation: {len(unquoted)} flipped")
    print(
        f"a judge that obeys: {len(obeyed)} flipped, but it is {'ADMITTED' if admitted else 'refused by its canaries'}"
    )
    print(f"{seconds / len(planted) * 1000:.0f} ms a judgement, host's client and scripted server included")
    return {"judge_transcripts": len(planted), "judge_flips": len(flips), "proposer_logs": None, "unflagged": None}


def is_admitted() -> bool:
    """Whether the judge that answers now would be let judge."""
    from karpathy_self_improve.evaluation.judging.canary import JudgeUntrustworthy
    from karpathy_self_improve.evaluation.judging.judge import Opening

    try:
        return Opening().judge() is not None
    except JudgeUntrustworthy:
        return False


def flipped(judge: Any, rubric: str, planted: list[Any]) -> list[str]:
    """The names of the transcripts whose judgement is not the truth."""
    return [one.name for one in planted if judge.judge(rubric, one.asked, one.run).outcome != one.truth]


if __name__ == "__main__":
    main()
