"""What the host's own store may hold, made with the host's own store, is read for what it means."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

from karpathy_self_improve._metrics import (
    Ending,
    Exclusion,
    Outcome,
    Result,
    Session,
    next_since,
    outcome,
    read_sessions,
    read_texts,
)
from karpathy_self_improve._state_db import SessionsUnavailable

SUMMARY = "[CONTEXT COMPACTION — REFERENCE ONLY] Earlier turns were compacted into the summary below."
HOUR = timedelta(hours=1)


class Host:
    """The host's store of sessions, and shorthands for what an agent writes into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = SessionDB(db_path=path)

    def session(self, name: str, source: str = "cli", **fields: Any) -> str:
        return str(self.db.create_session(name, source, **{"model": "m", "system_prompt": "prompt", **fields}))

    def asks(self, name: str, text: str, **fields: Any) -> int:
        return int(self.db.append_message(name, "user", text, **fields))

    def answers(self, name: str, text: str, finish_reason: str | None = "stop", **fields: Any) -> int:
        return int(self.db.append_message(name, "assistant", text, finish_reason=finish_reason, **fields))

    def uses(self, name: str, tool: str, result: str, call: str = "c1") -> None:
        calls = [{"id": call, "type": "function", "function": {"name": tool, "arguments": "{}"}}]
        self.db.append_message(name, "assistant", "", tool_calls=calls, finish_reason="tool_calls")
        self.db.append_message(name, "tool", result, tool_name=tool, tool_call_id=call)

    def turn(self, name: str, question: str = "q", answer: str = "a") -> None:
        self.asks(name, question)
        self.answers(name, answer)

    def read(self, **options: Any) -> dict[str, Session]:
        return {session.session_id: session for session in read_sessions(self.path, **options)}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    store = Host(tmp_path / "state.db")
    yield store
    store.db.close()


def in_one_session(host: Host, *steps: Callable[[str], object]) -> Session:
    """The session in which ``steps`` happened, over."""
    host.session("s")
    for step in steps:
        step("s")
    return host.read(idle=timedelta(0))["s"]


# --- the file


def test_no_file_means_no_sessions(tmp_path: Path) -> None:
    assert read_sessions(tmp_path / "state.db") == []
    assert not (tmp_path / "state.db").exists()


def test_a_file_the_host_has_just_created_means_no_sessions(tmp_path: Path) -> None:
    (tmp_path / "state.db").touch()
    assert read_sessions(tmp_path / "state.db") == []


