"""What the host leaves behind when its own tools write a profile's files: stored tool calls, log lines, usage records.

All of it can be written by the agent as well, so it shows who probably changed a file, never who did not. Observed
with hermes-agent 0.19.0; whatever is missing, locked, oversize or of another shape counts as no trace.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from .._state_db import SessionsUnavailable, read_state_db

_MAX_BYTES = 1_000_000
_LOG_TAIL = 512_000
_NEWEST_MESSAGES = 5_000
_CALL = ("role", "session_id", "tool_calls", "tool_call_id", "timestamp")
_NEWEST = (
    "id > (SELECT max(id) FROM messages) - ? AND role IN ('assistant', 'tool')"
    " AND typeof(timestamp) IN ('real', 'integer')"
    " ORDER BY id"
)
_TIME = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) INFO"
_TOOL_LINE = re.compile(_TIME + r"(?: \[([^\]]+)\])? agent\.tool_executor: tool (\w+) completed ", re.ASCII)
_REVIEW_LINE = re.compile(_TIME + r"(?: \[[^\]]+\])? run_agent: .* thread=bg-review:", re.ASCII)
_CURATOR_LINE = re.compile(_TIME + r"(?: \[([^\]]+)\])? agent\.turn_context: .* platform=curator ", re.ASCII)


@dataclass(frozen=True)
class ToolCall:
    """A tool call of a stored session, from when the model asked until its result (None: not stored), epoch seconds."""

    session_id: str
    tool: str
    arguments: str
    asked_at: float
    answered_at: float | None

    def argument(self, name: str) -> str:
        """One argument as text; empty when there is no such argument."""
        try:
            parsed = json.loads(self.arguments)
        except (ValueError, RecursionError):
            return ""
        value = parsed.get(name) if isinstance(parsed, dict) else None
        return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class LoggedCall:
    """A tool call that the log says succeeded, at epoch seconds."""

    session_id: str
    tool: str
    at: float


@dataclass(frozen=True)
class SkillRecord:
    """What the host's usage file says of a skill; times are epoch seconds or None."""

    by_agent: bool
    created_at: float | None
    patched_at: float | None
    archived_at: float | None


class Traces:
    """The traces in one profile, each kind read at most once."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @cached_property
    def calls(self) -> list[ToolCall]:
        """The tool calls among the newest messages of all sessions, oldest first."""
        try:
            return _calls(_messages(self._home / "state.db"))
        except SessionsUnavailable:
            return []

    @cached_property
    def logged(self) -> list[LoggedCall]:
        """Successful tool calls at the end of ``agent.log``, oldest first."""
        found = [_TOOL_LINE.match(line) for line in self._log]
        return [LoggedCall(one[2] or "", one[3], _local(one[1])) for one in found if one]

    @cached_property
    def reviews(self) -> list[float]:
        """When background reviews were seen at work in the log."""
        return [_local(one[1]) for line in self._log if (one := _REVIEW_LINE.match(line))]

    @cached_property
    def curators(self) -> set[str]:
        """The sessions in the log that the curator ran."""
        return {one[2] for line in self._log if (one := _CURATOR_LINE.match(line)) and one[2]}

    @cached_property
    def curator_runs(self) -> list[tuple[float, float]]:
        """Start and end of the curator's newest runs, as its reports say."""
        folder = self._home / "logs" / "curator"
        try:
            newest = sorted(folder.iterdir())[-5:]
        except OSError:
            return []
        reports = [_json(run / "run.json") for run in newest]
        return [span for report in reports if (span := _span(report))]

    @cached_property
    def skills(self) -> Mapping[str, SkillRecord]:
        """The host's record of each skill, by name."""
        records = _json(self._home / "skills" / ".usage.json")
        return {name: _skill(one) for name, one in records.items() if isinstance(one, dict)}

    @cached_property
    def bundled(self) -> Mapping[str, str]:
        """Skill name to the digest of its folder as the host's last update or installation left it."""
        lines = _text(self._home / "skills" / ".bundled_manifest").splitlines()
        return dict(line.strip().split(":", 1) for line in lines if ":" in line)

    @cached_property
    def _log(self) -> list[str]:
        return _end_of(self._home / "logs" / "agent.log", _LOG_TAIL).decode("utf-8", "replace").split("\n")


def _messages(state_db: Path) -> list[tuple[Any, ...]]:
    nothing: list[sqlite3.Row] = []
    found = read_state_db(
        state_db, lambda opened: opened.select("messages", _CALL, _NEWEST, (_NEWEST_MESSAGES,)), nothing
    )
    return [tuple(row) for row in found]


def _calls(rows: list[tuple[Any, ...]]) -> list[ToolCall]:
    answered = {(session, call): float(at) for role, session, _, call, at in rows if role == "tool" and call}
    found: list[ToolCall] = []
    for role, session, calls, _, at in rows:
        for name, arguments, identifiers in _asked(calls) if role == "assistant" else ():
            answers = [answered[session, one] for one in identifiers if (session, one) in answered]
            found.append(ToolCall(str(session), name, arguments, float(at), min(answers, default=None)))
    return found


def _asked(calls: object) -> list[tuple[str, str, set[str]]]:
    try:
        parsed = json.loads(calls) if isinstance(calls, str) else []
    except (ValueError, RecursionError):
        return []
    listed = parsed if isinstance(parsed, list) else []
    functions = [(one, one.get("function")) for one in listed if isinstance(one, dict)]
    return [
        (str(said.get("name")), str(said.get("arguments")), {str(one.get(key)) for key in ("id", "call_id")})
        for one, said in functions
        if isinstance(said, dict)
    ]


def _end_of(path: Path, most: int) -> bytes:
    """The last bytes of a regular file; a pipe in its place, which would keep us waiting for ever, is nothing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with open(fd, "rb") as file:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return b""
        file.seek(max(facts.st_size - most, 0))
        return file.read(most)


def _text(path: Path) -> str:
    content = _end_of(path, _MAX_BYTES + 1)
    return content.decode("utf-8", "replace") if len(content) <= _MAX_BYTES else ""


def _json(path: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _skill(record: dict[str, Any]) -> SkillRecord:
    times = (_epoch(record.get(key)) for key in ("created_at", "last_patched_at", "archived_at"))
    return SkillRecord(record.get("created_by") == "agent", *times)


def _span(report: dict[str, Any]) -> tuple[float, float] | None:
    started, seconds = _epoch(report.get("started_at")), report.get("duration_seconds")
    if started is None or not isinstance(seconds, int | float):
        return None
    return started, started + seconds


def _epoch(stamp: object) -> float | None:
    try:
        return datetime.fromisoformat(stamp).timestamp() if isinstance(stamp, str) else None
    except (ValueError, OverflowError):
        return None


def _local(stamp: str) -> float:
    """The host logs local time without its offset; what is no time is a moment long ago."""
    try:
        return datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()
    except (ValueError, OverflowError):
        return 0.0
