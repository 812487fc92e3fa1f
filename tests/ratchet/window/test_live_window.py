"""A live window counts each real session once, keeps to its plan, and its verdict stands."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from karpathy_self_improve._state_db import SessionsUnavailable
from karpathy_self_improve.errors import IllegalTransition, NoEvidence, SettingsInvalid
from karpathy_self_improve.ratchet import apply, approval, events, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.window import live_window, restarts
from karpathy_self_improve.stats.calibration import Verdict
from karpathy_self_improve.stats.creep import Anchor

SOMEBODY = Actor("somebody", "os:somebody")
OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"
NEW = OLD.replace("Always", "Almost always")
SKILL = "---\nname: greet\ndescription: How to greet.\n---\n\nSay {word} and smile.\n"
SIGNAL = [{"type": "must_contain", "value": "NEXT"}]


# --- who counts


def test_each_session_counts_once_however_often_and_from_how_many_sides_one_looks(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    names = stage.talk(5, NEW)
    start = threading.Barrier(4)

    def look(_: int) -> live_window.WindowStatus:
        start.wait()
        return stage.observe(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(4)))
    found = stage.observe(number)
    assert [m.session_id for m in found.members] == names
    assert (found.counted, found.experiment.live_sessions_observed) == (5, 5)
    assert found.verdict is Verdict.UNDECIDED


def test_two_processes_that_read_the_same_sessions_keep_them_once(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one reads before the first one has written, and writes after it."""
    number, read = stage.live(), live_window.sessions.read
    names = stage.talk(2, NEW)

    def slowly(*args: Any) -> list[Any]:
        monkeypatch.setattr(live_window.sessions, "read", read)
        sessions = read(*args)
        stage.observe(number)
        return sessions

    monkeypatch.setattr(live_window.sessions, "read", slowly)
    assert [m.session_id for m in stage.observe(number).members] == names