def test_a_host_with_fewer_columns_and_tables_is_read(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as old:
        old.execute("CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT, started_at REAL, input_tokens INTEGER)")
        old.execute("INSERT INTO sessions VALUES ('s', 'cli', 1000.0, 7)")
    old.close()
    (session,) = read_sessions(tmp_path / "state.db")
    assert (session.tokens, session.cost_micro_usd, session.system_prompt) == (7, None, "")
    assert session.ending is Ending.NOTHING_ASKED
    assert session.is_over


def test_reading_never_writes(host: Host, tmp_path: Path) -> None:
    """Not even what a host that was killed left in its write-ahead log: folding that in is the host's business."""
    host.turn(host.session("s"))
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("state.db", "state.db-wal"):
        shutil.copy2(host.path.with_name(name), killed)
    before = [
        ((killed / name).read_bytes(), (killed / name).stat().st_mtime_ns) for name in ("state.db", "state.db-wal")
    ]
    assert [s.turns for s in read_sessions(killed / "state.db")] == [1]
    after = [
        ((killed / name).read_bytes(), (killed / name).stat().st_mtime_ns) for name in ("state.db", "state.db-wal")
    ]
    assert after == before


def test_a_session_is_read_while_the_host_writes_another(host: Host) -> None:
    host.turn(host.session("s"))
    with sqlite3.connect(host.path) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO sessions (id, source, started_at) VALUES ('half', 'cli', 1.0)")
        assert list(host.read()) == ["s"]
        writer.rollback()
    writer.close()


def locked(path: Path) -> sqlite3.Connection:
    """Holds the whole file, as a migration of the host may: readers are shut out."""
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("PRAGMA journal_mode=DELETE")
    holder.execute("BEGIN EXCLUSIVE")
    return holder


def test_a_file_that_stays_locked_is_reported_with_its_name(host: Host) -> None:
    host.session("s")
    host.db.close()
    holder = locked(host.path)
    with pytest.raises(SessionsUnavailable, match=r"state\.db .*locked.* try again"):
        read_sessions(host.path)
    holder.close()


def test_a_short_lock_is_waited_out(host: Host) -> None:
    host.session("s")
    host.db.close()
    holder = locked(host.path)
    timer = threading.Timer(0.4, holder.rollback)
    timer.start()
    assert [session.session_id for session in read_sessions(host.path)] == ["s"]
    timer.join()
    holder.close()


def test_a_file_that_is_no_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(SessionsUnavailable, match="not a database"):
        read_sessions(tmp_path / "state.db")


def test_a_path_with_url_characters_is_that_path(tmp_path: Path) -> None:
    folder = tmp_path / "50% #1?mode=rwc"
    folder.mkdir()
    odd = Host(folder / "state.db")
    odd.session("s")
    assert list(odd.read()) == ["s"]
    odd.db.close()


# --- when a session is over, and where to read on


def test_an_ended_session_is_over_at_once_and_a_reopened_one_is_not(host: Host) -> None:
    host.turn(host.session("s"))
    assert not host.read()["s"].is_over
    host.db.end_session("s", "cli_close")
    assert host.read()["s"].is_over
    host.db.reopen_session("s")
    assert not host.read()["s"].is_over


def test_silence_is_counted_from_the_last_message(host: Host) -> None:
    host.session("s")
    last = host.read()["s"].started_at + timedelta(minutes=10)
    host.asks("s", "q", timestamp=last.timestamp())
    assert not host.read(now=last + timedelta(minutes=29))["s"].is_over
    assert host.read(now=last + timedelta(minutes=30))["s"].is_over
    assert host.read(now=last + timedelta(minutes=29), idle=timedelta(minutes=10))["s"].is_over


def test_a_message_from_the_future_is_no_sign_of_life(host: Host) -> None:
    host.asks(host.session("s"), "q", timestamp=datetime.now(UTC).timestamp() * 1000)
    assert host.read(now=datetime.now(UTC) + HOUR)["s"].is_over


def test_reading_from_a_cursor_misses_nothing_that_was_open(host: Host) -> None:
    for name in ("first", "open", "last"):
        host.turn(host.session(name))
    host.db.end_session("first", "cli_close")
    host.db.end_session("last", "cli_close")
    cursor = next_since(list(host.read().values()), None)
    assert list(host.read(since=cursor)) == ["open", "last"]
    host.db.end_session("open", "cli_close")
    cursor = next_since(list(host.read(since=cursor).values()), cursor)
    assert list(host.read(since=cursor)) == ["last"]
    assert next_since([], cursor) == cursor


# --- what never counts


@pytest.mark.parametrize(
    ("source", "excluded"),
    [
        ("cli", None),
        ("telegram", None),
        ("ratchet-eval", Exclusion.EVALUATION),
        ("cron", Exclusion.CRON),
        ("subagent", Exclusion.SUBAGENT),
    ],
)
def test_sources_that_are_no_conversation_are_marked(host: Host, source: str, excluded: Exclusion | None) -> None:
    host.session("s", source)
    assert host.read()["s"].excluded is excluded


def test_a_delegated_task_is_marked_whatever_its_source(host: Host) -> None:
    host.session("parent")
    host.session("marked", model_config={"_delegate_from": "parent"})
    host.session("older host", parent_session_id="parent")
    assert {name: s.excluded for name, s in host.read().items()} == {
        "parent": None,
        "marked": Exclusion.SUBAGENT,
        "older host": Exclusion.SUBAGENT,
    }


def test_a_branch_is_marked_and_its_origin_is_not(host: Host) -> None:
    host.turn(host.session("origin"))
    host.db.end_session("origin", "branched")
    host.session("marked", parent_session_id="origin", model_config={"_branched_from": "origin"})
    host.session("older host", parent_session_id="origin")
    assert [s.excluded for s in host.read().values()] == [None, Exclusion.BRANCH, Exclusion.BRANCH]


# --- conversations that grew too long


def test_a_chain_of_compressed_parts_is_one_session(host: Host) -> None:
    host.session("s", system_prompt="one")
    host.turn("s", "first", "one")
    host.asks("s", "second")
    host.uses("s", "terminal", '{"exit_code": 2}')
    host.db.update_token_counts("s", input_tokens=10, output_tokens=1, model="m", api_call_count=1)
    kept = host.db.get_messages_as_conversation("s")[2:]
    host.db.end_session("s", "compression")
    host.session("t", parent_session_id="s", system_prompt="two", model="n")
    host.db.replace_messages("t", [{"role": "user", "content": SUMMARY}, *kept])
    host.answers("t", "two")
    host.db.update_token_counts("t", input_tokens=5, cache_read_tokens=3, cache_write_tokens=2, api_call_count=1)
    host.session("subagent", "subagent", parent_session_id="s", model_config={"_delegate_from": "s"})
    read = host.read()
    assert list(read) == ["s", "subagent"]
    session = read["s"]
    assert session.parts == ("s", "t")
    assert (session.turns, session.tool_errors, session.tools) == (2, 1, ("terminal",))
    assert (session.last_user, session.last_answer, session.ending) == ("second", "two", Ending.ANSWERED)
    assert session.tokens == 21
    assert (session.model, session.models) == ("n", ("m", "n"))
    assert session.mixed_prompts
    assert not session.is_over
    host.db.end_session("t", "cli_close")
    assert host.read()["s"].is_over
    assert read_texts(host.path, session).tool_results == ('{"exit_code": 2}',) * 2


def test_a_part_that_waits_for_its_continuation_is_over_only_after_silence(host: Host) -> None:
    host.turn(host.session("s"))
    host.db.end_session("s", "compression")
    assert not host.read()["s"].is_over
    assert host.read(now=datetime.now(UTC) + HOUR)["s"].is_over


def test_of_two_continuations_the_one_that_goes_on_is_followed(host: Host) -> None:
    host.turn(host.session("s"))
    host.db.end_session("s", "compression")
    for name in ("stale", "real"):
        host.turn(host.session(name, parent_session_id="s"), answer=name)
    host.db.end_session("stale", "ws_orphan_reap")
    (session,) = host.read().values()
    assert session.parts == ("s", "real")


def test_a_conversation_compressed_in_place_is_counted_once(host: Host) -> None:
    host.session("s")
    host.turn("s", "first", "one")
    host.asks("s", "second")
    host.uses("s", "skill_view", '{"error": "no such skill"}', "c1")
    host.uses("s", "skill_view", '{"content": "the old rule"}', "c2")
    host.answers("s", "two")
    kept = host.db.get_messages_as_conversation("s")[-2:]
    host.db.archive_and_compact("s", [{"role": "user", "content": SUMMARY}, *kept])
    host.turn("s", "third", "three")
    session = host.read()["s"]
    assert (session.turns, session.tool_errors, session.tools) == (3, 1, ("skill_view", "skill_view"))
    assert session.last_answer == "three"
    assert '{"content": "the old rule"}' in read_texts(host.path, session).tool_results


def test_a_repeated_last_question_is_seen_unanswered_after_a_compaction(host: Host) -> None:
    host.session("s")
    host.turn("s", "continue", "one")
    host.db.archive_and_compact("s", [{"role": "user", "content": SUMMARY}])
    host.asks("s", "continue")
    assert host.read()["s"].ending is Ending.UNANSWERED


def test_messages_that_were_taken_back_did_not_happen(host: Host) -> None:
    host.turn(host.session("s"))
    taken_back = host.asks("s", "never mind")
    host.uses("s", "terminal", '{"exit_code": 1}')
    host.db.rewind_to_message("s", taken_back)
    session = host.read()["s"]
    assert (session.turns, session.errors, session.last_user) == (1, 0, "q")
    assert read_texts(host.path, session).tool_results == ()


# --- how a turn ended


def test_overheard_messages_are_nobodys_turn(host: Host) -> None:
    session = in_one_session(host, host.turn, lambda s: host.asks(s, "chatter", observed=True))
    assert (session.turns, session.ending) == (1, Ending.ANSWERED)


@pytest.mark.parametrize(
    "note",
    [
        "[System: The active model for this chat has changed to m2.]",
        "[IMPORTANT: MCP servers have been reloaded. No MCP tools available.]",
        SUMMARY,
    ],
)
def test_notes_of_the_host_are_nobodys_turn(host: Host, note: str) -> None:
    session = in_one_session(host, host.turn, lambda s: host.asks(s, note))
    assert (session.turns, session.ending, session.last_user) == (1, Ending.ANSWERED, "q")


def test_an_invoked_skill_is_a_turn_and_its_text_is_kept(host: Host) -> None:
    sent = '[IMPORTANT: The user has invoked the "greet" skill]\n\nSay hello.'
    session = in_one_session(host, lambda s: host.asks(s, "/greet", api_content=sent), lambda s: host.answers(s, "hi"))
    assert session.turns == 1
    assert read_texts(host.path, session).user_messages == ("/greet", sent)


@pytest.mark.parametrize(
    ("text", "finish_reason", "ending", "result"),
    [
        ("done", "stop", Ending.ANSWERED, Result.SUCCESS),
        ("done", "end_turn", Ending.ANSWERED, Result.SUCCESS),
        ("", "stop", Ending.UNANSWERED, Result.FAILURE),
        ("Operation interrupted.", None, Ending.INTERRUPTED, Result.FAILURE),
        ("half a sen", "length", Ending.CUT_SHORT, Result.FAILURE),
        ("I must not", "content_filter", Ending.CUT_SHORT, Result.FAILURE),
        ("half a sen", None, Ending.UNPROVEN, Result.UNKNOWN),
        ("first try", "verification_required", Ending.UNPROVEN, Result.UNKNOWN),
    ],
)
def test_the_last_turn_ends_as_the_host_stored_it(
    host: Host, text: str, finish_reason: str | None, ending: Ending, result: Result
) -> None:
    session = in_one_session(host, lambda s: host.asks(s, "q"), lambda s: host.answers(s, text, finish_reason))
    assert session.ending is ending
    assert outcome(session, lambda _: True).result is result


def test_a_turn_that_stops_after_a_tool_is_unanswered(host: Host) -> None:
    session = in_one_session(host, lambda s: host.asks(s, "q"), lambda s: host.uses(s, "terminal", '{"exit_code": 0}'))
    assert session.ending is Ending.UNANSWERED
    assert session.errors == 1


def test_a_remark_before_a_tool_is_no_answer(host: Host) -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "terminal", "arguments": "{}"}}]
    session = in_one_session(
        host, lambda s: host.asks(s, "q"), lambda s: host.answers(s, "Let me look.", "tool_calls", tool_calls=calls)
    )
    assert (session.ending, session.last_answer) == (Ending.UNANSWERED, "")


