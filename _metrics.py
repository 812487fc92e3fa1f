"""What happened in real sessions: one value per conversation, read from a profile's ``state.db`` and never written.

The host (hermes-agent 0.19.0) stores no error for a failed turn, often no end of a session, and splits or rewrites a
conversation when it grows too long; what it does store is read here into plain facts. See :func:`outcome` for what they
amount to.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import clock
from ._state_db import StateDb, read_state_db

IDLE = timedelta(minutes=30)
_log = logging.getLogger(__name__)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_LARGEST = 2**53


class Exclusion(StrEnum):
    """Why a session never counts, in a baseline or in a window."""

    EVALUATION = "evaluation"
    CRON = "cron"
    SUBAGENT = "subagent"
    BRANCH = "branch"  # repeats the start of another session: the two are not independent


class Ending(StrEnum):
    """How the last turn of a session ended, as far as its messages tell."""

    NOTHING_ASKED = "nothing asked"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"
    INTERRUPTED = "interrupted"
    CUT_SHORT = "cut short"
    UNPROVEN = "unproven"  # a text without the host's word that it was complete


_FAILED = {Ending.UNANSWERED, Ending.INTERRUPTED, Ending.CUT_SHORT}


@dataclass(frozen=True)
class Session:
    """One conversation with a profile; a chain of compressed parts is one.

    ``session_id`` is that of the first part, ``parts`` all ids in order. ``system_prompt`` is the first part's,
    ``mixed_prompts`` says whether a later part has another one. ``models`` are all that answered, ``model`` the last
    one configured. ``last_user`` and ``last_answer`` belong to the last turn. ``tokens`` are input, cached input and
    output; ``cost_micro_usd`` is None when the host does not know it. ``tools`` are the names of the tools that
    returned, in order.
    """

    session_id: str
    parts: tuple[str, ...]
    source: str
    excluded: Exclusion | None
    model: str | None
    models: tuple[str, ...]
    started_at: datetime
    ended_at: datetime | None
    last_at: datetime
    is_over: bool
    system_prompt: str
    mixed_prompts: bool
    last_user: str
    last_answer: str
    ending: Ending
    turns: int
    unanswered_turns: int
    tools: tuple[str, ...]
    tool_errors: int
    tokens: int
    cost_micro_usd: int | None

    @property
    def answered(self) -> bool:
        return self.ending is Ending.ANSWERED

    @property
    def failed(self) -> bool:
        return self.ending in _FAILED

    @property
    def errors(self) -> int:
        """Tool errors, and turns that got no answer: what an API failure leaves behind."""
        return self.tool_errors + self.unanswered_turns


@dataclass(frozen=True)
class SessionTexts:
    """What a session's model was given besides its system prompt, whole: tool results and user messages, in order."""

    tool_results: tuple[str, ...]
    user_messages: tuple[str, ...]


@dataclass(frozen=True)
class Conversation:
    """What a part of a session belongs to: ``session_id`` is that of the first part."""

    session_id: str
    excluded: Exclusion | None


@dataclass(frozen=True)
class Requests:
    """What people asked in one conversation, in order, without the host's own notes; the rest as in Conversation."""

    session_id: str
    excluded: Exclusion | None
    asked: tuple[str, ...]


class Result(StrEnum):
    """One session, one result. Unknown is left out and counted, never guessed."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """A session's result and, in a few words, why."""

    result: Result
    reason: str


SuccessCheck = Callable[[Session], bool | None]


def outcome(session: Session, success_check: SuccessCheck | None, feedback: bool | None = None) -> Outcome:
    """Success, failure or unknown; the first of these that says something.

    A person's ``feedback``; a last turn that failed, was interrupted or stayed unanswered; ``success_check``, which
    answers True or False, or None when it has nothing to say. Silence is not success.
    """
    if feedback is not None:
        return Outcome(Result.SUCCESS if feedback else Result.FAILURE, "feedback")
    if not session.is_over:
        return Outcome(Result.UNKNOWN, "not over yet")
    if session.failed:
        return Outcome(Result.FAILURE, f"last turn {session.ending}")
    if session.ending is not Ending.ANSWERED:
        return Outcome(Result.UNKNOWN, f"last turn {session.ending}")
    passed = success_check(session) if success_check else None
    if passed is None:
        return Outcome(Result.UNKNOWN, "no success signal")
    return Outcome(Result.SUCCESS, "check passed") if passed else Outcome(Result.FAILURE, "check failed")


