"""Adds what persons say of sessions, and boundaries that took long to compute."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = ("calibrations", "session_feedback")

STATEMENTS = (
    (
        "CREATE TABLE session_feedback (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_session_feedback_id CHECK (id > 0), \n"
        "\tprofile TEXT NOT NULL, \n"
        "\tsession_id TEXT NOT NULL, \n"
        "\tgood INTEGER NOT NULL, \n"
        "\tnote TEXT, \n"
        "\tactor TEXT NOT NULL, \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_session_feedback_good CHECK (good IN (0, 1))\n"
        ")"
    ),
    (
        "CREATE TABLE calibrations (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_calibrations_id CHECK (id > 0), \n"
        "\tquestion TEXT NOT NULL, \n"
        "\tanswer TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT uq_calibrations_question UNIQUE (question)\n"
        ")"
    ),
    ("CREATE INDEX ix_session_feedback_profile_session_id ON session_feedback (profile, session_id)"),
    (
        "CREATE TRIGGER tr_session_feedback_no_update\n"
        "BEFORE UPDATE ON session_feedback\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'session_feedback is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_session_feedback_no_delete\n"
        "BEFORE DELETE ON session_feedback\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'session_feedback is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_session_feedback_no_replace\n"
        "BEFORE INSERT ON session_feedback\n"
        "WHEN EXISTS (SELECT 1 FROM session_feedback WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'session_feedback is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_calibrations_no_update\n"
        "BEFORE UPDATE ON calibrations\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'calibrations is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_calibrations_no_delete\n"
        "BEFORE DELETE ON calibrations\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'calibrations is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_calibrations_no_replace\n"
        "BEFORE INSERT ON calibrations\n"
        "WHEN EXISTS (SELECT 1 FROM calibrations WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM calibrations WHERE question = NEW.question)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'calibrations is append-only');\n"
        "END"
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
