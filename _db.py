"""The one door to the central SQLite file: consistent reads, fair writes, and a sentence when something is wrong."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import host
from ._turnstile import Anchor, AuditHead, Turnstile
from .errors import BadInput, RatchetError, StoreBehind, StoreCorrupt, StoreFull, StoreReadOnly, StoreUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Row, Table

_PATIENCE_S = 30.0
_ROOM = 16 << 20
_HEAD = "SELECT id, hash FROM experiment_state_transitions ORDER BY id DESC LIMIT 1"
_COUNT = (
    "INSERT INTO write_counter (id, writes) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET writes = writes + 1"
    " RETURNING writes"
)

Record = TypeVar("Record")


def default_path() -> Path:
    """Where the database lives: ``RATCHET_DB``, else ``<root>/ratchet/ratchet.db``. Raises BadInput for a URL."""
    named = os.environ.get("RATCHET_DB")
    if not named:
        return host.data_dir() / "ratchet.db"
    if "://" in named or named.startswith(("file:", ":memory:")):
        raise BadInput("RATCHET_DB must be the path of an SQLite file; other databases are not supported yet.")
    return Path(named).expanduser().absolute()


@lru_cache(maxsize=256)
def _picker(record: type[Any], columns: tuple[str, ...]) -> itemgetter[Any]:
    fields: tuple[str, ...] = tuple(record.__dataclass_fields__)
    return itemgetter(*[columns.index(name) for name in fields])


def as_record(record: type[Record], row: Row[Any]) -> Record:
    """A frozen dataclass of two or more fields from a result row, which may have more columns than that."""
    kind: Any = record
    return record(*_picker(kind, row._fields)(row))


@lru_cache(maxsize=256)
def _query(record: type[Any], table: str, rest: str) -> str:
    fields: tuple[str, ...] = tuple(record.__dataclass_fields__)
    return f"SELECT {', '.join(fields)} FROM {table} {rest}"


def fetch(tx: Connection, record: type[Record], table: Table, rest: str = "", *values: object) -> list[Record]:
    """Rows as frozen dataclasses whose fields are columns of ``table``; ``rest`` is SQL of ours, e.g. ``WHERE id = ?``.

    For what every command and transition reads: many times faster than a built ``select``.
    """
    return list(fetch_each(tx, record, table, rest, *values))


def fetch_each(tx: Connection, record: type[Record], table: Table, rest: str = "", *values: object) -> Iterator[Record]:
    """The same, one at a time: for what may not fit into memory."""
    kind: Any = record
    return (record(*row) for row in driver(tx).execute(_query(kind, table.name, rest), values))


def driver(tx: Connection) -> sqlite3.Connection:
    """The driver's own connection, for the statements on the path of every transition.

    SQLAlchemy's way of running a text statement costs more than SQLite's work on it, while all other writers wait.
    """
    connection: sqlite3.Connection | None = tx.connection.driver_connection
    if connection is None:
        raise StoreUnavailable("The database connection is closed. Try again.")
    return connection


class Store:
    """Transactions on one database file; make one with :func:`open_store`.

    ``read()`` gives a consistent snapshot that cannot write. ``write()`` is one ``BEGIN IMMEDIATE`` transaction; all
    writers of ours, threads and processes, pass the turnstile one after the other.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turnstile = Turnstile(path)
        self._engine = engine(path, query_only=True)
        self._idle: deque[Connection] = deque()
        self._writer: Connection | None = None
        self._thread_lock = threading.Lock()
        self._pid = os.getpid()
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction. Raises StoreUnavailable and its kinds."""
        self._check_process()
        with self.explained():
            self._check_same_file()
            connection = self._idle.pop() if self._idle else self._engine.connect()
            try:
                driver(connection).execute("BEGIN")
                yield connection
            finally:
                if _settled(connection):
                    self._idle.append(connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction, committed when the block ends well. Raises StoreUnavailable and its kinds."""
        with self.alone(), self.explained():
            self._check_same_file()
            connection = self._writer or self._open_writer()
            try:
                connection.info.pop("audit_head", None)
                raw = driver(connection)
                raw.execute("BEGIN IMMEDIATE")
                changes = raw.total_changes
                yield connection
                if raw.total_changes != changes:
                    self._commit(connection)
            finally:
                self._writer = connection if _settled(connection) else None

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns what SQLite complains about into our errors; everything else passes as it is."""
        try:
            yield
        except Exception as error:
            if known := self._explain(error):
                raise known from error
            raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other writer of ours out, for work on connections of one's own. Raises StoreUnavailable."""
        self._check_process()
        if not self._thread_lock.acquire(timeout=_PATIENCE_S):
            raise self._occupied()
        try:
            self._enter()
            try:
                yield
            finally:
                self._turnstile.leave()
        finally:
            self._thread_lock.release()

    def close(self) -> None:
        """Release the file; the store cannot be used afterwards."""
        if os.getpid() == self._pid:
            for connection in filter(None, (self._writer, *self._idle)):
                connection.close()
            self._idle.clear()
            self._writer = None
        self._turnstile.close()

    def anchor(self) -> Anchor:
        """What this file was last seen to hold. Read it before the rows it is compared with.

        Raises StoreUnavailable when something is there that is no plain file.
        """
        try:
            return self._turnstile.anchor()
        except OSError as error:
            raise StoreUnavailable(f"The note beside {self.path} cannot be read ({error}). Look at it.") from error

    def check_anchor(self) -> None:
        """Raises StoreBehind when the file lost writes it once held: a cut-off WAL, an older copy in its place."""
        if self._falls_short() is None:
            return
        with self.alone():  # while others write, the anchor can be read half old and half new
            lost = self._falls_short()
        if lost:
            raise StoreBehind(
                f"{self.path} {lost}: its -wal file was cut off, or another copy was put in its place. "
                f"{keep_copy(self.path, 'behind')} If you restored a backup on purpose, delete {self.path}.lock "
                "and run the command again."
            )

    def pin(self) -> None:
        """From now on refuse to go on when another file is put in this one's place."""
        self._identity = _identity(self.path)

    def _falls_short(self) -> str | None:
        anchor = self.anchor()
        with self.read() as tx:
            raw = driver(tx)
            counted = raw.execute("SELECT coalesce(max(writes), 0) FROM write_counter").fetchone()[0]
            found = raw.execute("SELECT hash FROM experiment_state_transitions WHERE id = ?", (anchor.head.id,))
            link = found.fetchone()
        if anchor.head.id and (link is None or link[0] != anchor.head.hash):
            return f"lost audited transitions it once held (number {anchor.head.id} is not there any more)"
        return f"lost {anchor.writes - counted} writes that it once held" if counted < anchor.writes else None

    def _enter(self) -> None:
        try:
            entered = self._turnstile.enter(_PATIENCE_S)
        except (OSError, ValueError) as error:  # a disk without locks, or the folder is gone
            raise StoreUnavailable(f"{self.path} cannot be locked ({error}). Keep it on a local disk.") from error
        if not entered:
            raise self._occupied()

    def _occupied(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"Another process has held {self.path} for {_PATIENCE_S:.0f} s. End it if it hangs, then try again."
        )

    def _open_writer(self) -> Connection:
        connection = self._engine.connect()
        driver(connection).execute("PRAGMA query_only=OFF")
        return connection

    def _commit(self, connection: Connection) -> None:
        head: AuditHead | None = connection.info.pop("audit_head", None)
        [(writes,)] = driver(connection).execute(_COUNT).fetchall()
        driver(connection).commit()
        self._turnstile.drop_anchor(writes, head)

    def _explain(self, error: BaseException) -> RatchetError | None:
        from sqlalchemy.exc import DBAPIError

        cause = error.orig if isinstance(error, DBAPIError) else error
        return refusal(cause, self.path) if isinstance(cause, sqlite3.Error) else None

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise StoreUnavailable("A database handle does not survive a fork: open the store in the child process.")

    def _check_same_file(self) -> None:
        if self._identity is not None and _identity(self.path) != self._identity:
            raise StoreBehind(
                f"{self.path} was moved away or replaced while this process had it open. Restart this process."
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino


def _settled(connection: Connection) -> bool:
    """End the transaction that is still open, if any; False, and the connection is closed, when that fails."""
    try:
        raw = driver(connection)
        if raw.in_transaction:
            raw.rollback()
        if connection.in_transaction():
            connection.rollback()
    except Exception:
        connection.close()
        return False
    return True


def audit_head(tx: Connection) -> AuditHead:
    """The newest link of the audit chain in this transaction."""
    row = driver(tx).execute(_HEAD).fetchone()
    return AuditHead(*row) if row else AuditHead(0, "")


def refusal(error: sqlite3.Error, path: Path) -> RatchetError | None:
    """Our error for one of SQLite's that a person must act on; None for the others (bugs, constraints)."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL"):
        return StoreFull(_why_full(path))
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN", "SQLITE_AUTH")):
        return StoreReadOnly(f"{path} cannot be written ({error}). Make it and its folder writable for this user.")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return damaged(path, str(error))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_PROTOCOL")):
        return StoreUnavailable(f"{path} is not available ({error}). Try again; if it stays, look at the disk.")
    return None


def _why_full(path: Path) -> str:
    """SQLite says 'full' for a disk without room and for a table whose rows have used up all numbers."""
    try:
        has_room = shutil.disk_usage(path.parent).free >= _ROOM
    except OSError:
        has_room = False
    if not has_room:
        return f"The disk under {path} is full; nothing was changed. Free some space and try again."
    return (
        f"{path} takes no more rows though its disk has room; nothing was changed. Either this user's quota is used "
        "up, or the numbers of a table are: then somebody wrote the highest one into it. Run 'hermes ratchet audit "
        "verify', and restore a backup."
    )


def damaged(path: Path, why: str) -> StoreCorrupt:
    """The refusal of a file that SQLite cannot read, with a copy of it kept."""
    return StoreCorrupt(
        f"{path} is damaged ({why}). Nothing was changed. {keep_copy(path, 'corrupt')} Restore a backup, or move the "
        "file away to start anew."
    )


def keep_copy(path: Path, why: str) -> str:
    """Copy the database and its WAL aside, once per state of the file. Returns a sentence that says where to.

    Another process copies: if this one opened and closed the file, the system would drop SQLite's locks on it.
    """
    parts = [part for part in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if part.exists()]
    try:
        state = path.stat()
        folder = path.with_name(f"{path.name}.{why}-{state.st_mtime_ns}-{state.st_size}")
        if not folder.exists():
            partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            subprocess.run(["cp", "-p", *map(str, parts), str(partial)], check=True, capture_output=True)
            partial.rename(folder)
    except (OSError, subprocess.CalledProcessError):  # a full or read-only disk: the refusal must still be heard
        return "No copy of it could be kept."
    return f"A copy is kept in {folder}."


def engine(path: Path, *, query_only: bool = False) -> Engine:
    """An SQLAlchemy engine on the file, with our pragmas; the journal mode is the file's own."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    made = create_engine(
        "sqlite+pysqlite://",
        creator=lambda: sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False),
        poolclass=NullPool,
    )

    @event.listens_for(made, "connect")
    def configure(raw: sqlite3.Connection, _: object) -> None:
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON", f"query_only={query_only}"):
            raw.execute(f"PRAGMA {pragma}").close()

    return made


def open_store(path: Path | None = None) -> Store:
    """The store at ``path`` (default: :func:`default_path`), created when absent, upgraded when older than the code.

    Raises BadInput, StoreTooNew, StoreCorrupt, StoreReadOnly, StoreFull, StoreBehind or StoreUnavailable; the file is
    never reset.
    """
    from .migrations.to_head import bring_to_head

    target = (path or default_path()).resolve()  # SQLite names its log after the file, not after a link to it
    if target.is_dir():
        raise BadInput(f"{target} is a folder. Name the database file itself.")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = Store(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(f"The disk under {target} is full ({error}). Free some space and try again.") from error
        raise StoreReadOnly(f"{target} cannot be opened: {error}. Make its folder writable for this user.") from error
    try:
        bring_to_head(store)
    except BaseException:
        store.close()
        raise
    store.pin()
    return store
