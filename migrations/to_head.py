"""Brings a database file to the schema this program knows, or refuses it with a sentence; nothing is ever reset."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .. import clock
from .._db import Store, damaged, driver, engine
from ..errors import StoreBehind, StoreCorrupt, StoreReadOnly, StoreTooNew, StoreUnavailable
from ..schema import HEAD

if TYPE_CHECKING:
    from sqlalchemy import Connection

_QUICK_CHECK_BYTES = 8 << 20
_sound: dict[Path, tuple[int, ...]] = {}
_VERSION_TABLE = (
    "CREATE TABLE IF NOT EXISTS alembic_version (\n\tversion_num VARCHAR(32) NOT NULL, \n"
    "\tCONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n)"
)


def bring_to_head(store: Store) -> None:
    """Create or upgrade the schema as needed.

    Raises StoreTooNew, StoreCorrupt, StoreReadOnly, StoreBehind, or StoreUnavailable for a file of something else.
    """
    _check_there(store)
    with store.read() as tx:
        _quick_check(tx, store.path)
        found = revision(tx, store.path)
        logged = driver(tx).execute("PRAGMA journal_mode").fetchone() == ("wal",)
    if not os.access(store.path, os.W_OK):
        raise StoreReadOnly(f"{store.path} cannot be written. Make it and its folder writable for this user.")
    if found is not None and found > HEAD:
        raise StoreTooNew(
            f"{store.path} is at schema {found}, newer than this program ({HEAD}). Update the plugin; nothing changed."
        )
    if found is not None:
        store.check_anchor()
    if found is None or found < HEAD or not logged:
        _change(store)


def revision(tx: Connection, path: Path) -> str | None:
    """The migration the database is at; None when it is empty. Raises StoreUnavailable when it is not one of ours."""
    raw = driver(tx)
    tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables - {"alembic_version", "sqlite_sequence"} and not {"alembic_version", "write_counter"} <= tables:
        raise StoreUnavailable(f"{path} is a database of something else. Point RATCHET_DB at another file.")
    row = raw.execute("SELECT version_num FROM alembic_version").fetchone() if "alembic_version" in tables else None
    return None if row is None else str(row[0])


def migrate(path: Path, to: str, *, direction: Callable[..., None] | None = None) -> None:
    """Run alembic on the file at ``path`` up (default) or, with ``direction=command.downgrade``, down to ``to``."""
    from alembic import command
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    own = engine(path)
    try:
        with own.connect() as connection:
            settings.attributes["connection"] = connection
            (direction or command.upgrade)(settings, to)
    finally:
        own.dispose()


def _check_there(store: Store) -> None:
    """SQLite would make a new file where one is missing and throw the old one's WAL away."""
    held = store.anchor().writes  # before looking at the file, which another process may be creating
    if store.path.exists() and store.path.stat().st_size:
        return
    wal = Path(f"{store.path}-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreCorrupt(
            f"{store.path} is missing but its log {wal.name} is there: SQLite would delete it. Put the database back, "
            "or move the log away to start anew."
        )
    if held:
        raise _emptied(store, held)


def _emptied(store: Store, held: int) -> StoreBehind:
    return StoreBehind(
        f"{store.path} is gone or empty, but held {held} writes before. Put it back; to start anew, delete "
        f"{store.path}.lock and what is left of the database."
    )


def _quick_check(tx: Connection, path: Path) -> None:
    """Takes some 10 ms per MiB: left out for a file that is as it was when this process checked it, or a big one."""
    if not path.exists():
        return
    facts = path.stat()
    state = facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size
    if facts.st_size > _QUICK_CHECK_BYTES or _sound.get(path) == state:
        return  # SQLite complains when it meets damage later
    verdict = str(driver(tx).execute("PRAGMA quick_check(1)").fetchone()[0])
    if verdict != "ok":
        raise damaged(path, verdict.splitlines()[-1])
    _sound[path] = state


def _change(store: Store) -> None:
    """Make the tables, or upgrade them; does nothing when another process was first."""
    own = engine(store.path)
    try:
        with store.explained(), store.alone(), own.connect() as connection:
            found = revision(connection, store.path)
            if found is None:
                if held := store.anchor().writes:
                    raise _emptied(store, held)
                os.chmod(store.path, 0o600)  # before there is a log, which takes over the mode
            driver(connection).execute("PRAGMA journal_mode=WAL")
            if found is None:
                _create(driver(connection))
            elif found < HEAD:
                _upgrade(store.path, found)
    finally:
        own.dispose()


def _create(raw: sqlite3.Connection) -> None:
    """Every table, index and trigger at HEAD, in one transaction."""
    raw.execute("BEGIN IMMEDIATE")
    for statement in statements():
        raw.execute(statement)
    raw.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    raw.execute("COMMIT")


def statements() -> list[str]:
    """What makes every table, index and trigger at HEAD in an empty database."""
    from sqlalchemy.dialects.sqlite import dialect
    from sqlalchemy.schema import CreateIndex, CreateTable

    from ..schema import TRIGGERS, metadata

    made: list[CreateTable | CreateIndex] = []
    for table in metadata.sorted_tables:
        made.append(CreateTable(table))
        made += [CreateIndex(index) for index in sorted(table.indexes, key=lambda one: str(one.name))]
    return [*(str(one.compile(dialect=dialect())).strip() for one in made), *TRIGGERS.values(), _VERSION_TABLE]


def _upgrade(path: Path, found: str) -> None:
    kept = path.with_name(f"{path.name}.before-{HEAD}-{clock.now():%Y%m%dT%H%M%S%f}")
    _back_up(path, kept)
    try:
        migrate(path, HEAD)
    except Exception as error:
        why = f"{getattr(error, 'orig', error)}".splitlines()[0]
        raise StoreBehind(
            f"{path} could not be upgraded from schema {found} to {HEAD}: {why}. Nothing was changed; a copy is kept "
            f"in {kept}."
        ) from error


def _back_up(path: Path, kept: Path) -> None:
    """A copy made by SQLite; under its final name only when it is whole."""
    partial = kept.with_name(f"{kept.name}.part")
    source, target = sqlite3.connect(path), sqlite3.connect(partial)
    try:
        source.backup(target)
        os.chmod(partial, 0o600)
    finally:
        source.close()
        target.close()
    partial.rename(kept)