def test_an_answer_continued_after_its_limit_is_one_answer(host: Host) -> None:
    session = in_one_session(
        host,
        lambda s: host.asks(s, "q"),
        lambda s: host.answers(s, "one, ", "length"),
        lambda s: host.asks(s, "[System: Your previous response was truncated by the output length limit.]"),
        lambda s: host.answers(s, "two"),
    )
    assert (session.last_answer, session.turns, session.ending) == ("one, two", 1, Ending.ANSWERED)


def test_an_earlier_turn_without_an_answer_is_an_error_and_no_failure(host: Host) -> None:
    session = in_one_session(host, lambda s: host.asks(s, "q1"), host.turn)
    assert (session.unanswered_turns, session.errors) == (1, 1)
    assert outcome(session, lambda _: True).result is Result.SUCCESS


def test_a_message_in_parts_is_read_as_its_text(host: Host) -> None:
    parts = [
        {"type": "text", "text": "what is"},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": "it"},
    ]
    session = in_one_session(host, lambda s: host.db.append_message(s, "user", parts))
    assert session.last_user == "what is\nit"


# --- errors, tokens, cost


@pytest.mark.parametrize(
    ("result", "errors"),
    [
        ('{"output": "hi", "exit_code": 0, "error": null}', 0),
        ('{"output": "", "exit_code": 1, "error": null}', 1),
        ('{"output": "", "exit_code": 1, "exit_code_meaning": "No matches found (not an error)"}', 0),
        ('{"content": "", "error": "File not found: /x"}', 1),
        ('{"content": "an \\"error\\" in a log", "error": ""}', 0),
        ('{"success": false, "message": "nothing to do"}', 1),
        ('{"success": true}\n\n[A note of the host]', 0),
        ('{"error": "boom"}\n\n[A note of the host]', 1),
        ('{"error": "Tool execution cancelled by user interrupt", "status": "cancelled"}', 0),
        ("Error executing tool 'x': boom", 1),
        ("Tool 'x' does not exist. Available tools: terminal", 1),
        ("plain text about an error", 0),
        ('{"a":' * 200_000, 0),
    ],
)
def test_tool_errors_are_counted_as_the_host_judges_them(host: Host, result: str, errors: int) -> None:
    session = in_one_session(
        host, lambda s: host.asks(s, "q"), lambda s: host.uses(s, "tool", result), lambda s: host.answers(s, "a")
    )
    assert session.tool_errors == errors


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({}, None),
        ({"cost_status": "unknown"}, None),
        ({"cost_status": "estimated", "estimated_cost_usd": 0.0123456}, 12_346),
        ({"cost_status": "included", "estimated_cost_usd": 0.0}, 0),
        ({"cost_status": "actual", "estimated_cost_usd": 0.5, "actual_cost_usd": 0.25}, 250_000),
    ],
)
def test_a_price_nobody_knows_is_no_price(host: Host, usage: dict[str, Any], cost: int | None) -> None:
    host.session("s")
    host.db.update_token_counts("s", input_tokens=1, api_call_count=1, **usage)
    assert host.read()["s"].cost_micro_usd == cost


