"""Sessions that the real host wrote, against a real HTTP model server, are read for what they were."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from karpathy_self_improve._metrics import (
    IDLE,
    Ending,
    Exclusion,
    Outcome,
    Result,
    Session,
    outcome,
    read_sessions,
    read_texts,
)
from karpathy_self_improve.demo.scripted_model import MODEL, Failure, ScriptedModel

pytestmark = pytest.mark.long

SOUL = "# Soul\n\nYou are a careful agent. Always start answers with: Understood.\n"
SKILL = "---\nname: greet\ndescription: How to greet.\n---\n# Greet\n\nSay “hëllo”\tand smile.\n"


def run(home: Path, *words: str, **variables: str) -> None:
    env = {**os.environ, "HERMES_HOME": str(home), **variables}
    command = [sys.executable, "-P", "-m", "hermes_cli.main", *words]
    subprocess.run(command, env=env, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def state_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sessions of a home in which an agent answered, used tools, was evaluated, and lost its model."""
    home = tmp_path_factory.mktemp("lived-in")
    (home / "SOUL.md").write_text(SOUL, encoding="utf-8")
    (home / "skills/greet").mkdir(parents=True)
    (home / "skills/greet/SKILL.md").write_text(SKILL, encoding="utf-8")
    with ScriptedModel() as model, ThreadPoolExecutor(2) as two_at_once:
        config = {"model": model.model_settings(), "agent": {"api_max_retries": 1}}
        (home / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        run(home, "-z", "plain question")
        rest = [
            two_at_once.submit(run, home, "chat", "-Q", "-q", "asked in a chat"),
            two_at_once.submit(run, home, "-z", 'USE_TOOL read_file {"path": "/no/such/file"}'),
            two_at_once.submit(run, home, "-z", 'USE_TOOL skill_view {"name": "greet"}'),
            two_at_once.submit(run, home, "-z", "a scenario", HERMES_SESSION_SOURCE="ratchet-eval"),
        ]
        for running in rest:
            running.result()
        model.failure = Failure.ERROR
        run(home, "chat", "-Q", "-q", "nobody answers this")
    return home / "state.db"


@pytest.fixture(scope="module")
def sessions(state_db: Path) -> dict[str, Session]:
    """By the first two words of their question, all over because no silence is too short."""
    read = read_sessions(state_db, idle=timedelta(0))
    return {" ".join(session.last_user.split()[:2]): session for session in read}


def test_every_session_is_read_once(state_db: Path) -> None:
    ids = [session.session_id for session in read_sessions(state_db)]
    assert len(ids) == len(set(ids)) == 6


def test_an_answered_question_is_told_in_full(sessions: dict[str, Session]) -> None:
    session = sessions["plain question"]
    assert session.ending is Ending.ANSWERED
    assert session.last_answer.startswith("Understood.")
    assert session.excluded is None
    assert (session.source, session.model, session.models) == ("cli", MODEL, (MODEL,))
    assert (session.turns, session.errors, session.tools) == (1, 0, ())
    assert session.ended_at is not None
    assert session.started_at <= session.ended_at
    assert session.tokens > 100
    assert session.cost_micro_usd is None


def test_the_stored_prompt_proves_the_version_met(sessions: dict[str, Session]) -> None:
    assert sessions["plain question"].system_prompt.startswith(SOUL.strip())


def test_an_answer_alone_is_no_success(sessions: dict[str, Session]) -> None:
    session = sessions["plain question"]
    assert outcome(session, None) == Outcome(Result.UNKNOWN, "no success signal")
    assert outcome(session, lambda s: "Understood." in s.last_answer).result is Result.SUCCESS
    assert outcome(session, lambda s: "NEXT:" in s.last_answer).result is Result.FAILURE


def test_a_chat_that_the_host_never_ends_is_over_after_silence(state_db: Path, sessions: dict[str, Session]) -> None:
    chat = sessions["asked in"]
    assert chat.ended_at is None
    assert chat.answered
    by_id = {session.session_id: session for session in read_sessions(state_db)}
    assert not by_id[chat.session_id].is_over
    later = {session.session_id: session for session in read_sessions(state_db, now=chat.last_at + IDLE)}
    assert later[chat.session_id].is_over


def test_a_lost_model_is_a_failure_and_an_error(sessions: dict[str, Session]) -> None:
    session = sessions["nobody answers"]
    assert session.ending is Ending.UNANSWERED
    assert (session.unanswered_turns, session.errors, session.last_answer) == (1, 1, "")
    assert outcome(session, lambda _: True) == Outcome(Result.FAILURE, "last turn unanswered")


def test_a_failed_tool_is_an_error_of_an_answered_session(sessions: dict[str, Session]) -> None:
    session = sessions["USE_TOOL read_file"]
    assert session.answered
    assert (session.tools, session.tool_errors, session.errors) == (("read_file",), 1, 1)


def test_a_loaded_skill_shows_in_the_texts(state_db: Path, sessions: dict[str, Session]) -> None:
    session = sessions["USE_TOOL skill_view"]
    texts = read_texts(state_db, session)
    assert (session.tools, session.tool_errors) == (("skill_view",), 0)
    assert len(texts.tool_results) == 1
    assert "Say “hëllo”\\tand smile." in texts.tool_results[0]
    assert texts.user_messages == (session.last_user,)


def test_our_own_evaluations_never_count(sessions: dict[str, Session]) -> None:
    assert sessions["a scenario"].excluded is Exclusion.EVALUATION
