"""`good` and `bad`, at a terminal and in a chat: for the one session that is meant, or a question back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hermes_cli.plugins import PluginContext, PluginManager, PluginManifest
from hermes_state import SessionDB

import karpathy_self_improve
from karpathy_self_improve.commands import answered, entry
from karpathy_self_improve.ratchet import controls, feedback
from karpathy_self_improve.ratchet.context import Context

HOUR = 3600.0
ONE, TWO = "20261120_101500_a1b2c3", "20261120_111500_d4e5f6"
NO_CHAT_PLATFORM = "tui"

Talk = Callable[..., None]


@pytest.fixture
def talk(unsigned: Path) -> Iterator[Talk]:
    """``talk(ONE, hours_ago=2)``: a question and an answer in the host's own store of sessions."""
    store = SessionDB(db_path=unsigned / "state.db")

    def one_turn(name: str, source: str = "cli", hours_ago: float = 0.0, question: str = "How are you?") -> None:
        store.create_session(name, source)
        at = time.time() - hours_ago * HOUR
        for role, text in (("user", question), ("assistant", "fine")):
            store.append_message(name, role, text, timestamp=at, finish_reason="stop")
        store._conn.execute("UPDATE sessions SET started_at = ? WHERE id = ?", (at, name))
        store._conn.commit()

    yield one_turn
    store.close()


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """``hook("post_llm_call", ...)`` as the host fires it, after our register() in a process that answered nothing."""
    monkeypatch.setattr(answered, "_last", {})
    manager = PluginManager()
    karpathy_self_improve.register(PluginContext(PluginManifest(name="karpathy-self-improve", source="user"), manager))
    return manager.invoke_hook


def ask(raw: str) -> str:
    return asyncio.run(entry.slash(raw))


def kept(context: Context) -> list[tuple[str, str, bool, str | None]]:
    found = feedback.list_feedback(context)
    return [(one.profile, one.session_id, bool(one.good), one.note) for one in reversed(found)]


# --- a terminal


def test_by_id(ratchet: Any, talk: Talk, context: Context) -> None:
    talk(ONE, hours_ago=50)
    done = ratchet("bad", ONE, "--note", "wrong dates", "--json")
    assert (done.code, done.document["ok"], done.document["good"]) == (0, True, False)
    assert kept(context) == [("default", ONE, False, "wrong dates")]
    assert ratchet("good", ONE).out == f"Kept: good, for session {ONE} of 'default'.\n"


def test_without_id_it_is_the_one_session_that_is_going_on(ratchet: Any, talk: Talk, context: Context) -> None:
    talk(ONE, hours_ago=2)
    talk(TWO)
    talk("20261120_111501_aaaaaa", source="cron")
    assert ratchet("good").code == 0
    assert kept(context) == [("default", TWO, True, None)]


def test_when_several_may_be_meant_it_asks(ratchet: Any, talk: Talk, context: Context) -> None:
    asked = ratchet("good")
    assert (asked.code, kept(context)) == (2, [])
    assert "no session in the last 7 days" in asked.err
    talk(ONE, question="What\nis due?")
    talk(TWO)
    asked = ratchet("good")
    assert (asked.code, kept(context)) == (2, [])
    assert f"hermes ratchet good {ONE} --target default  # What is due?" in asked.err
    assert f"hermes ratchet good {TWO}" in asked.err


def test_an_unknown_session_is_a_sentence(ratchet: Any, talk: Talk) -> None:
    talk(ONE)
    done = ratchet("good", TWO, "--json")
    assert (done.code, done.document["code"], done.document["session_id"]) == (2, "unknown_session", TWO)


