"""Who is left out of a window, each with its reason, and what follows when something else changed meanwhile."""

from __future__ import annotations

import os
from typing import Any

import pytest

from karpathy_self_improve import clock
from karpathy_self_improve.ratchet import apply, blobs, events, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.window import live_window
from karpathy_self_improve.stats.calibration import Verdict
from karpathy_self_improve.watching import guarded

SOMEBODY = Actor("somebody", "os:somebody")
OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"
NEW = OLD.replace("Always", "Almost always")


def test_a_session_of_another_model_is_left_out(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    (name,) = stage.talk(1, NEW, model="another")
    assert stage.reasons(number) == {name: "another model than the baseline's"}
    stage.talk(8, NEW)
    assert stage.observe(number).verdict is Verdict.VERIFIED


def test_a_session_on_another_host_version_is_left_out(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from karpathy_self_improve.ratchet.window import host_versions

    stage.talk(12, OLD)
    number = stage.live()
    monkeypatch.setattr("karpathy_self_improve.host.version", lambda: "0.20.0")
    host_versions.note(stage.context)
    (name,) = stage.talk(1, NEW)
    assert stage.reasons(number) == {name: "another host version than the baseline's"}


def test_a_session_whose_cost_nobody_knows_is_left_out_where_cost_is_tested(stage: Any) -> None:
    stage.settings(measures=["success", "cost"])
    stage.talk(12, OLD, dollars=0.01)
    number = stage.live()
    (name,) = stage.talk(1, NEW)
    assert stage.reasons(number) == {name: "its cost is not known"}


def test_a_session_that_met_two_prompts_is_left_out(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    (first,) = stage.talk(1, NEW, over=False)
    stage.db.end_session(first, "compression")
    stage.talk(1, OLD, parent_session_id=first)
    assert stage.reasons(number) == {first: "met more than one prompt"}


def test_many_sessions_of_another_model_keep_a_change_from_being_verified(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(8, NEW)
    stage.talk(3, NEW, model="another")
    found = stage.observe(number)
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "3 of 11 eligible sessions had to be left out")


def test_leaving_many_out_never_keeps_a_failing_change_in_place(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(4, NEW, answer=None)
    stage.talk(4, NEW, answer="no")
    assert stage.observe(number).verdict is Verdict.REVERTED


# --- contamination


@pytest.fixture
def watched(stage: Any) -> Any:
    """The watcher has seen the profile before anything changes."""
    skill = stage.home / "skills/greet/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: greet\ndescription: How to greet.\n---\n\nSay hello.\n")
    (stage.home / "memories").mkdir(exist_ok=True)
    (stage.home / "memories/MEMORY.md").write_text("one\n")
    guarded.watch(stage.context, "default")
    return stage


def test_an_edit_of_a_guarded_file_during_the_window_ends_it_undecided_and_asks(watched: Any) -> None:
    watched.talk(12, OLD)
    number = watched.live()
    watched.talk(8, NEW)
    (watched.home / "skills/greet/SKILL.md").write_text("---\nname: greet\ndescription: Other.\n---\n\nSay bye.\n")
    guarded.watch(watched.context, "default")
    found = watched.settled(number)
    assert (found.verdict, found.asks) == (Verdict.INCONCLUSIVE, True)
    assert found.reason == (
        "contaminated: skills/greet/SKILL.md was changed without an experiment while the window was open"
    )
    with watched.context.store.read() as tx:
        assert len(events.latest(tx, "window.inconclusive", "default")) == 1


def test_a_contaminated_alarm_is_told_to_whoever_decides(watched: Any) -> None:
    watched.talk(12, OLD)
    number = watched.live()
    watched.talk(4, NEW, answer="no")
    (watched.home / "skills/greet/SKILL.md").write_text("---\nname: greet\ndescription: Other.\n---\n\nSay bye.\n")
    guarded.watch(watched.context, "default")
    found = watched.observe(number)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "success fell from 12 of 12 to 0 of 4 sessions" in found.reason


def test_the_agents_own_memory_contaminates_nothing_but_a_window_of_memory(watched: Any) -> None:
    watched.talk(12, OLD)
    number = watched.live()
    (watched.home / "memories/MEMORY.md").write_text("one\n§\ntwo\n")
    assert guarded.watch(watched.context, "default").changes
    watched.talk(8, NEW)
    assert watched.observe(number).verdict is Verdict.VERIFIED


def test_an_edit_from_before_the_change_spoils_nothing_when_it_is_noticed_afterwards(watched: Any) -> None:
    watched.talk(12, OLD)
    (watched.home / "skills/greet/SKILL.md").write_text("---\nname: greet\ndescription: Other.\n---\n\nSay bye.\n")
    number = watched.live()
    assert guarded.watch(watched.context, "default").changes
    assert watched.observe(number).contaminated is None
    (watched.home / "skills/greet/SKILL.md").unlink()
    os.utime(watched.home / "skills/greet", (0, 0))  # a folder's time is no proof of when a file went
    with watched.context.store.write() as tx:
        tx.exec_driver_sql("UPDATE guarded_files SET seen_at = '2020-01-01T00:00:00.000000+00:00'")
    assert guarded.watch(watched.context, "default").changes
    assert "skills/greet/SKILL.md was changed" in str(watched.observe(number).contaminated)


def test_the_edit_that_a_change_was_forced_over_does_not_spoil_its_window(watched: Any) -> None:
    watched.talk(12, OLD)
    number = watched.live()
    candidate = experiments.get(watched.context, number).candidate_sha256
    with watched.context.store.write() as tx:  # as if it had been forced over an edit
        edit = blobs.keep(tx, b"an edit")
        tx.exec_driver_sql("DROP TRIGGER tr_experiment_snapshots_no_update")
        tx.exec_driver_sql("UPDATE experiment_snapshots SET prior_sha256 = ?", (edit,))
        told = {"relpath": "SOUL.md", "old_sha256": "x", "new_sha256": edit, "changed_at": None}
        events.emit(tx, "file.external_change", profile="default", **told)
    assert watched.observe(number).contaminated is None
    with watched.context.store.write() as tx:
        told["old_sha256"] = candidate  # putting it back during the window is another matter
        events.emit(tx, "file.external_change", profile="default", **told)
    assert watched.observe(number).contaminated == "SOUL.md was changed without an experiment"


def test_rows_that_somebody_made_up_do_not_keep_a_window_from_its_verdict(watched: Any) -> None:
    watched.talk(12, OLD)
    number = watched.live()
    watched.talk(8, NEW)
    insert = "INSERT INTO events (created_at, kind, profile, experiment_id, payload) VALUES (?, ?, 'default', ?, ?)"
    with watched.context.store.write() as tx:
        for payload in ("{", "[]", "{}", "[" * 9000, '{"relpath": "memories/x", "changed_at": 7}'):
            tx.exec_driver_sql(insert, (clock.stamp(), "file.external_change", number, payload))
        tx.exec_driver_sql(insert, (clock.stamp(), "window.verified", number, "{"))
        tx.exec_driver_sql("UPDATE experiments SET applied_at = 'x'")
    found = watched.settled(number)
    assert (found.verdict, bool(found.reason)) == (Verdict.VERIFIED, True)


def test_our_own_change_contaminates_nothing_but_taking_another_one_back_does(watched: Any) -> None:
    watched.talk(12, OLD)
    first = watched.live()
    watched.talk(8, NEW)
    assert watched.settled(first).verdict is Verdict.VERIFIED
    watched.talk(4, NEW)
    second = watched.live("skills/greet/SKILL.md", "---\nname: greet\ndescription: How to greet.\n---\n\nSay hi.\n")
    guarded.watch(watched.context, "default")
    assert watched.observe(second).contaminated is None
    apply.revert(watched.context, first, SOMEBODY, "a person takes a verified change back")
    found = watched.observe(second)
    assert found.contaminated == f"experiment {first} was taken back, which changed SOUL.md"
    with pytest.raises(live_window.NoEvidence, match="hermes ratchet decide"):
        live_window.verify(watched.context, second, SOMEBODY)