def test_a_window_that_ends_while_its_sessions_are_read_takes_none_of_them(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, read = stage.live(), live_window.sessions.read
    stage.talk(2, NEW)

    def slowly(*args: Any) -> list[Any]:
        sessions = read(*args)
        apply.revert(stage.context, number, SOMEBODY, "changed my mind")
        return sessions

    monkeypatch.setattr(live_window.sessions, "read", slowly)
    assert stage.observe(number).members == ()


def test_sessions_from_before_the_change_are_no_members_of_its_window(stage: Any) -> None:
    number = stage.approved()
    # As if a copy of the file had been tried out elsewhere.
    stage.talk(2, NEW)
    apply.apply(stage.context, number, SOMEBODY, unwatched=True)
    assert stage.observe(number).members == ()


def test_a_session_that_never_met_the_change_is_no_part_of_its_window(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(8, OLD)  # a process that was started before and serves what it read then
    assert set(stage.reasons(number).values()) == {"not eligible: met the version before the change"}
    stage.talk(8, NEW)
    found = stage.observe(number)
    assert (found.counted, found.verdict) == (8, Verdict.VERIFIED)
    assert [m.arm for m in found.members] == ["baseline"] * 8 + ["candidate"] * 8


def test_evaluations_cron_jobs_subagents_and_branches_are_not_eligible_and_say_why(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    excluded = {
        stage.talk(1, NEW, source="ratchet-eval")[0]: "not eligible: evaluation",
        stage.talk(1, NEW, source="cron")[0]: "not eligible: cron",
        stage.talk(1, NEW, parent_session_id="s0")[0]: "not eligible: subagent",
        stage.talk(1, NEW, model_config={"_branched_from": "s0"})[0]: "not eligible: branch",
    }
    assert stage.reasons(number) == excluded
    stage.talk(8, NEW)
    assert stage.observe(number).verdict is Verdict.VERIFIED


def test_a_prompt_that_proves_neither_version_is_left_out(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    (name,) = stage.talk(1, NEW.replace("NEXT", "a person's own edit"))
    assert stage.reasons(number) == {name: "cannot be shown to have met the change"}


def test_a_session_is_taken_in_when_it_is_over(stage: Any) -> None:
    number = stage.live()
    (name,) = stage.talk(1, NEW, over=False)
    assert stage.observe(number).members == ()
    stage.db.end_session(name, "cli_close")
    assert [m.session_id for m in stage.observe(number).members] == [name]


def test_an_unknown_outcome_is_left_out_and_not_guessed(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    (name,) = stage.talk(1, NEW, answer=None)
    stage.talk(8, NEW)
    assert stage.reasons(number) == {name: "outcome unknown: last turn unproven"}
    assert stage.observe(number).verdict is Verdict.VERIFIED  # one of nine is less than a fifth


def test_too_many_left_out_means_inconclusive_and_never_verified(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(3, NEW, answer=None)
    stage.talk(8, NEW)
    found = stage.observe(number)
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "3 of 11 eligible sessions had to be left out")
    with pytest.raises(NoEvidence, match="left out"):
        live_window.verify(stage.context, number, SOMEBODY)


def test_a_change_of_a_skills_body_is_about_the_sessions_that_read_it(stage: Any) -> None:
    old, new = SKILL.format(word="hello"), SKILL.format(word="good day")
    skill = stage.home / "skills/greet/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text(old)
    stage.talk(12, OLD, reads=old)
    number = stage.live("skills/greet/SKILL.md", new)
    assert stage.observe(number).plan.success_anchor.successes == 12
    names = stage.talk(9, OLD)
    stage.talk(8, OLD, reads=new)
    assert stage.reasons(number) == dict.fromkeys(names, "not eligible: never met the file")
    found = stage.observe(number)
    assert (found.counted, found.verdict) == (8, Verdict.VERIFIED)


def test_a_first_soul_is_compared_with_the_hosts_own_identity(stage: Any) -> None:
    from agent.prompt_builder import DEFAULT_AGENT_IDENTITY

    (stage.home / "SOUL.md").unlink()
    stage.talk(12, DEFAULT_AGENT_IDENTITY)
    number = stage.live(new="Be kind.\n")
    assert len(stage.observe(number).plan.baseline) == 12


def test_errors_are_counted_in_every_session_that_met_the_change(stage: Any) -> None:
    stage.settings(signal=[])
    number = stage.live()
    for soul in (NEW, NEW, OLD):
        (name,) = stage.talk(1, soul, over=False)
        stage.db.append_message(name, "user", "again")  # which nobody answers
        stage.db.append_message(name, "user", "hello?")
        stage.db.append_message(name, "assistant", "NEXT", finish_reason="stop")
        stage.db.end_session(name, "cli_close")
    found = stage.observe(number)
    assert [m.errors for m in found.members] == [1, 1, 1]
    assert found.errors == 2


# --- the three verdicts


def test_a_window_that_another_process_settled_otherwise_verifies_nothing(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(8, NEW)
    settle = live_window.settle_verdict

    def overtaken(context: Any, found: Any, actor: Any) -> None:
        settle(context, replace(found, verdict=Verdict.REVERTED, reason="it fell"))
        settle(context, found, actor)

    monkeypatch.setattr(live_window, "settle_verdict", overtaken)
    with pytest.raises(NoEvidence, match="ended as reverted meanwhile"):
        live_window.verify(stage.context, number, SOMEBODY)
    assert experiments.get(stage.context, number).state == "live"


def test_enough_good_sessions_verify(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(7, NEW)
    assert (stage.observe(number).verdict, stage.observe(number).reason) == (
        Verdict.UNDECIDED,
        "7 of 8 sessions counted",
    )
    with pytest.raises(NoEvidence, match="7 of 8"):
        live_window.verify(stage.context, number, SOMEBODY)
    stage.talk(1, NEW)
    verified = live_window.verify(stage.context, number, SOMEBODY)
    assert (verified.state, verified.live_verdict, verified.live_score) == ("verified", "verified", 1.0)
    assert experiments.transitions(stage.context, number)[-1].actor == SOMEBODY.name
    assert live_window.verify(stage.context, number, SOMEBODY).state == "verified"


def test_a_fall_is_seen_at_the_first_look_that_shows_it_and_stands(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(3, NEW, answer="nothing")
    assert stage.observe(number).verdict is Verdict.UNDECIDED  # no look before n_min
    stage.talk(1, NEW, answer="nothing")
    found = stage.observe(number)
    assert found.verdict is Verdict.REVERTED
    assert found.reason.startswith("success fell from 12 of 12 to 0 of 4 sessions (mid-p 0.0")
    live_window.settle_verdict(stage.context, found)
    stage.talk(20, NEW)
    after = stage.observe(number)
    assert (after.verdict, after.reason, len(after.members)) == (Verdict.REVERTED, found.reason, 4)
    live_window.settle_verdict(stage.context, after)
    assert (after.experiment.live_verdict, after.experiment.live_score) == ("reverted", 0.0)
    with stage.context.store.read() as tx:
        assert len(events.latest(tx, "window.reverted", "default")) == 1
    with pytest.raises(NoEvidence):
        live_window.verify(stage.context, number, SOMEBODY)


def test_a_window_that_shows_nothing_ends_inconclusive_and_stays_so(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    for _ in range(3):  # too few failures for an alarm and too many for trust
        stage.talk(3, NEW)
        stage.talk(1, NEW, answer="nothing")
    found = stage.observe(number)
    assert found.verdict is Verdict.INCONCLUSIVE
    live_window.settle_verdict(stage.context, found)
    (stage.home / "state.db").write_bytes(b"nobody has to read this any more" * 100)
    assert stage.observe(number).verdict is Verdict.INCONCLUSIVE
    assert experiments.get(stage.context, number).state == "live"


def test_a_window_ends_after_its_days(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(2, NEW)
    stage.observe(number)
    stage.age(number, 13.9)
    assert stage.observe(number).verdict is Verdict.UNDECIDED
    stage.age(number, 14.1)
    found = stage.observe(number)
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "undecided after 14 days")


def test_without_a_signal_of_success_nothing_is_ever_verified(stage: Any) -> None:
    stage.settings(signal=[])
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(11, NEW)
    assert stage.observe(number).verdict is Verdict.UNDECIDED
    stage.talk(1, NEW)
    found = stage.observe(number)
    assert (found.verdict, found.reason) == (
        Verdict.INCONCLUSIVE,
        "no success signal configured: nothing is tested",
    )
    assert found.decision is None
    with pytest.raises(NoEvidence):
        live_window.verify(stage.context, number, SOMEBODY)


def test_without_a_baseline_nothing_is_ever_verified(stage: Any) -> None:
    stage.talk(3, OLD)
    stage.talk(9, OLD, source="cron")
    number = stage.live()
    stage.talk(12, NEW)
    found = stage.observe(number)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == "only 3 baseline sessions with a known outcome: nothing is tested"


# --- the plan


def test_the_plan_is_fixed_at_approval_whatever_is_configured_later(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    plan = stage.observe(number).plan
    assert (plan.success_anchor, plan.n, plan.max_days) == (Anchor(12, 12), 8, 14.0)
    stage.settings(signal=[{"type": "must_contain", "value": "something else"}], n=4, n_min=1, max_days=0.001)
    stage.talk(8, NEW)
    stage.talk(20, OLD, answer="no")
    found = stage.observe(number)
    assert found.plan == plan
    assert [m.outcome for m in found.members if m.counted] == ["success"] * 8
    assert found.verdict is Verdict.VERIFIED
    with stage.context.store.read() as tx:
        bound = approval.latest(tx, number)
        stored = tx.exec_driver_sql("SELECT sha256, document FROM live_plans").one()
    assert bound is not None
    assert bound.plan_sha256 == stored[0] == plan.sha256
    assert json.loads(stored[1])["success_checks"] == json.dumps(SIGNAL)


def test_the_baseline_is_the_newest_sessions_on_the_base_version(stage: Any) -> None:
    stage.talk(3, OLD, answer="old failures")
    names = stage.talk(6, OLD)
    stage.talk(1, NEW)  # as if a copy of the file had been tried out
    stage.talk(1, OLD, answer=None)
    stage.talk(1, OLD, source="cron")
    names += stage.talk(6, OLD)
    plan = stage.observe(stage.live()).plan
    assert [one.session_id for one in plan.baseline] == names
    assert all(one.success for one in plan.baseline)


def test_sizes_that_make_no_window_are_refused_at_approval(stage: Any) -> None:
    stage.talk(12, OLD)
    stage.settings(n=20)
    number = stage.proposed()
    with pytest.raises(SettingsInvalid, match="make no window"):
        approval.approve(stage.context, number, SOMEBODY, override_reason="a test")
    assert experiments.get(stage.context, number).state == "proposed"


# --- windows that are not open


def test_nothing_is_taken_in_before_the_change_is_live(stage: Any) -> None:
    number = stage.proposed()
    with pytest.raises(NoEvidence, match="not approved yet"):
        live_window.verify(stage.context, number, SOMEBODY)
    approval.approve(stage.context, number, SOMEBODY, override_reason="a test")
    stage.talk(5, OLD)
    stage.talk(5, NEW)
    with pytest.raises(IllegalTransition):
        live_window.verify(stage.context, number, SOMEBODY)
    found = stage.observe(number)
    assert (found.members, found.verdict) == ((), Verdict.UNDECIDED)
    assert found.reason == "the window is not open: the experiment is approved"


def test_a_change_taken_back_by_a_person_gets_no_verdict_afterwards(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.live()
    stage.talk(8, NEW)
    found = stage.observe(number)
    assert found.verdict is Verdict.VERIFIED
    apply.revert(stage.context, number, SOMEBODY, "changed my mind")
    live_window.settle_verdict(stage.context, found)
    stage.age(number, 100)
    after = stage.observe(number)
    assert (after.experiment.state, after.experiment.live_verdict) == ("reverted", None)
    assert (after.verdict, after.reason) == (
        Verdict.UNDECIDED,
        "the window is not open: the experiment is reverted",
    )


# --- sessions that break whoever reads them


def failed_skill(stage: Any) -> int:
    """A live change of a skill with which all sessions failed so far, one too few to take it back."""
    old, new = (SKILL.format(word=word) for word in ("hello", "nothing"))
    path = stage.home / "skills/greet/SKILL.md"
    path.parent.mkdir(parents=True)
    path.write_text(old)
    stage.talk(12, OLD, reads=old)
    number: int = stage.live("skills/greet/SKILL.md", new)
    stage.talk(8, OLD, answer="I am broken", reads=new)
    return number


def test_brackets_without_end_in_one_session_leave_the_verdict_as_it_is(stage: Any) -> None:
    number = failed_skill(stage)
    (name,) = stage.talk(1, OLD, reads=SKILL.format(word="nothing"), over=False)
    stage.db.append_message(name, "tool", "[" * 100_000, tool_name="web_extract", tool_call_id="c")
    stage.db.append_message(name, "assistant", "fine", finish_reason="stop")
    stage.db.end_session(name, "cli_close")
    assert stage.observe(number).verdict is Verdict.REVERTED


@pytest.mark.parametrize("error", [RecursionError, ValueError, KeyError, OverflowError])
def test_a_session_that_cannot_be_read_is_left_out_with_a_reason_and_the_others_count(
    stage: Any, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    number = failed_skill(stage)
    (name,) = stage.talk(1, OLD)
    met = live_window.sessions.met

    def broken(context: Any, experiment: Any, versions: Any, session: Any) -> Any:
        if session.session_id == name:
            raise error
        return met(context, experiment, versions, session)

    monkeypatch.setattr(live_window.sessions, "met", broken)
    found = stage.observe(number)
    assert found.verdict is Verdict.REVERTED
    [left_out] = [m for m in found.members if not m.counted]
    assert (left_out.session_id, left_out.reason) == (name, f"its contents cannot be read ({error.__name__})")
    assert left_out.eligible


def test_a_broken_database_still_stops_the_window(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    number = failed_skill(stage)

    def broken(*_: Any) -> None:
        raise SessionsUnavailable("The disk is gone.")

    monkeypatch.setattr(live_window.sessions, "met", broken)
    with pytest.raises(SessionsUnavailable):
        stage.observe(number)


def test_a_past_session_that_cannot_be_read_keeps_no_plan_from_being_made(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.talk(12, OLD)
    (name,) = stage.talk(1, OLD)
    met = live_window.sessions.met

    def broken(context: Any, experiment: Any, versions: Any, session: Any) -> Any:
        if session.session_id == name:
            raise RecursionError
        return met(context, experiment, versions, session)

    monkeypatch.setattr(live_window.sessions, "met", broken)
    plan = stage.plan(stage.proposed())
    assert plan.left_out == {"its contents cannot be read": 1}
    assert len(plan.baseline) == 12


def test_a_skill_whose_front_matter_multiplies_can_be_changed_and_watched(stage: Any) -> None:
    aliases = "\n".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 31))
    text = f"---\nname: greet\na0: &a0 [x]\n{aliases}\ndescription: *a30\n---\n\nSay hello and smile.\n"
    path = stage.home / "skills/greet/SKILL.md"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    stage.talk(12, OLD, reads=text)
    changed = text.replace("smile", "wave")
    number = stage.live("skills/greet/SKILL.md", changed)
    stage.talk(1, OLD, reads=changed)
    assert stage.observe(number).counted == 1
    assert restarts.advice(stage.context, experiments.get(stage.context, number))[0].startswith("Restart")
