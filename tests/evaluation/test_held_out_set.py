"""A held-out set has no twin in train, wears out by being asked, and is exchanged only with a reviewer's signature."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from karpathy_self_improve.errors import NotEvaluated
from karpathy_self_improve.evaluation.scenario import holdout, likeness, scenarios
from karpathy_self_improve.evaluation.scenario.placement import SplitNotDisjoint
from karpathy_self_improve.ratchet import approval
from karpathy_self_improve.ratchet.signing import questions
from karpathy_self_improve.ratchet.signing.questions import Question
from karpathy_self_improve.reviewing import changes, keys
from karpathy_self_improve.reviewing.challenges import Signed
from karpathy_self_improve.reviewing.payload import Purpose
from karpathy_self_improve.reviewing.refusals import NoReviewer, SignatureRefused

HERE = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("gated_stage.py"))))
SOMEBODY, improved = HERE.SOMEBODY, HERE.improved


@pytest.fixture
def stage(home: Path) -> Iterator[Any]:
    made = HERE.Stage(home)
    yield made
    for one in made.opened:
        one.store.close()


def asked(text: str, source: str = "person") -> SimpleNamespace:
    return SimpleNamespace(input=text, source=source)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("How do I start running again?", "how do i START running  again", True),
        ("Pay invoice 17 by Friday.", "Pay invoice 2044 by Friday.", True),
        ("What do we say to customers who ask for a discount?", "What to say to customers asking for a discount", True),
        ("How do I start running again?", "How can I drink more water at work?", False),
        ("Sort these: March, January, February.", "Translate this letter into plain words.", False),
        ("hi", "yo", False),
        ("hi", "hi!", True),
    ],
)
def test_nearly_the_same_questions_are_twins(one: str, other: str, alike: bool) -> None:
    assert likeness.alike(asked(one), asked(other)) is likeness.alike(asked(other), asked(one)) is alike


def test_what_was_taken_from_one_session_is_one_group() -> None:
    both = [asked("How do I start running?", "session:s1"), asked("And what about my knees?", "session:s1")]
    assert likeness.alike(*both)
    assert not likeness.alike(both[0], asked("And what about my knees?", "session:s2"))
    chained = [asked("a b c d e f g h", "session:1"), asked("x y z", "session:1"), asked("x y z")]
    assert [len(group) for group in likeness.groups([*chained, asked("something else entirely")])] == [3, 1]


@pytest.mark.parametrize("first_is_held_out", [True, False])
def test_a_twin_on_the_other_side_is_refused_and_not_shown(stage: Any, first_is_held_out: bool) -> None:
    stage.scenario("first", "How do I start running again?", holdout=first_is_held_out)
    with pytest.raises(SplitNotDisjoint) as refused:
        stage.scenario("second", "how do I start running again", holdout=not first_is_held_out)
    assert "running" not in refused.value.message
    stage.scenario("third", "how do I start running again", holdout=first_is_held_out)


def test_an_edit_makes_no_twin_either(stage: Any) -> None:
    stage.scenario("first", "How do I start running again?", holdout=True)
    number = stage.scenario("second", "What shall I cook?")
    with pytest.raises(SplitNotDisjoint):
        scenarios.edit_scenario(stage.context, number, SOMEBODY, input_text="How do I start running again, please?")
    assert scenarios.get_scenario(stage.context, number).input == "What shall I cook?"


def test_twins_that_are_there_all_the_same_are_not_asked(stage: Any) -> None:
    """A database may hold some from before they were looked for."""
    stage.scenarios(6, 7)
    with stage.context.store.write() as tx:
        tx.exec_driver_sql("UPDATE scenarios SET input = ? WHERE id = 7", (HERE.QUESTIONS[0],))
    number, runs = stage.evaluated(lambda request: HERE.GOOD if request.arm == "candidate" else HERE.BAD)
    assert stage.report(number)["holdout"]["scenarios"] == 6
    assert [request.scenario_input for request in runs.asked].count(HERE.QUESTIONS[0]) == 4  # on train alone


# --- rotation


@pytest.fixture
def signs(stage: Any) -> Any:
    """``signs(Purpose.ROTATE_HOLDOUT)``: what the reviewer hands in."""
    _, key = keys.create(
        stage.context.data / "keys", "alice", "maple orbit cactus violin ladder quartz", cost=keys.Cost(2**4)
    )
    changes.set_up(stage.context.store, key, "alice", "os:alice")

    def sign(purpose: Purpose) -> Signed:
        challenge = questions.ask(stage.context, Question(purpose, profile="default"), key.public_key, SOMEBODY)
        return Signed(challenge.payload, key.sign(challenge.payload.message()))

    return sign


def sides(stage: Any) -> tuple[set[int], set[int]]:
    rows = stage.rows("scenarios")
    return tuple({row["id"] for row in rows if row["holdout"] == side} for side in (0, 1))  # type: ignore[return-value]


def test_a_rotation_reveals_the_old_set_and_draws_a_new_one_from_train(stage: Any, signs: Any) -> None:
    stage.scenarios(8, 4)
    train, held = sides(stage)
    done = holdout.rotate(stage.context, "default", SOMEBODY, signs(Purpose.ROTATE_HOLDOUT))
    now_train, now_held = sides(stage)
    assert (set(done.released), set(done.held_out)) == (held, now_held)
    assert len(now_held) == 4
    assert now_held <= train
    assert held <= now_train
    [row] = stage.rows("holdout_rotations")
    assert (row["version"], row["actor"], json.loads(row["held_out"])) == (2, "alice", sorted(now_held))
    assert holdout.usage(stage.context, "default").version == 2
    assert {one.input for one in scenarios.list_scenarios(stage.context, include_holdout=True) if one.holdout} == {""}


def test_nobody_rotates_without_a_signature_for_just_that(stage: Any, signs: Any) -> None:
    stage.scenarios(8, 4)
    before = sides(stage)
    for signed in (None, signs(Purpose.REVEAL_HOLDOUT)):
        with pytest.raises(SignatureRefused):
            holdout.rotate(stage.context, "default", SOMEBODY, signed)
    assert (sides(stage), stage.rows("holdout_rotations")) == (before, [])


def test_where_no_reviewer_is_nothing_held_out_is_shown_but_a_first_set_is_drawn(stage: Any) -> None:
    with pytest.raises(holdout.NothingToRotate):
        holdout.rotate(stage.context, "default", SOMEBODY)
    stage.scenarios(9, 0)
    assert len(holdout.rotate(stage.context, "default", SOMEBODY).held_out) == 4
    with pytest.raises(NoReviewer):
        holdout.rotate(stage.context, "default", SOMEBODY)


def test_a_rotation_tears_no_twins_apart(stage: Any) -> None:
    for number in range(6):
        for variant in (1, 2):
            stage.scenario(f"{number}.{variant}", f"{HERE.QUESTIONS[number]} Variant {variant}")
    done = holdout.rotate(stage.context, "default", SOMEBODY)
    assert len(done.held_out) == 6
    assert {(number - 1) // 2 for number in done.held_out} == {
        (number - 1) // 2 for number in done.held_out if number % 2
    }
    with stage.context.store.read() as tx:
        held, train = scenarios.holdout_set(tx, "default"), scenarios.train_set(tx, "default")
    assert likeness.apart_from(held, train) == held


def test_a_new_version_may_be_asked_anew_and_ends_what_the_old_one_confirmed(stage: Any, signs: Any) -> None:
    stage.scenarios(8, 8)
    stage.configure(confirmations=1)
    first, _ = stage.evaluated(improved)
    second, _ = stage.evaluated(improved)
    assert [stage.report(number)["verdict"] for number in (first, second)] == ["passed", "no verdict"]
    used = holdout.usage(stage.context, "default")
    assert (used.confirmations, used.planned, used.scenarios, used.reveals) == (1, 1, 8, 0)
    holdout.rotate(stage.context, "default", SOMEBODY, signs(Purpose.ROTATE_HOLDOUT))
    with pytest.raises(NotEvaluated, match="changed since"):
        approval.approve(stage.context, first, SOMEBODY)
    used = holdout.usage(stage.context, "default")
    assert (used.version, used.confirmations, used.scenarios) == (2, 0, 4)
    third, runs = stage.evaluated(improved)
    assert stage.report(third)["verdict"] == "underpowered"  # train halves what can be drawn
    assert stage.report(third)["holdout_version"] == 2
    assert runs.asked


def test_an_unlock_by_a_reviewer_is_counted_in_the_report(stage: Any, signs: Any) -> None:
    from karpathy_self_improve.ratchet.signing import unlocking

    stage.scenarios(6, 6)
    unlocking.unlock(stage.context, "default", SOMEBODY, signs(Purpose.REVEAL_HOLDOUT))
    number, _ = stage.evaluated(improved)
    assert stage.report(number)["holdout_set"]["reveals"] == 1
