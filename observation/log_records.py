"""What a line of the host's ``agent.log`` must look like to count as a warning or an error, and the counts so far.

The host writes ``2026-11-20 10:24:26,943 WARNING [session] logger: message``. Whatever does not begin so goes on with
the record before it, tracebacks above all. A record quoted in a message does not count, unless the message broke the
line before it: nothing in the file tells that from a record.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

OTHERS = "(others)"
"""Stands for every logger, and every session, beyond the first ``MOST_NAMES`` of one scan."""
MOST_NAMES = 200

# What the log says again and again whatever the prompt: how such a record begins, from its logger on.
NOISE = (
    "tools.registry: check_fn ",  # which optional tools this machine lacks; a dozen in every session
    "karpathy_self_improve.",  # this plugin about itself, installed by pip
    "karpathy_self_improve:",
    "hermes_plugins.karpathy_self_improve.",  # the same, installed as a directory
    "hermes_plugins.karpathy_self_improve:",
)

# Patterns of how a message begins that announces another attempt; the failure before it has a record of its own.
RETRIES = (
    r"Retrying API call",
    r"Invalid API response \(retry",
    r"Empty response \(no content or reasoning\) — retry",
    r"Stream [\w -]{1,60} on attempt",
    r"Execution error, retrying",
    r"MCP server '[^'\n]{1,100}' (?:initial connection failed|connection lost) \(attempt",
    r"x_search (?:upstream|transient) failure on attempt",
)

_TIME = r"\n\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d,\d\d\d "
# Every level that counts holds an R, and little else in a log does: a match begins there, and looks back.
_RECORD = re.compile(
    (
        rf"R(NING|ROR|ITICAL)(?:(?<={_TIME}WARNING)|(?<={_TIME}ERROR)|(?<={_TIME}CRITICAL))"
        rf"(?: \[([^\]\n]{{1,200}})\])? (?!{'|'.join(map(re.escape, NOISE))})([\w.-]{{1,200}}): ({'|'.join(RETRIES)}|)"
    ).encode()
)
_USUAL_NOISE = f"RNING {NOISE[0]}".encode()
_WARNING = b"NING"
_DISTINCT = 4096
_FEW = 1000


@dataclass(frozen=True)
class Levels:
    """How many warnings and how many errors, critical ones among them."""

    warnings: int = 0
    errors: int = 0

    def __add__(self, other: Levels) -> Levels:
        return Levels(self.warnings + other.warnings, self.errors + other.errors)


@dataclass(frozen=True)
class LogCounts:
    """Records by level, without noise; ``retries`` of them announce another attempt.

    ``loggers`` holds every record, ``sessions`` those that bear the tag of one.
    """

    total: Levels
    retries: int
    loggers: Mapping[str, Levels]
    sessions: Mapping[str, Levels]


class LogTally:
    """Counts records, whole lines at a time. What it keeps does not grow with the log."""

    def __init__(self) -> None:
        self._found: Counter[tuple[bytes, ...]] = Counter()
        self._total = Levels()
        self._retries = 0
        self._loggers: dict[str, Levels] = {}
        self._sessions: dict[str, Levels] = {}

    def add(self, lines: bytearray, end: int) -> bool:
        """Count the records in ``lines[:end]``, each behind a line feed. Returns whether there was one."""
        found = _records(lines, end)
        self._found.update(found)
        if len(self._found) > _DISTINCT:
            self._fold()
        return bool(found)

    def counts(self) -> LogCounts:
        """What was counted so far."""
        self._fold()
        return LogCounts(self._total, self._retries, dict(self._loggers), dict(self._sessions))

    def _fold(self) -> None:
        for (level, session, logger, retry), times in self._found.items():
            levels = Levels(warnings=times) if level == _WARNING else Levels(errors=times)
            self._total += levels
            self._retries += times if retry else 0
            _add(self._loggers, logger, levels)
            if session:
                _add(self._sessions, session, levels)
        self._found.clear()


def _records(lines: bytearray, end: int) -> list[tuple[bytes, ...]]:
    """Level, session, logger and retry of each record. The C library finds an R many times faster than ``re`` does."""
    found: list[tuple[bytes, ...]] = []
    at = lines.find(b"R", 0, end)
    for _ in range(_FEW):
        if at < 0:
            return found
        if not lines.startswith(_USUAL_NOISE, at) and (record := _RECORD.match(lines, at, end)):
            found.append(record.groups(b""))
        at = lines.find(b"R", at + 1, end)
    # With more of them, a call for each would take longer.
    return found if at < 0 else found + _RECORD.findall(lines, at, end)


def _add(names: dict[str, Levels], raw: bytes, levels: Levels) -> None:
    name = raw.decode("utf-8", "replace")
    if name not in names and len(names) >= MOST_NAMES:
        name = OTHERS
    names[name] = names.get(name, Levels()) + levels
