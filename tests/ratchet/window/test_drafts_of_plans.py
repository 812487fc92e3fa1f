"""A draft of a live plan is used again only while it is what would be made today."""

from __future__ import annotations

from typing import Any

from karpathy_self_improve.ratchet import experiments
from karpathy_self_improve.ratchet.window import planning

OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"


def test_a_draft_is_made_anew_when_the_baseline_grew(stage: Any) -> None:
    number = stage.proposed()
    assert stage.plan(number).tests == ()
    stage.talk(8, OLD)
    plan = stage.plan(number)
    assert len(plan.baseline) == 8
    assert plan.tests != ()


def test_a_draft_is_used_again_while_nothing_changed(stage: Any) -> None:
    number = stage.proposed()
    stage.talk(8, OLD)
    plan = stage.plan(number)
    assert planning.draft(stage.context, experiments.get(stage.context, number)) == plan
