"""What persons say of sessions is kept whole, and the newest word on a conversation is the one that counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hermes_state import SessionDB

from karpathy_self_improve.errors import BadInput, UnknownProfile
from karpathy_self_improve.ratchet import events, feedback
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.ratchet.feedback import LONGEST_NOTE, SessionLeftOut, UnknownSession

ADA = Actor("ada", "os:ada")


@pytest.fixture
def sessions(home: Path) -> Iterator[SessionDB]:
    store = SessionDB(db_path=home / "state.db")
    yield store
    store.close()


@pytest.fixture
def opened(home: Path) -> Iterator[Context]:
    made = open_context()
    yield made
    made.store.close()


def newest(context: Context, profile: str = "default") -> dict[str, bool]:
    with context.store.read() as tx:
        return feedback.newest(tx, profile)


def test_the_newest_word_counts_and_all_are_kept(sessions: SessionDB, opened: Context) -> None:
    for name in ("one", "two"):
        sessions.create_session(name, "cli")
    feedback.give(opened, "default", "one", True, "nice", ADA)
    feedback.give(opened, "default", "two", True, None, ADA)
    last = feedback.give(opened, "default", "one", False, "  ", ADA)
    assert newest(opened) == {"one": False, "two": True}
    assert newest(opened, "coder") == {}
    assert [(f.session_id, f.good, f.note) for f in feedback.list_feedback(opened, profile="default")] == [
        ("one", 0, None),
        ("two", 1, None),
        ("one", 1, "nice"),
    ]
    assert feedback.list_feedback(opened, limit=1) == [last]
    assert feedback.list_feedback(opened, profile="coder") == []


def test_a_chain_of_compressed_parts_is_one_session(sessions: SessionDB, opened: Context) -> None:
    sessions.create_session("first", "cli")
    sessions.end_session("first", "compression")
    sessions.create_session("second", "cli", parent_session_id="first")
    feedback.give(opened, "default", "second", False, None, ADA)
    assert newest(opened) == {"first": False}
    feedback.give(opened, "default", "first", True, None, ADA)
    assert newest(opened) == {"first": True}


def test_only_a_session_of_a_person_can_be_judged(sessions: SessionDB, opened: Context) -> None:
    sessions.create_session("nightly", "cron")
    with pytest.raises(SessionLeftOut, match="cron"):
        feedback.give(opened, "default", "nightly", True, None, ADA)
    with pytest.raises(UnknownSession, match="no session 'nobody'"):
        feedback.give(opened, "default", "nobody", True, None, ADA)
    with pytest.raises(UnknownProfile):
        feedback.give(opened, "stranger", "nightly", True, None, ADA)
    assert newest(opened) == {}


def test_a_note_has_a_limit_and_any_text_can_be_kept(sessions: SessionDB, opened: Context) -> None:
    sessions.create_session("one", "cli")
    with pytest.raises(BadInput, match="Shorten"):
        feedback.give(opened, "default", "one", True, "x" * (LONGEST_NOTE + 1), ADA)
    feedback.give(opened, "default", "one", True, "word " * 300 + "\udc80", ADA)
    assert feedback.list_feedback(opened)[0].note == "word " * 300 + "\\udc80"


def test_a_secret_in_a_note_is_not_kept(sessions: SessionDB, opened: Context) -> None:
    sessions.create_session("one", "cli")
    feedback.give(opened, "default", "one", False, "it told everybody sk-" + "ab12" * 12, ADA)
    assert feedback.list_feedback(opened)[0].note == "it told everybody <sk-key>"


def test_an_event_tells_of_it_without_the_note(sessions: SessionDB, opened: Context) -> None:
    sessions.create_session("one", "cli")
    feedback.give(opened, "default", "one", False, "about my health", ADA)
    with opened.store.read() as tx:
        (event,) = events.latest(tx, "feedback.given", "default")
    assert event.payload == {"session_id": "one", "good": False, "actor": "ada"}


def test_what_was_said_is_never_rewritten(sessions: SessionDB, opened: Context) -> None:
    sessions.create_session("one", "cli")
    feedback.give(opened, "default", "one", False, None, ADA)
    for attack in (
        "UPDATE session_feedback SET good = 1",
        "DELETE FROM session_feedback",
        "REPLACE INTO session_feedback SELECT id, profile, session_id, 1, note, actor, principal, created_at"
        " FROM session_feedback",
    ):
        with opened.store.write() as tx, pytest.raises(sqlite3.IntegrityError, match="append-only"):
            tx.connection.driver_connection.execute(attack)
    assert newest(opened) == {"one": False}


def test_limits_are_limits(opened: Context) -> None:
    for limit in (0, 1001):
        with pytest.raises(BadInput):
            feedback.list_feedback(opened, limit=limit)
