"""However a database came to today's schema, it is the same; an upgrade keeps every row and a copy of the old file."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command, op
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from karpathy_self_improve import schema
from karpathy_self_improve._db import open_store
from karpathy_self_improve.errors import StoreBehind
from karpathy_self_improve.migrations.to_head import migrate
from karpathy_self_improve.ratchet.atomic_change import difference
from karpathy_self_improve.ratchet.audit import chain, trail

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ScriptDirectory(str(ROOT / "migrations"))
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions("base", schema.HEAD)][::-1]
UNDER_ITS_HOST_NAME = """
import importlib.util, sys, types
from pathlib import Path
root = Path(sys.argv[1])
hermes_plugins = types.ModuleType("hermes_plugins")
hermes_plugins.__path__ = []
sys.modules["hermes_plugins"] = hermes_plugins
name = "hermes_plugins.karpathy_self_improve"
spec = importlib.util.spec_from_file_location(name, root / "__init__.py", submodule_search_locations=[str(root)])
module = importlib.util.module_from_spec(spec)
sys.modules[name] = module
spec.loader.exec_module(module)
from hermes_plugins.karpathy_self_improve._db import open_store
from hermes_plugins.karpathy_self_improve.migrations.to_head import migrate
from alembic import command, op
up, fresh = Path(sys.argv[2]), Path(sys.argv[3])
migrate(up, sys.argv[4])
open_store(up).close()
open_store(fresh).close()
migrate(fresh, sys.argv[4], direction=command.downgrade)
migrate(fresh, sys.argv[5])
assert not [name for name in sys.modules if name.startswith("karpathy_self_improve")]
"""


def objects(path: Path) -> list[tuple[str, ...]]:
    """Everything that makes up the schema, in a fixed order."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'"
        return sorted(tuple(map(str, row)) for row in connection.execute(query))


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [line for line in connection.iterdump() if line.startswith("INSERT")]


def fill(path: Path, revision: str) -> None:
    """A row in each table of the first migration that an experiment needs, and a link of the chain."""
    migrate(path, revision)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        columns = {
            row[1]: row[2] for row in connection.execute("PRAGMA table_info(experiments)") if row[3] and not row[4]
        }
        row = {column: 1 if kind == "INTEGER" else "x" for column, kind in columns.items()}
        name = hashlib.sha256(b"\0").hexdigest()
        row |= {"id": 1, "state": "proposed", "evaluation_status": "unmeasured", "candidate_sha256": name}
        row["diff"] = difference("x", None, b"\0")
        connection.execute("INSERT INTO blobs VALUES (?, 1, x'00')", (name,))
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO experiments ({names}) VALUES ({marks})", list(row.values()))
        fields = (1, None, "proposed", "me", "os:me", "why", "2026-11-20")
        connection.execute(
            "INSERT INTO experiment_state_transitions VALUES (1, ?, ?, ?, ?, ?, ?, ?, '', ?)",
            (*fields, chain.link("", *fields)),
        )


def test_the_newest_migration_is_the_head():
    assert SCRIPTS.get_heads() == [schema.HEAD]


def test_a_fresh_database_and_an_upgraded_one_are_the_same(tmp_path):
    open_store(tmp_path / "fresh.db").close()
    fill(tmp_path / "upgraded.db", REVISIONS[0])
    open_store(tmp_path / "upgraded.db").close()
    migrate(tmp_path / "migrated.db", schema.HEAD)
    fresh = objects(tmp_path / "fresh.db")
    assert objects(tmp_path / "upgraded.db") == objects(tmp_path / "migrated.db") == fresh
    assert {row[1] for row in fresh} >= set(schema.metadata.tables) | set(schema.TRIGGERS)


def test_each_step_down_and_up_again_leads_to_the_same(path):
    open_store(path).close()
    at_head = objects(path)
    for revision in [*REVISIONS[:-1][::-1], "base"]:
        migrate(path, revision, direction=command.downgrade)
    assert [row[1] for row in objects(path) if row[0] == "trigger"] == []
    for revision in REVISIONS:
        migrate(path, revision)
    assert objects(path) == at_head