def read_sessions(
    state_db: Path, since: datetime | None = None, *, idle: timedelta = IDLE, now: datetime | None = None
) -> list[Session]:
    """The sessions that started at ``since`` or later, oldest first; none when there is no such file.

    A session is over once the host ended it, or when nothing was written to it for ``idle``. Times are aware UTC; an
    aware ``since`` of any zone will do. Columns and tables that this host version lacks count as empty.

    Raises SessionsUnavailable when the file is locked for longer than a second, broken or unreadable.
    """
    moment = now or clock.now()
    nothing: list[Session] = []
    found, unreadable = read_state_db(state_db, lambda opened: _sessions(opened, since, moment, idle), (nothing, 0))
    if unreadable:
        _note_unreadable(state_db, unreadable)
    return found


@lru_cache(maxsize=256)
def _note_unreadable(state_db: Path, count: int) -> None:
    """Once for each figure: a daemon reads the file every few seconds."""
    _log.warning("%d sessions in %s hold values that the host never writes; they are left out", count, state_db)


def read_texts(state_db: Path, session: Session) -> SessionTexts:
    """The texts that can show which version of a file ``session`` met. Raises SessionsUnavailable."""
    nothing: list[_Message] = []
    messages = read_state_db(state_db, lambda database: _messages(database, session.parts), nothing)
    return SessionTexts(
        tuple(m.text for m in messages if m.role == "tool"),
        tuple(text for m in messages if m.role == "user" for text in (m.text, m.sent) if text),
    )


def find_conversation(state_db: Path, session_id: str) -> Conversation | None:
    """What ``session_id``, the id of any part, belongs to; None when there is no such session.

    Messages are not read. Raises SessionsUnavailable.
    """
    return read_state_db(state_db, lambda database: _conversation(database, session_id), None)


def read_requests(state_db: Path, session_id: str) -> Requests | None:
    """What was asked in the conversation that ``session_id``, the id of any part, belongs to; None without one.

    Raises SessionsUnavailable.
    """
    return read_state_db(state_db, lambda database: _requests(database, session_id), None)


def next_since(sessions: Sequence[Session], since: datetime | None) -> datetime | None:
    """From where to read next time: the oldest session that is not over, else the newest one; they come again."""
    waiting = [session.started_at for session in sessions if not session.is_over]
    return min(waiting) if waiting else max((session.started_at for session in sessions), default=since)


# --- sessions: rows joined into conversations

_KEYS = ["id", "source", "parent_session_id", "started_at", "ended_at", "end_reason", "model", "model_config"]
_TOKENS = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"]
_FIGURES = ["system_prompt", "estimated_cost_usd", "actual_cost_usd", "cost_status", *_TOKENS]
_SOURCES = {"ratchet-eval": Exclusion.EVALUATION, "cron": Exclusion.CRON, "subagent": Exclusion.SUBAGENT}
_Rows = Mapping[str, sqlite3.Row]


def _keys(database: StateDb) -> _Rows:
    found = database.select("sessions", _KEYS, "id IS NOT NULL AND started_at IS NOT NULL ORDER BY started_at, id")
    return {row["id"]: row for row in found if isinstance(row["id"], str) and _is_time(row["started_at"])}


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value < _LATEST.timestamp()


def _conversation(database: StateDb, session_id: str) -> Conversation | None:
    rows = _keys(database)
    chain = _chain_with(rows, session_id)
    return Conversation(chain[0]["id"], _exclusion(chain[0], rows)) if chain else None


