"""The migration brings exactly the tables and guards that the code declares, and takes them away again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command

from karpathy_self_improve.migrations.to_head import migrate
from karpathy_self_improve.schema import reviewing
from karpathy_self_improve.schema.base import metadata

TABLES = {*reviewing.APPEND_ONLY, *reviewing.KEPT}


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    path = tmp_path / "ratchet.db"
    migrate(path, "0003")
    return path


def objects(path: Path, kind: str) -> dict[str, str]:
    with sqlite3.connect(path) as raw:
        return dict(raw.execute("SELECT name, sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL", (kind,)))


def test_every_column_is_there(migrated: Path) -> None:
    with sqlite3.connect(migrated) as raw:
        for table in TABLES:
            found = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
            assert found == [column.name for column in metadata.tables[table].columns]


def test_every_guard_is_there_word_for_word(migrated: Path) -> None:
    triggers = objects(migrated, "trigger")
    assert {name: triggers.get(name) for name, _ in reviewing.GUARDS} == dict(reviewing.GUARDS)
    for table in reviewing.APPEND_ONLY:
        assert {f"tr_{table}_no_{what}" for what in ("update", "delete", "replace")} <= triggers.keys()
    for table in reviewing.KEPT:
        assert {f"tr_{table}_no_{what}" for what in ("delete", "replace", "overwrite")} <= triggers.keys()


def test_the_way_down_leaves_what_was_there_before(migrated: Path, tmp_path: Path) -> None:
    before = tmp_path / "before.db"
    migrate(before, "0002")
    migrate(migrated, "0002", direction=command.downgrade)
    for kind in ("table", "index", "trigger"):
        assert objects(migrated, kind) == objects(before, kind)
