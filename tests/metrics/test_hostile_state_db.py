"""Whatever somebody puts where the host keeps its sessions: reading ends, and the sessions that make sense count."""

from __future__ import annotations

import math
import os
import sqlite3
from pathlib import Path

import pytest

from karpathy_self_improve import _state_db
from karpathy_self_improve._metrics import find_conversation, read_sessions
from karpathy_self_improve._state_db import SessionsUnavailable
from karpathy_self_improve.watching.traces import Traces

COLUMNS = "id, source, parent_session_id, started_at, ended_at, end_reason, model, model_config, system_prompt"
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS id, 1.0 AS started_at FROM c"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def write(path: Path, *statements: str, rows: list[dict[str, object]] | None = None) -> None:
    database = sqlite3.connect(path)
    for statement in statements or (f"CREATE TABLE sessions ({COLUMNS})",):
        database.execute(statement)
    for row in rows or []:
        marks = ", ".join("?" * len(row))
        database.execute(f"INSERT INTO sessions ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    database.commit()
    database.close()


@pytest.mark.parametrize("ending", ["", "-journal", "-wal"])
def test_a_pipe_in_place_of_a_file_is_refused_at_once(path: Path, ending: str) -> None:
    if ending:
        write(path)
    os.mkfifo(f"{path}{ending}")
    with pytest.raises(SessionsUnavailable, match="not a plain file"):
        read_sessions(path)


def test_a_view_in_place_of_the_table_is_no_table(path: Path) -> None:
    write(path, f"CREATE VIEW sessions AS {ENDLESS} WHERE x < 0")
    assert read_sessions(path) == []
    assert find_conversation(path, "s") is None


def test_reading_stops_when_the_database_works_for_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_state_db, "_SQL_S", 0.2)
    write(path, rows=[{"id": "s"}])
    with pytest.raises(SessionsUnavailable, match="interrupted"):
        _state_db.read_state_db(path, lambda found: found.select("sessions", ["id"], f"id IN ({ENDLESS_IDS})"), [])


ENDLESS_IDS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x < 0"


def test_more_rows_than_any_host_has_are_not_taken_in(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_state_db, "_MOST_ROWS", 3)
    write(path, rows=[{"id": f"s{number}", "source": "cli", "started_at": 1.0} for number in range(4)])
    with pytest.raises(SessionsUnavailable, match="more than 3 rows"):
        read_sessions(path)


@pytest.mark.parametrize(
    "bad",
    [
        {"started_at": 1e20},
        {"started_at": math.inf},
        {"started_at": -math.inf},
        {"started_at": "nonsense"},
        {"started_at": b"\0"},
        {"ended_at": "x"},
        {"ended_at": 1e300},
        {"source": b"\xff"},
        {"model": 7},
        {"system_prompt": b"\xff"},
        {"id": b"\xff"},
        {"model_config": b"{}", "source": 3},
    ],
    ids=str,
)
def test_a_session_that_makes_no_sense_keeps_no_other_from_counting(
    path: Path, bad: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    good = {"id": "good", "source": "cli", "started_at": 1.0}
    write(path, rows=[good, {"id": "bad", "source": "cli", "started_at": 1.0, **bad}])
    assert [session.session_id for session in read_sessions(path)] == ["good"]
    assert "1 sessions in" in caplog.text


def test_text_that_is_no_unicode_keeps_no_session_from_counting(path: Path) -> None:
    write(path, rows=[{"id": "good", "source": "cli", "started_at": 1.0}])
    write(path, "UPDATE sessions SET system_prompt = CAST(x'ff' AS TEXT)")
    assert [session.system_prompt for session in read_sessions(path)] == ["\ufffd"]


def test_looking_for_who_edited_a_file_ends_as_well(path: Path) -> None:
    columns = "1 AS id, 'tool' AS role, 's' AS session_id, NULL AS tool_calls, NULL AS tool_call_id, x AS timestamp"
    write(path, f"CREATE VIEW messages AS SELECT {columns} FROM ({ENDLESS_IDS})")
    assert Traces(path.parent).calls == []