def _requests(database: StateDb, session_id: str) -> Requests | None:
    rows = _keys(database)
    chain = _chain_with(rows, session_id)
    if not chain:
        return None
    messages = _without_copies(_messages(database, [part["id"] for part in chain]), len(chain) > 1)
    asked = (m.text for m in messages if m.role == "user" and not m.text.startswith(_HOST_NOTES))
    return Requests(chain[0]["id"], _exclusion(chain[0], rows), tuple(text for text in asked if text.strip()))


def _chain_with(rows: _Rows, session_id: str) -> list[sqlite3.Row]:
    """The parts of the conversation that a part with this id belongs to; none when there is no such part."""
    return next((chain for chain in _chains(rows) if any(part["id"] == session_id for part in chain)), [])


def _sessions(database: StateDb, since: datetime | None, now: datetime, idle: timedelta) -> tuple[list[Session], int]:
    """The sessions, and how many there are besides that make no sense: those must not keep the others from counting."""
    rows = _keys(database)
    found: list[Session] = []
    unreadable = len(database.select("sessions", ["id"], "1")) - len(rows)
    for chain in _chains(rows):
        if since is not None and _moment(chain[0]["started_at"]) < since:
            continue
        try:
            found.append(_checked(_session(database, chain, _exclusion(chain[0], rows), now, idle)))
        except (TypeError, ValueError, ArithmeticError):
            unreadable += 1
    return found, unreadable


def _checked(session: Session) -> Session:
    """Raises TypeError when a value is not of the kind that the host writes: SQLite stores any in any column."""
    texts = (session.source, session.system_prompt, session.last_user, session.last_answer, session.model or "")
    if not all(isinstance(text, str) for text in (*texts, *session.models, *session.tools)):
        raise TypeError("not a text")
    figures = (session.tokens, session.cost_micro_usd or 0)
    if not all(isinstance(n, int) and abs(n) <= _LARGEST for n in figures) or not _is_time(session.last_at.timestamp()):
        raise TypeError("not a number")
    return session


def _chains(rows: _Rows) -> Iterator[list[sqlite3.Row]]:
    """Conversations, oldest first, each as its parts in order.

    Of several continuations of one part the host itself follows one that goes on or is still open; so do we, and the
    others, left behind by a race, are nobody's conversation.
    """
    continuations: dict[str, list[sqlite3.Row]] = {}
    for row in rows.values():
        if _continues(row, rows):
            continuations.setdefault(row["parent_session_id"], []).append(row)
    for row in rows.values():
        if _continues(row, rows):
            continue
        chain = [row]
        while following := continuations.pop(chain[-1]["id"], None):
            ended = [(part["end_reason"] != "compression", part["ended_at"] is not None) for part in following]
            chain.append(following[ended.index(min(ended))])
        yield chain


def _continues(row: sqlite3.Row, rows: _Rows) -> bool:
    """Whether ``row`` goes on with its parent after a compression."""
    parent = rows.get(row["parent_session_id"])
    return parent is not None and parent["end_reason"] == "compression" and not _copied_by(row)


def _copied_by(row: sqlite3.Row) -> str | None:
    """The mark of a row that the host made for a branch or a delegated task."""
    settings = _object(row["model_config"]) or {}
    return next((mark for mark in ("_branched_from", "_delegate_from") if settings.get(mark) is not None), None)


def _exclusion(first: sqlite3.Row, rows: _Rows) -> Exclusion | None:
    if first["source"] in _SOURCES:
        return _SOURCES[first["source"]]
    parent, mark = rows.get(first["parent_session_id"]), _copied_by(first)
    if mark == "_branched_from" or (parent is not None and parent["end_reason"] == "branched"):
        return Exclusion.BRANCH
    return Exclusion.SUBAGENT if mark or first["parent_session_id"] else None