def test_both_directions_work_under_the_name_the_host_gives(tmp_path):
    arguments = [str(ROOT), str(tmp_path / "up.db"), str(tmp_path / "fresh.db"), REVISIONS[0], schema.HEAD]
    done = subprocess.run([sys.executable, "-P", "-c", UNDER_ITS_HOST_NAME, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    open_store(tmp_path / "ours.db").close()
    assert objects(tmp_path / "up.db") == objects(tmp_path / "fresh.db") == objects(tmp_path / "ours.db")


def test_an_upgrade_keeps_the_rows_and_a_copy_of_the_file(path):
    fill(path, REVISIONS[0])
    before, before_objects = dump(path), objects(path)
    store = open_store(path)
    assert trail.verify_store(store).ok
    store.close()
    assert [line for line in dump(path) if "alembic" not in line] == [line for line in before if "alembic" not in line]
    (kept,) = path.parent.glob("ratchet.db.before-*")
    assert (dump(kept), objects(kept)) == (before, before_objects)
    assert kept.stat().st_mode & 0o777 == 0o600


def test_processes_upgrade_one_file_together(path, forked):
    fill(path, REVISIONS[0])
    for wait in [forked(lambda: open_store(path).close()) for _ in range(5)]:
        wait()
    assert len(list(path.parent.glob("ratchet.db.before-*"))) == 1
    store = open_store(path)
    assert trail.verify_store(store).ok
    store.close()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_an_upgrade_that_is_killed_leaves_the_old_database(path, forked, share):
    fill(path, REVISIONS[0])
    before, count, execute = (dump(path), objects(path)), [0], Operations.execute
    statements = sum(len(module.STATEMENTS) for module in newer_migrations())

    def killed(self, *arguments, **options):
        if count[0] >= int(statements * share):
            os.kill(os.getpid(), signal.SIGKILL)
        count[0] += 1
        return execute(self, *arguments, **options)

    def child():
        Operations.execute = killed
        op.execute = lambda *arguments, **options: op._proxy.execute(*arguments, **options)
        open_store(path)

    assert forked(child)() is signal.SIGKILL
    assert (dump(path), objects(path)) == before
    store = open_store(path)
    assert trail.verify_store(store).ok
    store.close()
    copies = sorted(path.parent.glob("ratchet.db.before-*"))
    assert len(copies) == 2
    assert all((dump(kept), objects(kept)) == before for kept in copies)


def test_tables_can_be_made_anew_during_an_upgrade(path, monkeypatch):
    """That takes foreign keys to be off, and SQLite ignores the pragma within a transaction."""
    fill(path, REVISIONS[0])
    execute, seen = Operations.execute, set()

    def watched(self, *arguments, **options):
        seen.add(self.get_bind().exec_driver_sql("PRAGMA foreign_keys").scalar_one())
        return execute(self, *arguments, **options)

    monkeypatch.setattr(Operations, "execute", watched)
    monkeypatch.setattr(op, "execute", lambda *arguments, **options: op._proxy.execute(*arguments, **options))
    open_store(path).close()
    assert seen == {0}


def newer_migrations():
    return [SCRIPTS.get_revision(revision).module for revision in REVISIONS[1:]]


def test_an_upgrade_that_fails_leaves_the_old_database_and_says_where_the_copy_is(path):
    fill(path, REVISIONS[0])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE jobs (not_ours TEXT)")
    before = dump(path), objects(path)
    with pytest.raises(StoreBehind, match=r"could not be upgraded .* is kept in .*\.before-0"):
        open_store(path)
    assert (dump(path), objects(path)) == before


def test_rows_that_point_nowhere_stop_an_upgrade(path, raw):
    fill(path, REVISIONS[0])
    raw("DROP TRIGGER tr_blobs_no_delete", "DELETE FROM blobs")
    with pytest.raises(StoreBehind, match="rows pointing nowhere"):
        open_store(path)


def test_a_database_without_a_log_gets_one(store, path, raw):
    store.close()
    assert raw("PRAGMA journal_mode=DELETE") == [("delete",)]
    open_store(path).close()
    assert raw("PRAGMA journal_mode") == [("wal",)]
