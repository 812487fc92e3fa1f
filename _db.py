"""The one door to the central SQLite file: opening it, refusing a bad one, and fair transactions."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import host
from .errors import (
    BadInput,
    RatchetError,
    StoreBehind,
    StoreCorrupt,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Row

_LOCK_PATIENCE_S = 30.0
_ANCHOR_BYTES = 96
_QUICK_CHECK_BYTES = 8 << 20
_HEAD = "SELECT id, hash FROM experiment_state_transitions ORDER BY id DESC LIMIT 1"

Record = TypeVar("Record")


@dataclass(frozen=True)
class AuditHead:
    """The newest link of the audit chain; id 0 and an empty hash before the first one."""

    id: int
    hash: str


def default_path() -> Path:
    """Where the database lives: ``RATCHET_DB``, else ``<root>/ratchet/ratchet.db``. Raises BadInput for a URL."""
    named = os.environ.get("RATCHET_DB")
    if not named:
        return host.data_dir() / "ratchet.db"
    if "://" in named or named == ":memory:":
        raise BadInput("RATCHET_DB must be the path of an SQLite file; other databases are not supported yet.")
    return Path(named).expanduser().absolute()


@lru_cache(maxsize=64)
def _field_names(record: type) -> tuple[str, ...]:
    return tuple(record.__dataclass_fields__)  # type: ignore[attr-defined]


def as_record(record: type[Record], row: Row[Any]) -> Record:
    """A frozen dataclass from a result row; the row may have more columns than the dataclass has fields."""
    mapping = row._mapping
    return record(**{name: mapping[name] for name in _field_names(record)})


class Store:
    """Transactions on one database file.

    ``read()`` gives a consistent snapshot. ``write()`` is one ``BEGIN IMMEDIATE`` transaction under a file lock that
    every process of ours takes first: SQLite's own busy handler starves some of eight writers for over a second.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = _engine(path)
        self._pid = os.getpid()
        self._thread_lock = threading.Lock()
        self._lock_fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction. Raises StoreUnavailable and its kinds."""
        with self._translated(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection
            connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction, committed when the block ends well. Raises StoreUnavailable and its kinds."""
        with self._translated(), self._thread_lock, self._locked(), self._engine.connect() as connection:
            connection.info.pop("audit_head", None)  # of a transaction that was rolled back on this connection
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            head: AuditHead | None = connection.info.pop("audit_head", None)
            connection.commit()
            if head:
                self._drop_anchor(head)

    def close(self) -> None:
        """Release the file; the store cannot be used afterwards."""
        self._engine.dispose()
        os.close(self._lock_fd)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        _flock(self._lock_fd, self.path)
        try:
            yield
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if os.getpid() != self._pid:
            raise StoreUnavailable("A database handle does not survive a fork: open the store in the child process.")
        try:
            yield
        except Exception as error:
            cause = getattr(error, "orig", error)
            if isinstance(cause, sqlite3.Error) and (known := refusal(cause, self.path)):
                raise known from error
            raise

    def _drop_anchor(self, head: AuditHead) -> None:
        os.pwrite(self._lock_fd, f"{head.id} {head.hash}\n".ljust(_ANCHOR_BYTES).encode(), 0)

    def anchor(self) -> AuditHead | None:
        """The audit head this file was last seen to reach, kept outside the database; None when there is none yet."""
        words = os.pread(self._lock_fd, _ANCHOR_BYTES, 0).decode("ascii", "replace").split()
        return AuditHead(int(words[0]), words[1]) if len(words) == 2 and words[0].isdigit() else None

    def check_anchor(self) -> None:
        """Raises StoreBehind when the file lost audited transactions it once held: a cut-off WAL, an old copy."""
        with self.read() as tx:
            head = self.anchor()
            if head is None:
                return
            found = tx.exec_driver_sql(
                "SELECT hash FROM experiment_state_transitions WHERE id = ?", (head.id,)
            ).scalar_one_or_none()
        if found != head.hash:
            kept = _keep_copy(self.path, "behind")
            raise StoreBehind(
                f"{self.path} lost audited transitions it once held (number {head.id} is not there any more): its "
                f"-wal file was cut off, or an older copy was put in its place. A copy is kept in {kept}. If you "
                f"restored a backup on purpose, delete {self.path}.lock and run the command again."
            )


def audit_head(tx: Connection) -> AuditHead:
    """The newest link of the audit chain in this transaction."""
    row = tx.exec_driver_sql(_HEAD).one_or_none()
    return AuditHead(row[0], row[1]) if row else AuditHead(0, "")


def _flock(fd: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    pause = 0.0002
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"Another process has held {path} for {_LOCK_PATIENCE_S:.0f} s. End it if it hangs, then try again."
                ) from None
            time.sleep(pause)
            pause = min(pause * 1.3, 0.002)