def _session(
    database: StateDb,
    chain: Sequence[sqlite3.Row],
    excluded: Exclusion | None,
    now: datetime,
    idle: timedelta,
) -> Session:
    first, last = chain[0], chain[-1]
    parts = tuple(part["id"] for part in chain)
    figures = [row for part in parts for row in database.select("sessions", _FIGURES, "id = ?", (part,))]
    prompts = [row["system_prompt"] for row in figures if row["system_prompt"]]
    messages = _messages(database, parts)
    # A rewritten conversation holds some messages twice: what happened is counted without the copies, how it ended is
    # read from what the host would go on with.
    whole, current = _tell(_without_copies(messages, len(parts) > 1)), _tell(m for m in messages if m.active)
    ended_at = last["ended_at"] if last["end_reason"] != "compression" else None
    # A chat platform's clock may run ahead or count milliseconds: a time to come is no sign of life.
    past = [m.at for m in messages if m.at <= now.timestamp()]
    last_at = _moment(max([last["started_at"], last["ended_at"] or 0.0, *past]))
    return Session(
        session_id=first["id"],
        parts=parts,
        source=first["source"] or "",
        excluded=excluded,
        model=last["model"],
        models=_models(database, chain),
        started_at=_moment(first["started_at"]),
        ended_at=None if ended_at is None else _moment(ended_at),
        last_at=last_at,
        is_over=ended_at is not None or last_at <= now - idle,
        system_prompt=prompts[0] if prompts else "",
        mixed_prompts=len(set(prompts)) > 1,
        last_user=current.question,
        last_answer=current.answer,
        ending=current.ending,
        turns=whole.turns,
        unanswered_turns=whole.unanswered + (current.ending is Ending.UNANSWERED),
        tools=tuple(whole.tools),
        tool_errors=whole.tool_errors,
        tokens=sum(row[name] or 0 for row in figures for name in _TOKENS),
        cost_micro_usd=_cost(figures),
    )


def _models(database: StateDb, chain: Sequence[sqlite3.Row]) -> tuple[str, ...]:
    """Every model that took part in the conversation itself; titles and the like are another task."""
    used = {part["model"] for part in chain if part["model"]}
    for part in chain:
        rows = database.select("session_model_usage", ("model", "task"), "session_id = ?", (part["id"],))
        used |= {row["model"] for row in rows if not row["task"]}
    return tuple(sorted(used))


def _cost(figures: Sequence[sqlite3.Row]) -> int | None:
    """Micro-dollars; the host writes an estimate of 0 for a price it does not know, and says so in the status."""
    total = 0.0
    for row in figures:
        known = row["cost_status"] not in (None, "unknown")
        amount = row["estimated_cost_usd"] if row["actual_cost_usd"] is None and known else row["actual_cost_usd"]
        if amount is None:
            return None
        total += amount
    return round(total * 1_000_000) if figures else None


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


# --- messages: what they say about a conversation

_FLAGS = ["observed", "active", "compacted"]
_TOOL_USE = ["tool_name", "tool_call_id", "tool_calls"]
_COLUMNS = ["role", "content", "api_content", "finish_reason", "timestamp", *_TOOL_USE, *_FLAGS]
_STRUCTURED = "\x00json:"
# Rows with the role of a user or an assistant that the host wrote itself.
_HOST_NOTES = (
    "[System: ",
    "[CONTEXT COMPACTION",
    "[CONTEXT SUMMARY]:",
    "[Your active task list was preserved",
    "[IMPORTANT: Background process ",
    "[IMPORTANT: MCP servers have been reloaded.",
    "You've reached the maximum number of tool-calling iterations allowed.",
    "Continue from the compressed conversation context above.",
)
_CUT_SHORT = {"length", "content_filter", "incomplete"}
# An answer that the host held back to have it checked, or that reached the transcript without the model's last word.
_UNPROVEN = {None, "verification_required", "verify_hook_continue", "kanban_terminal_required"}


@dataclass(frozen=True)
class _Message:
    """A row of ``messages`` that was part of the conversation; ``sent`` is what the model got when it differs."""

    role: str
    text: str
    sent: str | None
    tool: str
    call_id: str | None
    calls_tools: bool
    finish_reason: str | None
    at: float
    active: bool


