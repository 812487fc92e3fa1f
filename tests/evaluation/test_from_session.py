"""What went wrong in a session is remembered as a scenario: without its secrets, without showing what is held out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hermes_state import SessionDB

from karpathy_self_improve.errors import BadInput, Conflict, UnknownProfile
from karpathy_self_improve.evaluation.scenario import from_session, placement, scenarios
from karpathy_self_improve.evaluation.scenario.from_session import NothingAsked, draft_from_session
from karpathy_self_improve.evaluation.scenario.scenarios import Scenario
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.ratchet.feedback import SessionLeftOut, UnknownSession

ADA = Actor("ada", "os:ada")
TOKEN = "gh" + "p_" + "aB3dE6gH9kL2" * 3
JUDGE = "auxiliary: {ratchet_judge: {provider: custom, model: judge-1}}\n"
TRAIN, EXAM = (
    next(f"s{n}" for n in range(99) if placement.lot("default", f"session:s{n}") is out) for out in (False, True)
)


@pytest.fixture
def sessions(home: Path) -> Iterator[SessionDB]:
    store = SessionDB(db_path=home / "state.db")
    yield store
    store.close()


@pytest.fixture
def here(home: Path) -> Iterator[Context]:
    made = open_context()
    yield made
    made.store.close()


def talk(sessions: SessionDB, session_id: str, *asked: str) -> str:
    sessions.create_session(session_id, "cli")
    for request in asked:
        sessions.append_message(session_id, "user", request)
        sessions.append_message(session_id, "assistant", "No idea.", finish_reason="stop")
    return session_id


def remember(here: Context, session_id: str, note: str | None = None, *, first: bool = False) -> Scenario:
    return draft_from_session(here, "default", session_id, note, ADA, first=first)


def test_the_last_request_is_remembered_or_the_first_if_asked(sessions: SessionDB, here: Context) -> None:
    talk(sessions, TRAIN, "Where is the lighthouse?", "And when does it open?")
    sessions.append_message(TRAIN, "user", "[System: a note of the host's]")
    last, first = remember(here, TRAIN), remember(here, TRAIN, first=True)
    assert (last.input, last.source, last.checks, last.holdout) == (
        "And when does it open?",
        f"session:{TRAIN}",
        "[]",
        0,
    )
    assert (first.input, first.name) == ("Where is the lighthouse?", f"session {TRAIN} (2)")


def test_a_secret_in_the_request_or_the_note_is_never_stored(sessions: SessionDB, here: Context, home: Path) -> None:
    made = remember(here, talk(sessions, TRAIN, f"Log in with {TOKEN}, please."), f"it printed {TOKEN}")
    assert made.input == "Log in with <github-token>, please."
    assert "<github-token>" in json.loads(made.checks)[0]["rubric"]
    here.store.close()
    kept = [file for file in (home / "ratchet").rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
    assert kept == []


def test_without_judge_or_note_it_is_a_draft_that_no_evaluation_runs(sessions: SessionDB, here: Context) -> None:
    noted, bare = remember(here, talk(sessions, EXAM, "one"), "wrong"), remember(here, talk(sessions, "b", "two"))
    assert (noted.holdout, bare.holdout) == (0, 0)
    with here.store.read() as tx:
        assert scenarios.train_set(tx, "default") == []
    why = [str(one.not_run) for one in scenarios.listed([noted, bare])]
    assert "no judge is configured" in why[0]
    assert "draft without checks" in why[1]


def test_with_a_judge_the_note_is_a_rubric_and_the_session_draws_the_split(
    sessions: SessionDB, here: Context, home: Path
) -> None:
    (home / "config.yaml").write_text(JUDGE, encoding="utf-8")
    train = remember(here, talk(sessions, TRAIN, "one"), "the date was wrong")
    exam = remember(here, talk(sessions, EXAM, "a very particular question"), "it was rude")
    (check,) = json.loads(train.checks)
    assert check["type"] == "judge"
    assert "the date was wrong" in check["rubric"]
    assert (train.holdout, exam.holdout) == (0, 1)
    assert "particular" not in exam.name
    with here.store.read() as tx:
        assert [one.id for one in scenarios.train_set(tx, "default")] == [train.id]


def test_a_draft_draws_its_split_with_its_first_checks(sessions: SessionDB, here: Context) -> None:
    for session_id, out, asked in ((TRAIN, 0, "Where is the lighthouse?"), (EXAM, 1, "Write a poem.")):
        draft = remember(here, talk(sessions, session_id, asked))
        edited = scenarios.edit_scenario(here, draft.id, ADA, input_text=f"{asked} Now.")
        assert edited.holdout == 0
        assert scenarios.edit_scenario(here, draft.id, ADA, checks=[{"type": "exit_ok"}]).holdout == out


def test_a_twin_of_a_scenario_falls_into_its_split(sessions: SessionDB, here: Context, home: Path) -> None:
    (home / "config.yaml").write_text(JUDGE, encoding="utf-8")
    asked = "Please summarise the meeting of the library's friends in three sentences."
    scenarios.add_scenario(here, "default", "summary", asked, [{"type": "exit_ok"}], ADA)
    assert remember(here, talk(sessions, EXAM, f"{asked} Thanks!"), "too long").holdout == 0


def test_any_part_names_the_session_and_one_request_is_remembered_once(sessions: SessionDB, here: Context) -> None:
    talk(sessions, "one", "Where is it?")
    sessions.end_session("one", "compression")
    sessions.create_session("two", "cli", parent_session_id="one")
    sessions.append_message("two", "user", "Where is it?")
    made = remember(here, "two")
    assert made.source == "session:one"
    with pytest.raises(Conflict, match=f"scenario {made.id} already"):
        remember(here, "one")
    scenarios.delete_scenario(here, made.id, ADA)
    assert remember(here, "one").id != made.id


def test_what_cannot_be_remembered_says_why(sessions: SessionDB, here: Context) -> None:
    sessions.create_session("nightly", "cron")
    sessions.create_session("silent", "cli")
    talk(sessions, "endless", "x" * 20_001)
    talk(sessions, "short", "x")
    for session_id, error, note in (
        ("nightly", SessionLeftOut, None),
        ("silent", NothingAsked, None),
        ("nobody", UnknownSession, None),
        ("endless", BadInput, None),
        ("short", BadInput, "x" * (from_session.LONGEST_NOTE + 1)),
    ):
        with pytest.raises(error):
            remember(here, session_id, note)
    with pytest.raises(UnknownProfile):
        draft_from_session(here, "stranger", "short", None, ADA)
    assert scenarios.list_scenarios(here, include_holdout=True) == []
