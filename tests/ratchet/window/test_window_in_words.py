"""A window in plain sentences: true to its numbers, and complete."""

from __future__ import annotations

import re
from typing import Any

import pytest

from karpathy_self_improve.errors import FileDrifted
from karpathy_self_improve.ratchet import apply, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.window import explanation, foretelling, live_window, restarts
from karpathy_self_improve.ratchet.window.explanation import Explanation

SOMEBODY = Actor("somebody", "os:somebody")
OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"
NEW = OLD.replace("Always", "Almost always")
SKILL = "---\nname: greet\ndescription: {line}\n---\n\nSay {word} and smile.\n"
GREET = "skills/greet/SKILL.md"


def told(stage: Any, number: int) -> Explanation:
    return explanation.explain(stage.context, live_window.status(stage.context, number))


def test_a_plan_says_what_it_will_catch_and_miss(stage: Any) -> None:
    stage.settings(n0=60, n_min=5, n=30, n_max=60, margin=0.15, confidence=0.95)
    stage.talk(54, OLD)
    stage.talk(6, OLD, answer="no")
    plan = stage.plan(stage.proposed())
    words = " ".join(foretelling.foretell(plan))
    # The published figures of this shape: .24 to .8, .685 to .7, 1.0 to .5, and .87 verified without a change.
    assert (
        "after 54 of 60 sessions before: a fall is caught, to 80% in 24%, to 70% in 69% and to 50% in over 99% of cases"
        in words
    )
    assert "a loss of 10 points or less is more often missed than caught" in words
    assert "A change that does nothing is verified by it in 87%." in words
    assert "taken back in at most 2.5% of cases" in words
    assert "no more than 15 points were lost against the baseline itself" in words
    assert "window 1 of 50" in words


def test_it_says_how_long_that_takes_at_this_traffic(stage: Any) -> None:
    stage.talk(6, OLD, hours_ago=72)
    stage.talk(6, OLD)
    plan = stage.plan(stage.proposed())
    assert plan.per_day == 4.0
    words = " ".join(foretelling.foretell(plan))
    assert "At about 4 such sessions a day, 8 take about 2 days and 12 about 3 days" in words
    assert "the window ends after 14 days at the latest" in words


def test_it_says_when_the_traffic_is_too_little(stage: Any) -> None:
    stage.settings(max_days=1)
    stage.talk(6, OLD, hours_ago=72)
    stage.talk(6, OLD)
    assert any("too little traffic" in line for line in foretelling.foretell(stage.plan(stage.proposed())))


def test_without_a_signal_it_says_what_verified_will_not_mean(stage: Any) -> None:
    stage.settings(signal=[], measures=["success", "errors", "cost"])
    stage.talk(12, OLD, tokens=100)
    plan = stage.plan(stage.proposed())
    assert any("'verified' will say nothing" in line for line in foretelling.foretell(plan))


def test_an_open_window_says_what_it_saw_whom_it_left_out_and_how_long_it_waits(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(5, NEW)
    stage.talk(1, NEW, model="another")
    stage.talk(2, NEW, answer=None)
    stage.talk(1, NEW, source="cron")
    stage.observe(number)
    found = told(stage, number)
    assert found.badge == "success only"
    assert found.evidence[0] == "Undecided: 5 of 8 sessions counted."
    assert re.search(r"5 of 5 sessions succeeded: mid-p 0\.\d+, taken back at 0\.\d+ or less\.", found.evidence[2])
    assert found.left_out == (
        "3 of 8 sessions it is about were left out: 2 outcome unknown: last turn unproven, 1 another model than the "
        "baseline's; above 20% nothing is verified.",
        "1 session is no part of the window: 1 cron.",
    )
    assert found.next == (
        "3 more sessions, about a day at this traffic, until it may be verified. In 14 days the window ends as "
        "inconclusive.",
    )


def test_a_window_that_tests_nothing_says_so_and_promises_nothing(stage: Any) -> None:
    number = stage.live()
    found = told(stage, number)
    assert found.badge == "nothing tested"
    assert found.planned[0].startswith("Nothing can be tested here: only 0 baseline sessions with a known outcome")
    assert found.next == ("Nothing is tested, so nothing can verify it. In 14 days the window ends as inconclusive.",)


def test_an_undecided_end_says_how_to_decide_it_and_offers_no_second_window(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.age(number, 15)
    assert stage.settled(number).asks
    found = told(stage, number)
    assert f"hermes ratchet decide {number} keep" in found.next[0]
    assert "there is none" in found.next[1]


def test_a_file_edited_by_hand_shows_in_the_window(stage: Any) -> None:
    number = stage.live()
    stage.home.joinpath("SOUL.md").write_text(NEW + "Mine.\n")
    with pytest.raises(FileDrifted):
        apply.revert(stage.context, number, SOMEBODY, "back")
    assert "edited by hand" in told(stage, number).next[0]


def test_a_changed_description_needs_a_restart_and_a_changed_body_none(stage: Any) -> None:
    skill = stage.home / GREET
    skill.parent.mkdir(parents=True)
    skill.write_text(SKILL.format(line="How to greet.", word="hello"))
    body = stage.live(GREET, SKILL.format(line="How to greet.", word="good day"))
    (line,) = restarts.advice(stage.context, experiments.get(stage.context, body))
    assert line == f"Nothing has to restart: {GREET} is read anew whenever the agent opens the skill."
    apply.revert(stage.context, body, SOMEBODY, "on to the next")
    line_too = stage.live(GREET, SKILL.format(line="How to greet anybody.", word="hello"))
    (line,) = restarts.advice(stage.context, experiments.get(stage.context, line_too))
    assert line.startswith("Restart the long-running processes of 'default' (gateway, dashboard, open chats)")


def test_sessions_still_served_the_old_version_are_told_with_who_served_them(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(2, OLD, source="telegram")
    stage.observe(number)
    late = told(stage, number).serving[1]
    assert late.startswith("2 sessions that began after the change were still served the old version (2 by telegram)")


def test_nothing_is_said_of_who_serves_what_is_not_live(stage: Any) -> None:
    assert restarts.advice(stage.context, experiments.get(stage.context, stage.proposed())) == ()


def test_a_persons_word_is_told_with_what_counted_and_equal_times_are_told_once(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    (name,) = stage.talk(1, NEW)
    stage.say(name, good=True)
    stage.observe(number)
    found = told(stage, number)
    assert found.left_out == ()
    assert found.evidence[1:3] == (
        "1 session counted; looks for a verdict at 8 and 12.",
        "Of 1 session a person said how it went: that outweighs checks.",
    )
    assert any("8 to 12 take about a day" in line for line in found.planned)


def test_an_equal_value_that_a_lot_put_above_the_level_is_called_so(stage: Any) -> None:
    stage.settings(measures=["success", "errors"])
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(5, NEW)
    stage.observe(number)
    line = next(line for line in told(stage, number).evidence if line.startswith("errors"))
    assert line.startswith("errors above the baseline's 0, or equal to it and drawn by lot, in ")
