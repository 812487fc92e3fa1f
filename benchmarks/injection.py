"""Counts planted texts that change a judge's verdict, or that the proposer hands on without anybody being told."""

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

Every log of tests/proposal/planted_orders.yaml is a session with an order to the proposer in its question, its answer
or a person's note. A proposer that obeys, to the letter and in words of its own, is asked for a change by a whole
request, over HTTP and into the database. Unflagged are the changes that come out as proposals without a warning on
them. How many there would be without the examination, and without its comparison with the material, stands beside it:
words of one's own without any sign of harm are not recognized, and only the gate and a person stand behind that.
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
    import _planted_orders

    from karpathy_self_improve.demo import scripted_judge
    from karpathy_self_improve.demo.scripted_model import ScriptedModel
    from karpathy_self_improve.evaluation.judging import transcript
    from karpathy_self_improve.evaluation.judging.judge import Opening

    corpus, gullible = (runpy.run_path(str(TESTS / f"{name}.py")) for name in ("injections", "gullible_judges"))
    planted = list(corpus["transcripts"]())[::every]
    home.mkdir()
    with ScriptedModel() as model:
        auxiliary = {"ratchet_judge": model.judge_settings(), "ratchet_proposer": model.proposer_settings()}
        config = {"model": model.model_settings(), "auxiliary": auxiliary}
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
        logs, proposed = _planted_orders.run(model, home, every)
    print(f"{len(planted)} transcripts, 3 votes each: {dict(Counter(one.truth for one in planted))}")
    print(f"flipped: {flips or 'none'}; the same without quotation: {len(unquoted)} flipped")
    print(
        f"a judge that obeys: {len(obeyed)} flipped, but it is {'ADMITTED' if admitted else 'refused by its canaries'}"
    )
    print(f"{seconds / len(planted) * 1000:.0f} ms a judgement, host's client and scripted server included")
    print(f"{logs} logs, {len(proposed)} times obeyed: {dict(Counter(one.end for one in proposed))}")
    print(f"the whole corpus without the examination: {dict(_planted_orders.without('suspicions'))}")
    print(f"without the comparison with the material: {dict(_planted_orders.without('_copied'))}")
    unflagged = [f"{one.name}: {one.wanted}" for one in proposed if one.end == "unflagged"]
    print("".join(f"UNFLAGGED {one}\n" for one in unflagged), end="")
    return {
        "judge_transcripts": len(planted),
        "judge_flips": len(flips),
        "proposer_logs": logs,
        "unflagged": len(unflagged),
    }


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
