"""What counts in a log: whole records of a warning or worse, whatever else stands around them."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from karpathy_self_improve.observation.log_records import MOST_NAMES, OTHERS, Levels, LogCounts
from karpathy_self_improve.observation.log_scan import LogUnavailable, scan

TIME = "2026-11-20 10:24:26,943"
SESSION = "20261120_102425_8e2e58"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "agent.log"


def counted(log: Path, content: bytes | str) -> LogCounts:
    log.write_bytes(content.encode() if isinstance(content, str) else content)
    counts = scan(log.parent).counts
    assert counts is not None
    return counts


def warning(message: str = "m", logger: str = "agent.x") -> str:
    return f"{TIME} WARNING {logger}: {message}\n"


def test_levels_are_told_apart(log: Path) -> None:
    lines = [f"{TIME} {level} a.b: text\n" for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "NOTICE")]
    assert counted(log, "".join(lines)).total == Levels(warnings=1, errors=2)


def test_the_first_line_of_a_file_counts(log: Path) -> None:
    assert counted(log, warning()).total == Levels(warnings=1)


def test_records_count_by_logger_and_by_session(log: Path) -> None:
    found = counted(
        log,
        f"{TIME} WARNING [{SESSION}] agent.tool_executor: Tool failed\n"
        f"{TIME} ERROR [{SESSION}] agent.conversation_loop: API call failed\n"
        f"{TIME} WARNING hermes_cli.plugins: Failed to load\n",
    )
    assert found.loggers == {
        "agent.tool_executor": Levels(warnings=1),
        "agent.conversation_loop": Levels(errors=1),
        "hermes_cli.plugins": Levels(warnings=1),
    }
    assert found.sessions == {SESSION: Levels(warnings=1, errors=1)}


def test_a_traceback_belongs_to_its_record(log: Path) -> None:
    found = counted(
        log,
        f"{TIME} ERROR root: Unhandled\n"
        "Traceback (most recent call last):\n"
        '  File "x.py", line 1, in f\n'
        "    raise ValueError(WARNING)\n"
        "ERROR a.b: not a record\n"
        f"  {TIME} ERROR a.b: quoted, indented\n"
        f"ValueError: {TIME} ERROR a.b: quoted\n",
    )
    assert found.total == Levels(errors=1)


@pytest.mark.parametrize(
    "line",
    [
        f"{TIME} INFO a.b: the log said {TIME} ERROR c.d: text",
        f"{TIME} INFO a.b: the log said \r{TIME} ERROR c.d: text",
        f"{TIME} INFO a.b: the log said \u2028{TIME} ERROR c.d: text\x0b{TIME} ERROR c.d: text",
        f"{TIME} ERROR without a logger",
        f"{TIME} ERROR a.b:no space",
        f"{TIME} ERROR two words: text",
        f"{TIME} ERROR [tag without end a.b: text",
        f"{TIME} error a.b: text",
        f"{TIME}  ERROR a.b: text",
        "2026-11-20 10:24:26 ERROR a.b: no milliseconds",
        "2026-11-20T10:24:26,943 ERROR a.b: text",
        f" {TIME} ERROR a.b: text",
        f"{TIME} - a.b - ERROR - the format of the console",
    ],
)
def test_what_only_looks_like_a_record_does_not_count(log: Path, line: str) -> None:
    assert counted(log, f"{TIME} INFO a.b: before\n{line}\n{TIME} INFO a.b: after\n").total == Levels()


def test_known_noise_is_left_out(log: Path) -> None:
    missing = "check_fn _browser_cdp_check returned False; dependent tools will be unavailable this turn"
    noise = [
        f"{TIME} WARNING tools.registry: {missing}\n",
        f"{TIME} WARNING [{SESSION}] tools.registry: {missing}\n",
        f"{TIME} ERROR karpathy_self_improve.daemon: profile p\n",
        f"{TIME} ERROR [{SESSION}] hermes_plugins.karpathy_self_improve: refused\n",
    ]
    assert counted(log, "".join(noise)).total == Levels()
    signal = [
        f"{TIME} WARNING tools.registry: Could not import tool module x: y\n",
        f"{TIME} WARNING agent.x: check_fn f returned False; dependent tools will be unavailable this turn\n",
        f"{TIME} WARNING karpathy_self_improve_other: text\n",
    ]
    assert counted(log, "".join(noise + signal)).total == Levels(warnings=3)


def test_retries_are_counted_and_what_failed_before_them_is_not_one(log: Path) -> None:
    found = counted(
        log,
        f"{TIME} WARNING [{SESSION}] agent.conversation_loop: API call failed (attempt 1/3) error_type=X\n"
        f"{TIME} WARNING [{SESSION}] agent.conversation_loop: Retrying API call in 2.25s (attempt 1/3) thread=X\n"
        f"{TIME} WARNING agent.conversation_loop: Empty response (no content or reasoning) — retry 1/3 (model=m)\n"
        f"{TIME} WARNING agent.stream_diag: Stream drop mid tool-call on attempt 1/3 — retrying. x=y\n"
        f"{TIME} WARNING tools.mcp_tool: MCP server 'a b' connection lost (attempt 1/5), reconnecting in 1s: e\n"
        f"{TIME} ERROR agent.conversation_loop: API call failed after 3 retries. Connection error.\n",
    )
    assert (found.total, found.retries) == (Levels(warnings=5, errors=1), 4)


def test_hostile_bytes_change_nothing(log: Path) -> None:
    record = warning().encode()
    junk = [b"\x00" * 5000, b"\xff\xfe\x80RNING RROR", os.urandom(20_000).replace(b"\n", b" "), b"R" * 100_000, b""]
    content = b"".join(record + part + b"\n" for part in junk)
    assert counted(log, content).total == Levels(warnings=len(junk))


def test_a_name_that_is_no_text_is_still_counted(log: Path) -> None:
    found = counted(log, TIME.encode() + b" ERROR [\xff\x00] a.b: text\n")
    assert (found.total, found.sessions) == (Levels(errors=1), {"\ufffd\x00": Levels(errors=1)})


@pytest.mark.parametrize("length", [100, 128 * 1024 - 200, 128 * 1024, 128 * 1024 + 1, 3_000_000])
def test_a_record_counts_whatever_the_length_of_its_line_and_of_the_one_before(log: Path, length: int) -> None:
    """Wherever a chunk of the file may end."""
    for shift in range(0, 120, 7):
        long = f"{TIME} ERROR a.b: " + "x" * (length + shift)
        content = f"{warning()}{long}\n{warning()}{long}{TIME} ERROR c.d: quoted\n{warning()}"
        assert counted(log, content).total == Levels(warnings=3, errors=2)


@pytest.mark.parametrize("letters", [0, 990, 998, 999, 1000, 1001, 2000])
def test_a_log_full_of_the_letter_that_marks_a_record_is_read_as_any_other(log: Path, letters: int) -> None:
    content = warning() + warning("R" * letters) + warning()
    assert counted(log, content).total == Levels(warnings=3)
    assert counted(log, warning("R" * letters)).total == Levels(warnings=1)


def test_only_the_agents_log_is_read(log: Path) -> None:
    for name in (
        "errors.log",
        "gateway.log",
        "agent.log.bak",
        "agent.log.1.gz",
        "agent.log.",
        "xagent.log",
        "agent.log.x",
    ):
        (log.parent / name).write_text(warning())
    assert counted(log, warning()).total == Levels(warnings=1)


def test_no_log_is_not_a_log_without_errors(tmp_path: Path, log: Path) -> None:
    assert scan(tmp_path / "logs").counts is None
    assert scan(tmp_path).counts is None
    assert counted(log, "").total == Levels()


def test_a_log_that_cannot_be_read_is_no_log_without_errors(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    with pytest.raises(LogUnavailable, match="Make it readable"):
        scan(tmp_path / "logs")


def test_a_pipe_or_a_folder_in_the_place_of_the_log_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "agent.log")
    (tmp_path / "agent.log.1").mkdir()
    assert scan(tmp_path).counts is None


def test_endless_new_names_are_counted_without_being_kept(log: Path) -> None:
    lines = [f"{TIME} ERROR [s{n}] logger.n{n}: text\n" for n in range(20_000)]
    found = counted(log, "".join(lines))
    assert found.total == Levels(errors=20_000)
    for names in (found.loggers, found.sessions):
        assert len(names) == MOST_NAMES + 1
        assert names[OTHERS] == Levels(errors=20_000 - MOST_NAMES)


@pytest.mark.parametrize("line_feeds", [True, False])
def test_memory_does_not_grow_with_the_log(log: Path, line_feeds: bool) -> None:
    """24 MB of records, each of a session of its own, or all in one line."""
    end = "\n" if line_feeds else " "
    with log.open("w") as file:
        for start in range(0, 100_000, 20_000):
            file.write("".join(f"{TIME} ERROR [{n}] a.b: {'x' * 200}{end}" for n in range(start, start + 20_000)))
        file.write("\n")
    tracemalloc.start()
    try:
        found = scan(log.parent)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.bytes_read == log.stat().st_size
    assert peak < 4 << 20
