"""The daemon has the plan of a live window ready before anybody approves, and asks where its past is no guide."""

from __future__ import annotations

from typing import Any

from karpathy_self_improve.ratchet import events, experiments
from karpathy_self_improve.ratchet.window import live_window, planning


def test_the_plan_of_a_proposal_is_ready_when_somebody_decides(stage: Any) -> None:
    stage.talk(12, stage.soul())
    number = stage.proposed()
    assert planning.draft(stage.context, stage.experiment(number)) is None
    stage.once()
    plan = planning.draft(stage.context, stage.experiment(number))
    assert len(plan.baseline) == 12
    assert live_window.make_plan(stage.context, stage.experiment(number)) == plan


def test_settings_that_make_no_window_stop_no_daemon(stage: Any) -> None:
    stage.settings(window={"n": 100})
    number = stage.proposed()
    said = stage.once()
    assert any(f"live plan of experiment {number} failed" in line for line in said)


def test_the_hosts_version_is_on_record(stage: Any) -> None:
    stage.once()
    with stage.context.store.read() as tx:
        (event,) = events.latest(tx, "host.version")
    assert event.payload == {"version": "0.19.0"}


def test_a_change_whose_window_cannot_tell_stays_until_a_person_decides(stage: Any) -> None:
    stage.talk(12, stage.soul())
    number = stage.live()
    stage.talk(4, stage.soul(), "nothing")
    with stage.context.store.write() as tx:
        events.emit(tx, "file.external_change", profile="default", relpath="skills/x/SKILL.md")
    stage.once()
    one = experiments.get(stage.context, number)
    assert (one.state, one.live_verdict) == ("live", "inconclusive")
    stage.once()
    assert stage.state(number) == "live"