def _messages(database: StateDb, parts: Sequence[str]) -> list[_Message]:
    """The messages of all parts in order, without those a person took back or that were only overheard."""
    rows = [
        row for part in parts for row in database.select("messages", _COLUMNS, "session_id = ? ORDER BY id", (part,))
    ]
    return [_message(row) for row in rows if not row["observed"] and (row["active"] != 0 or row["compacted"])]


def _message(row: sqlite3.Row) -> _Message:
    return _Message(
        row["role"] or "",
        _text(row["content"]),
        row["api_content"],
        row["tool_name"] or "",
        row["tool_call_id"],
        bool(row["tool_calls"]),
        row["finish_reason"],
        row["timestamp"] or 0.0,
        row["active"] != 0,
    )


def _text(content: object) -> str:
    """Plain text of a stored message; of one in parts, its texts."""
    if not isinstance(content, str) or not content.startswith(_STRUCTURED):
        return content if isinstance(content, str) else ""
    parts = _parsed(content.removeprefix(_STRUCTURED))
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "\n".join(text for text in texts if isinstance(text, str))


def _without_copies(messages: Sequence[_Message], in_parts: bool) -> Iterator[_Message]:
    """Each message once. A compression stores those it keeps again, unmarked; elsewhere equal messages are two."""
    rewritten = in_parts or not all(m.active for m in messages)
    seen: set[tuple[object, ...]] = set()
    for m in messages:
        key = (m.role, m.text, m.call_id, m.calls_tools)
        if not rewritten or key not in seen:
            seen.add(key)
            yield m


@dataclass
class _Story:
    """What a list of messages adds up to."""

    turns: int = 0
    unanswered: int = 0
    tool_errors: int = 0
    tools: list[str] = field(default_factory=list)
    question: str = ""
    answer: str = ""
    ending: Ending = Ending.NOTHING_ASKED

    def asked(self, m: _Message) -> None:
        self.unanswered += self.ending is Ending.UNANSWERED
        self.turns += 1
        self.question, self.answer, self.ending = m.text, "", Ending.UNANSWERED

    def said(self, m: _Message) -> None:
        if m.calls_tools:
            self.ending = Ending.UNANSWERED
            return
        # The model goes on where its output limit cut it off.
        self.answer = self.answer + m.text if self.ending is Ending.CUT_SHORT else m.text
        self.ending = _ending(m)

    def returned(self, m: _Message) -> None:
        self.tools.append(m.tool)
        self.tool_errors += _tool_failed(m.text)


def _tell(messages: Iterable[_Message]) -> _Story:
    story = _Story()
    tellers = {"user": story.asked, "assistant": story.said, "tool": story.returned}
    for m in messages:
        if m.role in tellers and (m.role == "tool" or not m.text.startswith(_HOST_NOTES)):
            tellers[m.role](m)
    return story


def _ending(m: _Message) -> Ending:
    if not m.text.strip():
        return Ending.UNANSWERED
    if m.text.startswith("Operation interrupted"):
        return Ending.INTERRUPTED
    if m.finish_reason in _CUT_SHORT:
        return Ending.CUT_SHORT
    return Ending.UNPROVEN if m.finish_reason in _UNPROVEN else Ending.ANSWERED


def _tool_failed(result: str) -> bool:
    """Whether a stored tool result reports an error, as the host judges it; a person's stop is none."""
    reported = _object(result)
    if reported is None:
        return result.startswith("Error") or (result.startswith("Tool '") and "does not exist" in result[:200])
    if reported.get("status") == "cancelled":
        return False
    if reported.get("exit_code") is not None:
        # The host explains exit codes that are none, such as that of a search without a match.
        return reported["exit_code"] != 0 and not reported.get("exit_code_meaning")
    return bool(reported.get("error")) or reported.get("success") is False


def _object(text: str | None) -> dict[str, Any] | None:
    parsed = _parsed(text or "")
    return parsed if isinstance(parsed, dict) else None


def _parsed(text: str) -> Any:
    """The JSON at the start of ``text``, None without any; the host appends notes of its own behind some."""
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (
        ValueError,
        TypeError,
        RecursionError,
    ):  # a tool may return whatever a web page holds, brackets without end included
        return None
