"""Adds what each run of an evaluation cost, and the order and expected end of each job."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = ("job_schedules", "spending")

STATEMENTS = (
    (
        "CREATE TABLE job_schedules (\n"
        "\tjob_id INTEGER NOT NULL, \n"
        "\tseed INTEGER NOT NULL, \n"
        "\tretries INTEGER DEFAULT '0' NOT NULL, \n"
        "\texpected_at TEXT, \n"
        "\tCONSTRAINT pk_job_schedules PRIMARY KEY (job_id), \n"
        "\tCONSTRAINT fk_job_schedules_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE spending (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_spending_id CHECK (id > 0), \n"
        "\tjob_id INTEGER NOT NULL, \n"
        "\tprofile TEXT NOT NULL, \n"
        "\ttries INTEGER NOT NULL, \n"
        "\tcalls INTEGER, \n"
        "\ttokens INTEGER, \n"
        "\tcost_micro_usd INTEGER, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT fk_spending_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE RESTRICT\n"
        ")"
    ),
    ("CREATE INDEX ix_spending_created_at ON spending (created_at)"),
    ("CREATE INDEX ix_spending_job_id ON spending (job_id)"),
    (
        "CREATE TRIGGER tr_spending_no_update\n"
        "BEFORE UPDATE ON spending\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'spending is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_spending_no_delete\n"
        "BEFORE DELETE ON spending\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'spending is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_spending_no_replace\n"
        "BEFORE INSERT ON spending\n"
        "WHEN EXISTS (SELECT 1 FROM spending WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'spending is append-only');\n"
        "END"
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