def test_an_agent_does_not_judge_itself(
    ratchet: Any, talk: Talk, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk(ONE)
    monkeypatch.setenv("HERMES_SESSION_ID", ONE)
    done = ratchet("good", ONE, "--json")
    assert (done.code, done.document["code"], kept(context)) == (3, "feedback_refused", [])


# --- a chat


def test_it_means_the_last_session_of_this_process(talk: Talk, hook: Any, context: Context) -> None:
    assert "answered nothing in this chat" in ask("good")
    talk(ONE)
    talk(TWO)
    for name in (ONE, TWO):
        hook("post_llm_call", session_id=name, platform="cli", assistant_response="fine")
    assert ask("good it didn't ask twice") == f"Kept: good, for session {TWO} of 'default'."
    assert kept(context) == [("default", TWO, True, "it didn't ask twice")]


def test_what_went_wrong_is_remembered_as_a_scenario(talk: Talk, hook: Any, context: Context, ratchet: Any) -> None:
    assert "answered nothing in this chat" in ask("scenario")
    talk(ONE, question="What is due on the 1st?")
    hook("post_llm_call", session_id=ONE, platform="cli")
    made = ask("scenario it named the 2nd")
    assert made.startswith("Kept as scenario 1 of 'default', which no evaluation runs yet: it has a rubric, and no ")
    shown = ratchet("scenario", "show", "1", "--json").document["scenario"]
    assert (shown["input"], shown["holdout"]) == ("What is due on the 1st?", False)
    assert "it named the 2nd" in str(shown["checks"])
    assert ask("scenario").startswith("This request of the session is scenario 1 already.")


def test_a_process_with_several_chats_asks_which(talk: Talk, hook: Any, context: Context) -> None:
    for name in (ONE, TWO):
        talk(name, source=NO_CHAT_PLATFORM)
        hook("post_llm_call", session_id=name, platform=NO_CHAT_PLATFORM)
    assert ask("bad").splitlines()[1:] == [f"/ratchet bad {TWO}  (default)", f"/ratchet bad {ONE}  (default)"]
    assert kept(context) == []
    assert ask(f"bad {ONE} too long") == f"Kept: bad, for session {ONE} of 'default'."
    assert kept(context) == [("default", ONE, False, "too long")]


def test_subagents_and_sessions_that_never_count_are_not_meant(talk: Talk, hook: Any, context: Context) -> None:
    talk(ONE)
    talk(TWO, source="ratchet-eval")
    hook("post_llm_call", session_id=ONE, platform=NO_CHAT_PLATFORM)
    hook("post_llm_call", session_id=TWO, platform=NO_CHAT_PLATFORM)
    hook("post_llm_call", session_id="20261120_111502_bbbbbb", platform="subagent")
    hook("post_llm_call", session_id="20261120_111502_cccccc", platform=NO_CHAT_PLATFORM)  # the host never stored it
    ask("good")
    assert kept(context) == [("default", ONE, True, None)]


def test_the_profile_is_that_of_the_turn(
    talk: Talk, hook: Any, unsigned: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    coder = SessionDB(db_path=unsigned / "profiles" / "coder" / "state.db")
    coder.create_session(ONE, "cli")
    coder.close()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("HERMES_HOME", str(unsigned / "profiles" / "coder"))
        hook("post_llm_call", session_id=ONE, platform="cli")
    ask("good")
    assert kept(context) == [("coder", ONE, True, None)]


def test_pausing_means_the_profile_of_the_chat(
    hook: Any, unsigned: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("HERMES_HOME", str(unsigned / "profiles" / "coder"))
        hook("post_llm_call", session_id=ONE, platform=NO_CHAT_PLATFORM)
    assert ask("pause").startswith("Profile 'coder' is paused. ")
    hook("post_llm_call", session_id=TWO, platform=NO_CHAT_PLATFORM)
    assert ask("pause").startswith("Which profile (default, coder)?")
    assert not controls.get(context, "default").paused


def test_memory_of_chats_is_bounded(hook: Any, monkeypatch: pytest.MonkeyPatch, unsigned: Path) -> None:
    monkeypatch.setattr(answered, "_MOST", 3)
    for number in range(9):
        hook("post_llm_call", session_id=f"s{number}", platform=NO_CHAT_PLATFORM)
    assert [one.session_id for one in answered.candidates()] == ["s8", "s7", "s6"]


@pytest.mark.parametrize("facts", [{}, {"session_id": None}, {"session_id": object(), "platform": object()}])
def test_no_hook_raises_or_answers(hook: Any, caplog: pytest.LogCaptureFixture, facts: dict[str, Any]) -> None:
    assert hook("post_llm_call", **facts) == hook("pre_gateway_dispatch", **facts) == []
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
