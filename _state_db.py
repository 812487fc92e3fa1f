"""Opens a profile's ``state.db``, the host's store of sessions, so that nothing in its place can hold a process up.

Whoever runs as this user may put a pipe there, a view without end, or a billion rows, and one daemon serves all
profiles: only plain files and real tables are read, for a limited time and up to a limited number of rows.
"""

from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from .errors import Unavailable

_ATTEMPTS, _BUSY_S = 3, 0.3
_SQL_S = 10.0
_MOST_ROWS = 200_000
_STEPS_BETWEEN_LOOKS = 20_000
_BESIDE = ("", "-journal", "-wal", "-shm")
_T = TypeVar("_T")


class SessionsUnavailable(Unavailable):
    """A profile's ``state.db`` cannot be read right now."""

    code = "sessions_unavailable"


class StateDb:
    """An open ``state.db`` inside one read transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._left_s = _SQL_S
        self._until = 0.0
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        connection.set_progress_handler(lambda: time.monotonic() > self._until, _STEPS_BETWEEN_LOOKS)
        self._fetched("PRAGMA trusted_schema = OFF")
        self._fetched("BEGIN")

    def select(self, table: str, wanted: Sequence[str], rest: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Rows with every ``wanted`` column, NULL where the table lacks one; no rows where there is no such table.

        All names are words of the caller's own; ``rest`` is what follows WHERE. Views and virtual tables are no tables.
        Raises sqlite3.Error, also when reading takes too long or there are too many rows.
        """
        if not self._fetched(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? AND rootpage > 0", (table,)
        ):
            return []
        present = {row["name"] for row in self._fetched(f"PRAGMA table_info({table})")}
        columns = ", ".join(name if name in present else f"NULL AS {name}" for name in wanted)
        return self._fetched(f"SELECT {columns} FROM {table} WHERE {rest}", values)

    def _fetched(self, statement: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        started = time.monotonic()
        self._until = started + self._left_s
        rows = self._connection.execute(statement, tuple(values)).fetchmany(_MOST_ROWS + 1)
        self._left_s -= time.monotonic() - started
        if len(rows) > _MOST_ROWS:
            raise sqlite3.DataError(f"more than {_MOST_ROWS} rows in one answer")
        return rows


def read_state_db(state_db: Path, read: Callable[[StateDb], _T], nothing: _T) -> _T:
    """``read`` inside one read transaction, tried again while the file is locked; ``nothing`` without a file.

    Raises SessionsUnavailable when the file is no plain one, locked for longer than a second, broken, unreadable, or
    not read after ten seconds of the database's own work.
    """
    failure: Exception | None = None
    for _ in range(_ATTEMPTS):
        try:
            return _read_once(state_db, read) if _is_there(state_db) else nothing
        except (sqlite3.Error, OSError) as error:
            failure = error
            if not _locked(error):
                break
    advice = (
        "Another process holds it; try again in a moment."
        if failure and _locked(failure)
        else "See whether it is the host's own file, whole and readable."
    )
    raise SessionsUnavailable(f"The sessions in {state_db} cannot be read ({failure}). {advice}") from failure


def _is_there(state_db: Path) -> bool:
    """Whether there is a database. Raises OSError when it, or a file SQLite opens with it, is not a plain file."""
    for ending in _BESIDE:
        path = Path(f"{state_db}{ending}")
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if not ending:
                return False
        else:
            if not stat.S_ISREG(mode):
                raise OSError(f"{path.name} is not a plain file")
    return True


def _locked(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _read_once(state_db: Path, read: Callable[[StateDb], _T]) -> _T:
    uri = f"{state_db.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)) as connection:
        return read(StateDb(connection))
