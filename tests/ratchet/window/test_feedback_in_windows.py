"""A person's word on a session counts in baseline and window while nothing is decided, and never after."""

from __future__ import annotations

from typing import Any

from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.stats.calibration import Verdict

OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"
NEW = OLD.replace("Always", "Almost always")


def test_it_outweighs_the_check_in_the_baseline(stage: Any) -> None:
    names = stage.talk(12, OLD)
    stage.say(names[0], good=False)
    assert stage.plan(stage.proposed()).success_anchor.successes == 11


def test_a_later_word_changes_a_counted_session_while_the_window_is_open(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    names = stage.talk(4, NEW)
    assert stage.observe(number).score == 1.0
    for name in names:
        stage.say(name, good=False)
    found = stage.observe(number)
    assert (found.verdict, found.score) == (Verdict.REVERTED, 0.0)
    assert [m.reason for m in found.members] == ["feedback"] * 4
    stage.say(names[0], good=True)
    assert stage.observe(number).score == 0.25


def test_no_word_changes_a_verdict_that_was_reached(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    names = stage.talk(8, NEW)
    before = stage.settled(number)
    assert before.verdict is Verdict.VERIFIED
    for name in names:
        stage.say(name, good=False)
    after = stage.observe(number)
    assert (after.members, after.decision, after.reason) == (before.members, before.decision, before.reason)
    assert experiments.get(stage.context, number).live_score == 1.0


def test_a_session_nobody_could_judge_counts_from_when_somebody_did(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    (unknown,) = stage.talk(1, NEW, answer=None)
    names = stage.talk(2, NEW)
    assert stage.observe(number).counted == 2
    stage.say(unknown, good=True)
    found = stage.observe(number)
    assert [m.session_id for m in found.members if m.counted] == [*names, unknown]
    assert (found.counted, found.experiment.live_sessions_observed, found.left_out) == (3, 3, ())


def test_it_brings_no_session_back_that_never_met_the_change(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    (late,) = stage.talk(1, OLD)
    (other,) = stage.talk(1, NEW, model="another")
    stage.observe(number)
    stage.say(late, good=True)
    stage.say(other, good=True)
    assert stage.observe(number).counted == 0
    assert set(stage.reasons(number)) == {late, other}