def refusal(error: sqlite3.Error, path: Path) -> RatchetError | None:
    """Our error for one of SQLite's that a person must act on; None for the others (bugs, constraints)."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_FULL"):
        return StoreFull(f"The disk under {path} is full; nothing was changed. Free some space and try again.")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN", "SQLITE_AUTH")):
        return StoreReadOnly(f"{path} cannot be written ({error}). Make it and its folder writable for this user.")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        kept = _keep_copy(path, "corrupt")
        return StoreCorrupt(
            f"{path} is damaged ({error}). Nothing was changed; a copy is kept in {kept}. "
            "Restore a backup, or move the file away to start anew."
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_PROTOCOL")):
        return StoreUnavailable(f"{path} is not available ({error}). Try again; if it stays, look at the disk.")
    return None


def _keep_copy(path: Path, why: str) -> Path:
    """Copy the database with its WAL aside, once per state of the file. Returns the folder."""
    state = path.stat()
    folder = path.with_name(f"{path.name}.{why}-{state.st_mtime_ns}-{state.st_size}")
    try:
        folder.mkdir(mode=0o700)
        for part in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            if part.exists():
                shutil.copy2(part, folder)
    except OSError:
        pass  # a full or read-only disk: the refusal itself must still reach the person
    return folder


def _engine(path: Path) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import QueuePool

    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=8,
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": 10.0},
    )

    @event.listens_for(engine, "connect")
    def configure(raw: sqlite3.Connection, _: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
            raw.execute(f"PRAGMA {pragma}").close()

    return engine


def open_store(path: Path | None = None) -> Store:
    """The store at ``path`` (default: :func:`default_path`), created when absent, upgraded when older than the code.

    Raises StoreTooNew, StoreCorrupt, StoreReadOnly, StoreFull, StoreBehind or StoreUnavailable; the file is never
    reset.
    """
    target = path or default_path()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = Store(target)
    except OSError as error:
        raise StoreReadOnly(f"{target} cannot be opened: {error}. Make its folder writable for this user.") from error
    try:
        _bring_to_head(store)
        store.check_anchor()
    except BaseException:
        store.close()
        raise
    return store


def revision(tx: Connection) -> str | None:
    """The migration the database is at; None when it holds no tables of ours."""
    known = tx.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").scalar_one_or_none()
    if not known:
        return None
    return str(tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())


def _bring_to_head(store: Store) -> None:
    from .schema import HEAD

    if not store.path.exists() or store.path.stat().st_size == 0:
        _refuse_orphan_wal(store.path)
    with store.read() as tx:
        found = revision(tx)
        foreign = found is None and tx.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        if store.path.exists() and store.path.stat().st_size <= _QUICK_CHECK_BYTES:
            _quick_check(tx, store.path)
    if foreign:
        raise StoreUnavailable(f"{store.path} is a database of something else. Point RATCHET_DB at another file.")
    if found is None:
        create_schema(store)
    elif found > HEAD:
        raise StoreTooNew(
            f"{store.path} is at schema {found}, newer than this program ({HEAD}). Update the plugin; nothing changed."
        )
    elif found < HEAD:
        _upgrade(store, found)


def _refuse_orphan_wal(path: Path) -> None:
    wal = Path(f"{path}-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreCorrupt(
            f"{path} is missing but its log {wal.name} is there: SQLite would delete it. Put the database back, or "
            "move the log away to start anew."
        )


def _quick_check(tx: Connection, path: Path) -> None:
    verdict = str(tx.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    if verdict != "ok":
        kept = _keep_copy(path, "corrupt")
        raise StoreCorrupt(
            f"{path} is damaged ({verdict.splitlines()[-1]}). Nothing was changed; a copy is kept in {kept}. "
            "Restore a backup, or move the file away to start anew."
        )


def create_schema(store: Store) -> None:
    """Create every table, index and trigger at HEAD in one transaction. Does nothing when another process did."""
    from .schema import HEAD, TRIGGERS, metadata

    with store.write() as tx:
        if revision(tx) is not None:
            return
        metadata.create_all(tx)
        for ddl in TRIGGERS.values():
            tx.exec_driver_sql(ddl)
        tx.exec_driver_sql(
            "CREATE TABLE alembic_version (\n\tversion_num VARCHAR(32) NOT NULL, \n"
            "\tCONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n)"
        )
        tx.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    os.chmod(store.path, 0o600)


def migrate(path: Path, to: str, *, direction: Callable[..., None] | None = None) -> None:
    """Run alembic on the file at ``path`` up (default) or, with ``direction=command.downgrade``, down to ``to``."""
    from alembic import command
    from alembic.config import Config

    engine = _engine(path)
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    try:
        with engine.connect() as connection:
            settings.attributes["connection"] = connection
            (direction or command.upgrade)(settings, to)
    finally:
        engine.dispose()


def _upgrade(store: Store, found: str) -> None:
    from .schema import HEAD

    with store._thread_lock, store._locked():
        kept = store.path.with_name(f"{store.path.name}.before-{HEAD}")
        if not kept.exists():
            _back_up(store.path, kept)
        try:
            migrate(store.path, HEAD)
        except Exception as error:
            raise StoreBehind(
                f"{store.path} could not be upgraded from schema {found} to {HEAD}: {error}. "
                f"The file as it was is kept in {kept}."
            ) from error


def _back_up(path: Path, kept: Path) -> None:
    source, target = sqlite3.connect(path), sqlite3.connect(kept)
    try:
        source.backup(target)
        os.chmod(kept, 0o600)
    finally:
        source.close()
        target.close()
