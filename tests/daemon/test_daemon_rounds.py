"""What a round of the daemon does, and that the trouble of one profile is never the trouble of another."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import _db, clock
from karpathy_self_improve.errors import NobodyWatching, SettingsInvalid
from karpathy_self_improve.evaluation import jobs
from karpathy_self_improve.ratchet import apply, controls, events, experiments, lease
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.settings import parse_settings

SOMEBODY = Actor("somebody", "os:somebody")
Stage = Any


def break_git(root: Path) -> None:
    (root / ".git").mkdir()


def mend_git(root: Path) -> None:
    (root / ".git").rmdir()


def pause_s(control: controls.Control) -> float:
    assert control.retry_at is not None
    return (clock.parse(control.retry_at) - clock.now()).total_seconds()


# --- apply


def test_once_applies_what_was_approved_and_runs_every_job_that_is_due(stage: Stage) -> None:
    applied, waiting = stage.approved(), stage.proposed("clerk")
    stage.once()
    assert stage.state(applied) == "live"
    assert stage.soul().endswith("Never apologise.\n")
    assert stage.state(waiting) == "proposed"
    assert {job.state for job in jobs.list_jobs(stage.context)} == {"finished"}
    with stage.context.store.read() as tx:
        assert not lease.is_watched(tx, 300)  # it said goodbye


def test_once_is_heard_of_while_it_evaluates(stage: Stage, until: Any) -> None:
    """Or the next daemon would take its place after half a minute of an evaluation that takes ten."""
    stage.settings({"lease_s": 0.3})
    stage.proposed()

    def heartbeat() -> str:
        with stage.context.store.read() as tx:
            held = lease.current(tx)
        assert held is not None
        return str(held.heartbeat_at)

    def listen(line: str) -> None:
        if "evaluating" in line:
            before = heartbeat()
            until(lambda: heartbeat() > before)

    stage.once(listen)
    assert jobs.get_job(stage.context, 1).state == "finished"


def test_one_failing_job_stops_no_other(stage: Stage) -> None:
    stage.settings(evaluation={"toolsets": ["browser"]})
    for profile in ("default", "clerk"):
        stage.scenario(profile=profile)
    numbers = [stage.proposed(), stage.proposed("clerk")]
    said = stage.once()
    assert [stage.experiment(number).evaluation_status for number in numbers] == ["failed", "failed"]
    assert sum("Toolsets not allowed" in line for line in said) == 2


def test_without_auto_apply_the_daemon_applies_nothing(stage: Stage) -> None:
    stage.settings(auto_apply=False)
    number = stage.approved()
    stage.once()
    assert stage.state(number) == "approved"
    assert stage.control().failures == 0


def test_applying_by_hand_wants_a_daemon_and_answers_the_same_again(stage: Stage) -> None:
    number = stage.approved()
    with pytest.raises(NobodyWatching):
        apply.apply(stage.context, number, SOMEBODY)
    lease.acquire(stage.context, "a daemon")
    first = apply.apply(stage.context, number, SOMEBODY)
    assert apply.apply(stage.context, number, SOMEBODY) == first
    assert first.state == "live"
    with stage.context.store.write() as tx:
        long_ago = clock.stamp(clock.now() - timedelta(seconds=301))
        tx.exec_driver_sql("UPDATE leases SET heartbeat_at = ?", (long_ago,))
    other = stage.approved("clerk")
    with pytest.raises(NobodyWatching):
        apply.apply(stage.context, other, SOMEBODY)
    apply.apply(stage.context, other, SOMEBODY, unwatched=True)
    assert "without a daemon" in experiments.transitions(stage.context, other)[-1].reason


# --- pause


def test_a_pause_stops_applying_and_nothing_else_happens_because_of_it(stage: Stage) -> None:
    number = stage.approved()
    controls.pause(stage.context, "default", SOMEBODY)
    stage.once()
    assert (stage.state(number), stage.control().failures) == ("approved", 0)
    controls.resume(stage.context, "default", SOMEBODY)
    stage.once()
    assert stage.state(number) == "live"


def test_a_live_change_that_failed_is_taken_back_although_the_profile_is_paused(stage: Stage) -> None:
    before = stage.soul()
    number = stage.failed()
    controls.pause(stage.context, "default", SOMEBODY)
    stage.once()
    assert (stage.state(number), stage.experiment(number).live_verdict) == ("reverted", "reverted")
    assert stage.soul() == before


def test_a_paused_profile_reaches_its_verdict(stage: Stage) -> None:
    stage.talk(12, stage.soul())
    number = stage.live()
    controls.pause(stage.context, "default", SOMEBODY)
    stage.talk(8, stage.soul())
    stage.once()
    assert stage.state(number) == "verified"


def test_evaluations_of_a_paused_profile_run(stage: Stage) -> None:
    number = stage.proposed()
    controls.pause(stage.context, "default", SOMEBODY)
    stage.once()
    assert stage.experiment(number).evaluation_status == "unmeasured"


# --- failures


def test_one_profiles_failure_never_stops_another_and_backs_off(stage: Stage) -> None:
    broken, whole = stage.approved(), stage.approved("clerk")
    break_git(stage.home)
    said = stage.once()
    assert (stage.state(broken), stage.state(whole)) == ("approved", "live")
    first = stage.control()
    assert first.failures == 1  # one try for two rounds
    assert "broken" in str(first.last_error)
    assert any("failure 1" in line for line in said)
    assert 50 < pause_s(first) <= 100
    assert stage.control("clerk").failures == 0
    stage.due_again()
    stage.once()
    second = stage.control()
    assert second.failures == 2
    assert 150 < pause_s(second) <= 200
    mend_git(stage.home)
    stage.once()
    assert stage.state(broken) == "approved"  # not before its time
    stage.due_again()
    stage.once()
    assert (stage.state(broken), stage.control().failures, stage.control().last_error) == ("live", 0, None)
    with stage.context.store.read() as tx:
        assert len(events.latest(tx, "daemon.failure", "default")) == 2


def test_one_profiles_failed_recovery_never_stops_anothers(stage: Stage) -> None:
    cut_short = {profile: stage.approved(profile) for profile in ("default", "clerk")}
    for number in cut_short.values():
        killed = stage.start(
            "from karpathy_self_improve.ratchet import apply, context, actor\n"
            f"apply.apply(context.open_context(), {number}, actor.DAEMON, unwatched=True)",
            RATCHET_KILL_AT="swapped",
        )
        assert killed.process.wait(30) == -9
    assert {stage.soul(profile) for profile in cut_short} == {stage.soul()}
    (stage.home / "ratchet/git/default.git/HEAD").rename(stage.home / "HEAD")
    stage.once()
    assert (stage.state(cut_short["default"]), stage.state(cut_short["clerk"])) == ("approved", "live")
    assert (stage.control().failures, stage.control("clerk").failures) == (1, 0)
    (stage.home / "HEAD").rename(stage.home / "ratchet/git/default.git/HEAD")
    stage.due_again()
    said = stage.once()
    assert said[0] == f"default: undid apply of experiment {cut_short['default']}"  # before anything else
    assert stage.state(cut_short["default"]) == "live"


def test_sessions_that_cannot_be_read_are_a_failure_that_shows(stage: Stage) -> None:
    number = stage.live()
    (stage.home / "state.db").write_bytes(b"this is no database, and long enough to be taken for one" * 100)
    other = stage.approved("clerk")
    stage.once()
    assert (stage.state(number), stage.state(other)) == ("live", "live")
    assert "state.db" in str(stage.control().last_error)


# --- taking back


def test_a_persons_edit_is_not_overwritten_and_not_asked_about_in_every_round(stage: Stage) -> None:
    number = stage.failed()
    mine = stage.soul() + "My own line.\n"
    (stage.home / "SOUL.md").write_text(mine)
    for _ in range(3):
        stage.once()
    stuck = stage.experiment(number)
    assert (stuck.state, stuck.live_verdict, stuck.manual_conflict_detected) == ("live", "reverted", 1)
    assert stage.soul() == mine
    assert stage.control().failures == 1
    assert "was edited" in str(stage.control().last_error)
    (stage.home / "SOUL.md").write_text(mine.removesuffix("My own line.\n"))
    stage.due_again()
    stage.once()
    assert stage.state(number) == "reverted"


def test_a_change_is_taken_back_by_the_next_daemon_when_one_is_killed_after_the_verdict(stage: Stage) -> None:
    before = stage.soul()
    number = stage.failed()
    assert stage.start(once=True, RATCHET_KILL_AT="planned").process.wait(30) == -9
    between = stage.experiment(number)
    assert (between.state, between.live_verdict) == ("live", "reverted")
    stage.talk(20, stage.soul())  # no session changes a verdict
    with stage.context.store.write() as tx:
        tx.exec_driver_sql("UPDATE leases SET released_at = ?", (clock.stamp(),))
    said = stage.once()
    assert (stage.state(number), stage.soul()) == ("reverted", before)
    assert said[0] == f"default: undid revert of experiment {number}"
    assert "success fell" in experiments.transitions(stage.context, number)[-1].reason


def test_an_inconclusive_window_leaves_the_change_for_a_person(stage: Stage) -> None:
    number = stage.live()
    with stage.context.store.write() as tx:
        long_ago = clock.stamp(clock.now() - timedelta(days=15))
        tx.exec_driver_sql("UPDATE experiments SET applied_at = ? WHERE id = ?", (long_ago, number))
    said = stage.once() + stage.once()
    assert (stage.state(number), stage.experiment(number).live_verdict) == ("live", "inconclusive")
    assert sum("inconclusive" in line for line in said) == 1


# --- the database, the settings


def test_a_job_that_nobody_can_write_down_is_tried_once_a_round(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_db, "_PATIENCE_S", 0.2)
    stage.proposed()
    said: list[str] = []
    other = _db.open_store(stage.context.store.path)
    held = other.alone()

    def listen(line: str) -> None:
        said.append(line)
        if sum("evaluating" in one for one in said) > 1:
            pytest.fail("it tries again and again")
        if "evaluating" in line:
            held.__enter__()
        elif "job 1 failed" in line:
            held.__exit__(None, None, None)

    stage.once(listen)
    other.close()
    assert jobs.get_job(stage.context, 1).state == "queued"


def test_settings_are_read_again_and_broken_ones_leave_the_last_good_ones(stage: Stage) -> None:
    number = stage.approved()
    stage.settings(auto_apply=False)
    stage.once()
    assert stage.state(number) == "approved"
    stage.configure("plugins: [")
    said = stage.once()
    assert stage.state(number) == "approved"
    assert sum("reading the settings failed" in line for line in said) == 1
    stage.configure(json.dumps({"plugins": {"entries": {"karpathy-self-improve": {"auto_aply": True}}}}))
    assert any("auto_aply" in line for line in stage.once())
    stage.settings()
    stage.once()
    assert stage.state(number) == "live"


def test_a_daemon_that_cannot_say_anything_goes_on(stage: Stage) -> None:
    number = stage.approved()

    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    stage.once(full)
    assert stage.state(number) == "live"


def test_two_threads_share_one_store(stage: Stage) -> None:
    """As the rounds and the evaluations of a daemon do."""
    number = stage.proposed()
    rounds = 150
    start = threading.Barrier(3)
    broken: list[BaseException] = []

    def guarded(work: Any) -> threading.Thread:
        def run() -> None:
            try:
                start.wait()
                for n in range(rounds):
                    work(n)
            except BaseException as error:
                broken.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def progress(n: int) -> None:
        with stage.context.store.write() as tx:
            jobs.show_progress(tx, number, jobs.load(tx, number).done + 1, 1_000)

    def heartbeat(n: int) -> None:
        assert lease.acquire(stage.context, "a daemon").owner == "a daemon"
        controls.note_failure(stage.context, "default", RuntimeError(str(n)))

    def look(n: int) -> None:
        with stage.context.store.read() as tx:
            first = jobs.load(tx, number).done
            assert jobs.load(tx, number).done == first  # a snapshot, whatever the others do

    threads = [guarded(work) for work in (progress, heartbeat, look)]
    for thread in threads:
        thread.join()
    assert broken == []
    assert jobs.get_job(stage.context, number).done == rounds
    assert stage.control().failures == rounds


@pytest.mark.parametrize("retry_at", ["9999-01-01T00:00:00.000000+00:00", "soon"])
def test_a_time_that_no_failure_leads_to_holds_nothing_up(stage: Stage, retry_at: str) -> None:
    number = stage.approved()
    with stage.context.store.write() as tx:
        tx.exec_driver_sql("INSERT INTO profile_controls (profile, retry_at) VALUES ('default', ?)", (retry_at,))
    stage.once()
    assert stage.state(number) == "live"


def test_a_profile_that_rests_after_a_failure_still_has_its_change_taken_back(stage: Stage) -> None:
    before = stage.soul()
    number = stage.failed()
    soon = clock.stamp(clock.now() + timedelta(minutes=30))
    with stage.context.store.write() as tx:
        tx.exec_driver_sql(
            "INSERT INTO profile_controls (profile, failures, retry_at) VALUES ('default', 3, ?)", (soon,)
        )
    stage.once()
    assert (stage.state(number), stage.soul()) == ("reverted", before)


def test_settings_that_would_silence_the_daemon_are_refused(stage: Stage) -> None:
    for name in ("tick_s", "lease_s", "heard_within_s", "backoff_s"):
        with pytest.raises(SettingsInvalid, match=name):
            parse_settings({"daemon": {name: 1e8}})
