"""A person decides an inconclusive window, once, with a reason; nothing else, and no agent, can."""

from __future__ import annotations

from typing import Any

import pytest

from karpathy_self_improve.errors import ApprovalRefused, BadInput, FileDrifted, NoEvidence
from karpathy_self_improve.ratchet import events, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.signing import questions
from karpathy_self_improve.ratchet.signing.questions import Question
from karpathy_self_improve.ratchet.window import deciding, live_window
from karpathy_self_improve.ratchet.window.deciding import Choice
from karpathy_self_improve.reviewing import changes, keys
from karpathy_self_improve.reviewing.challenges import Signed
from karpathy_self_improve.reviewing.keys import Cost
from karpathy_self_improve.reviewing.payload import Purpose
from karpathy_self_improve.reviewing.refusals import SignatureRefused

SOMEBODY = Actor("somebody", "os:somebody")
OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"
NEW = OLD.replace("Always", "Almost always")
WHY = "it reads better"


@pytest.fixture
def undecided(stage: Any) -> int:
    """A live change whose window was inconclusive."""
    stage.talk(12, OLD)
    number: int = stage.live()
    for _ in range(3):
        stage.talk(3, NEW)
        stage.talk(1, NEW, answer="no")
    assert stage.settled(number).asks
    return number


def test_keeping_it_is_recorded_as_accepted_by_a_person(stage: Any, undecided: int) -> None:
    done = deciding.decide(stage.context, undecided, Choice.KEEP, WHY, SOMEBODY)
    assert (done.state, done.live_verdict) == ("verified", "inconclusive")
    assert experiments.transitions(stage.context, undecided)[-1].reason == f"accepted by a person (unsigned): {WHY}"
    found = live_window.status(stage.context, undecided)
    assert (found.accepted_by_a_person, found.asks) == (True, False)
    assert stage.home.joinpath("SOUL.md").read_text() == NEW
    with stage.context.store.read() as tx:
        (event,) = events.latest(tx, "window.decided", "default")
    assert event.payload["decision"] == "keep"


def test_a_version_a_person_accepted_is_no_evidence_for_the_next_one(stage: Any, undecided: int) -> None:
    deciding.decide(stage.context, undecided, Choice.KEEP, WHY, SOMEBODY)
    plan = stage.plan(stage.proposed(new=NEW + "Be kind.\n"))
    assert plan.anchor_experiment is None
    assert (plan.windows_before, plan.success_anchor.successes) == (1, 12)


def test_taking_it_back_restores_the_file(stage: Any, undecided: int) -> None:
    done = deciding.decide(stage.context, undecided, Choice.REVERT, WHY, SOMEBODY)
    assert (done.state, done.live_verdict) == ("reverted", "inconclusive")
    assert stage.home.joinpath("SOUL.md").read_text() == OLD
    assert experiments.transitions(stage.context, undecided)[-1].reason == f"taken back by a person (unsigned): {WHY}"


def test_it_is_decided_once(stage: Any, undecided: int) -> None:
    deciding.decide(stage.context, undecided, Choice.KEEP, WHY, SOMEBODY)
    with pytest.raises(NoEvidence, match="it is verified"):
        deciding.decide(stage.context, undecided, Choice.REVERT, WHY, SOMEBODY)


def test_there_is_nothing_to_decide_while_a_window_can_still_tell(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    with pytest.raises(NoEvidence, match="its window is still open"):
        deciding.decide(stage.context, number, Choice.KEEP, WHY, SOMEBODY)
    with pytest.raises(NoEvidence, match="it is proposed"):
        deciding.decide(stage.context, stage.proposed(new=NEW + "More.\n"), Choice.KEEP, WHY, SOMEBODY)


def test_it_takes_a_reason(stage: Any, undecided: int) -> None:
    with pytest.raises(BadInput, match="Say why"):
        deciding.decide(stage.context, undecided, Choice.KEEP, "  ", SOMEBODY)


def test_an_agent_cannot_decide_and_leaves_a_trace(stage: Any, undecided: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_SESSION_ID", "s1")
    with pytest.raises(ApprovalRefused):
        deciding.decide(stage.context, undecided, Choice.KEEP, WHY, SOMEBODY)
    assert experiments.get(stage.context, undecided).state == "live"
    with stage.context.store.read() as tx:
        assert len(events.latest(tx, "consent.refused", "default")) == 1


def test_an_edited_file_is_not_written_over(stage: Any, undecided: int) -> None:
    stage.home.joinpath("SOUL.md").write_text(NEW + "Mine.\n")
    with pytest.raises(FileDrifted):
        deciding.decide(stage.context, undecided, Choice.REVERT, WHY, SOMEBODY)
    assert stage.home.joinpath("SOUL.md").read_text() == NEW + "Mine.\n"
    assert experiments.get(stage.context, undecided).manual_conflict_detected == 1


def test_where_reviewers_sign_only_a_signature_for_this_very_decision_counts(stage: Any, undecided: int) -> None:
    context = stage.context
    _, key = keys.create(context.data / "keys", "ana", "maple orbit cactus violin ladder quartz", cost=Cost(2**4))
    changes.set_up(context.store, key, "ana", SOMEBODY.principal)
    with pytest.raises(SignatureRefused, match="there is none"):
        deciding.decide(context, undecided, Choice.KEEP, WHY, SOMEBODY)

    def signed(decision: str, reason: str) -> Signed:
        question = Question(Purpose.DECIDE, undecided, decision=decision, reason=reason)
        payload = questions.ask(context, question, key.public_key, SOMEBODY).payload
        return Signed(payload, key.sign(payload.message()))

    with pytest.raises(SignatureRefused, match="decision"):
        deciding.decide(context, undecided, Choice.KEEP, WHY, SOMEBODY, signed=signed("revert", WHY))
    with pytest.raises(SignatureRefused, match="reason"):
        deciding.decide(context, undecided, Choice.KEEP, WHY, SOMEBODY, signed=signed("keep", "another"))
    done = deciding.decide(context, undecided, Choice.KEEP, WHY, SOMEBODY, signed=signed("keep", WHY))
    assert done.state == "verified"
    last = experiments.transitions(context, undecided)[-1]
    assert (last.actor, last.reason) == ("ana", f"accepted by a person (signed): {WHY}")