def test_reasoning_is_part_of_the_output_and_not_counted_twice(host: Host) -> None:
    host.session("s")
    host.db.update_token_counts("s", input_tokens=100, output_tokens=20, reasoning_tokens=15)
    assert host.read()["s"].tokens == 120


def test_a_model_that_took_part_is_named_even_when_it_was_switched(host: Host) -> None:
    host.session("s", model="one")
    host.db.update_token_counts("s", input_tokens=1, model="one", billing_provider="p", api_call_count=1)
    host.db.update_token_counts("s", input_tokens=1, model="two", billing_provider="p", api_call_count=1)
    host.db.record_auxiliary_usage("s", task="title_generation", model="titles", input_tokens=1)
    assert host.read()["s"].models == ("one", "two")


# --- outcome


def test_feedback_goes_before_everything(host: Host) -> None:
    session = in_one_session(host, lambda s: host.asks(s, "q"))
    assert outcome(session, lambda _: True, feedback=True) == Outcome(Result.SUCCESS, "feedback")
    assert outcome(session, lambda _: True, feedback=False) == Outcome(Result.FAILURE, "feedback")


def test_a_failed_turn_goes_before_the_check(host: Host) -> None:
    session = in_one_session(host, lambda s: host.asks(s, "q"))
    assert outcome(session, lambda _: True).result is Result.FAILURE


@pytest.mark.parametrize(("says", "result"), [(True, Result.SUCCESS), (False, Result.FAILURE), (None, Result.UNKNOWN)])
def test_the_check_decides_an_answered_session(host: Host, says: bool | None, result: Result) -> None:
    assert outcome(in_one_session(host, host.turn), lambda _: says).result is result


def test_silence_is_no_success(host: Host) -> None:
    assert outcome(in_one_session(host, host.turn), None) == Outcome(Result.UNKNOWN, "no success signal")


def test_a_session_in_which_nothing_was_asked_is_unknown(host: Host) -> None:
    assert outcome(in_one_session(host), lambda _: True) == Outcome(Result.UNKNOWN, "last turn nothing asked")


def test_a_session_that_goes_on_is_unknown(host: Host) -> None:
    host.turn(host.session("s"))
    assert outcome(host.read()["s"], lambda _: True) == Outcome(Result.UNKNOWN, "not over yet")
