"""The migration brings exactly the tables that the code declares, and takes them away again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.schema import CreateTable

from karpathy_self_improve.migrations.to_head import migrate
from karpathy_self_improve.schema.watching import guarded_files, guarded_profiles, notify_cursors

TABLES = (guarded_files, guarded_profiles, notify_cursors)


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    path = tmp_path / "ratchet.db"
    migrate(path, "0004")
    return path


def objects(path: Path) -> dict[str, str]:
    with sqlite3.connect(path) as raw:
        return dict(raw.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_every_table_is_there_word_for_word(migrated: Path) -> None:
    found = objects(migrated)
    for table in TABLES:
        assert found[table.name] == str(CreateTable(table).compile(dialect=dialect())).strip()


def test_the_way_down_leaves_what_was_there_before(migrated: Path, tmp_path: Path) -> None:
    before = tmp_path / "before.db"
    migrate(before, "0003")
    migrate(migrated, "0003", direction=command.downgrade)
    assert objects(migrated) == objects(before)
