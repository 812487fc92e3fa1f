"""Adds what guarded files looked like when last seen, and how far each notification target has been told."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = ("guarded_files", "guarded_profiles", "notify_cursors")

STATEMENTS = (
    (
        "CREATE TABLE guarded_files (\n"
        "\tprofile TEXT NOT NULL, \n"
        "\trelpath TEXT NOT NULL, \n"
        "\tkind TEXT NOT NULL, \n"
        "\tsha256 TEXT, \n"
        "\tstat TEXT NOT NULL, \n"
        "\toperation_id INTEGER NOT NULL, \n"
        "\tseen_at TEXT NOT NULL, \n"
        "\taccepted_kind TEXT NOT NULL, \n"
        "\taccepted_sha256 TEXT, \n"
        "\tevent_id INTEGER, \n"
        "\tCONSTRAINT pk_guarded_files PRIMARY KEY (profile, relpath), \n"
        "\tCONSTRAINT ck_guarded_files_kind CHECK (kind IN ('file', 'absent', 'link', 'hard_link', 'oversize', 'other', 'unreadable')), \n"
        "\tCONSTRAINT ck_guarded_files_accepted_kind CHECK (accepted_kind IN ('file', 'absent', 'link', 'hard_link', 'oversize', 'other', 'unreadable'))\n"
        ")"
    ),
    (
        "CREATE TABLE guarded_profiles (\n"
        "\tprofile TEXT NOT NULL, \n"
        "\tscope TEXT NOT NULL, \n"
        "\tcomplete INTEGER NOT NULL, \n"
        "\tlimited INTEGER NOT NULL, \n"
        "\toperation_id INTEGER NOT NULL, \n"
        "\tkept_bytes INTEGER NOT NULL, \n"
        "\tkept_since TEXT NOT NULL, \n"
        "\tCONSTRAINT pk_guarded_profiles PRIMARY KEY (profile)\n"
        ")"
    ),
    (
        "CREATE TABLE notify_cursors (\n"
        "\ttarget TEXT NOT NULL, \n"
        "\tlabel TEXT NOT NULL, \n"
        "\tevent_id INTEGER NOT NULL, \n"
        "\tallowance FLOAT NOT NULL, \n"
        "\tallowance_at TEXT NOT NULL, \n"
        "\tsent INTEGER DEFAULT '0' NOT NULL, \n"
        "\tsent_at TEXT, \n"
        "\tfailures INTEGER DEFAULT '0' NOT NULL, \n"
        "\tlast_error TEXT, \n"
        "\tretry_at TEXT, \n"
        "\tCONSTRAINT pk_notify_cursors PRIMARY KEY (target)\n"
        ")"
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
