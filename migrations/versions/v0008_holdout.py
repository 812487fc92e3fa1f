"""Adds how often a held-out set was asked, what each confirmation came to, and when the set was changed."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

TABLES = ("holdout_rotations", "holdout_reads", "confirmations")

STATEMENTS = (
    (
        "CREATE TABLE holdout_rotations (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_holdout_rotations_id CHECK (id > 0), \n"
        "\tprofile TEXT NOT NULL, \n"
        "\tversion INTEGER NOT NULL, \n"
        "\treleased TEXT NOT NULL, \n"
        "\theld_out TEXT NOT NULL, \n"
        "\tseed TEXT NOT NULL, \n"
        "\tactor TEXT NOT NULL, \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT uq_holdout_rotations_profile_version UNIQUE (profile, version)\n"
        ")"
    ),
    (
        "CREATE TABLE holdout_reads (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_holdout_reads_id CHECK (id > 0), \n"
        "\tprofile TEXT NOT NULL, \n"
        "\tversion INTEGER NOT NULL, \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tjob_id INTEGER NOT NULL, \n"
        "\tchange_sha256 TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT uq_holdout_reads_version_job_id UNIQUE (version, job_id), \n"
        "\tCONSTRAINT fk_holdout_reads_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_holdout_reads_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE confirmations (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_confirmations_id CHECK (id > 0), \n"
        "\tprofile TEXT NOT NULL, \n"
        "\tversion INTEGER NOT NULL, \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tchange_sha256 TEXT NOT NULL, \n"
        "\tbaseline_run_id INTEGER NOT NULL, \n"
        "\tcandidate_run_id INTEGER NOT NULL, \n"
        "\tscenario_set_hash TEXT NOT NULL, \n"
        "\tp FLOAT, \n"
        "\tlevel FLOAT, \n"
        "\tverdict TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT uq_confirmations_profile_version_change_sha256 UNIQUE (profile, version, change_sha256), \n"
        "\tCONSTRAINT fk_confirmations_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_confirmations_baseline_run_id FOREIGN KEY(baseline_run_id) REFERENCES eval_runs (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_confirmations_candidate_run_id FOREIGN KEY(candidate_run_id) REFERENCES eval_runs (id) ON DELETE RESTRICT\n"
        ")"
    ),
    ("CREATE INDEX ix_holdout_reads_profile_version ON holdout_reads (profile, version)"),
    (
        "CREATE TRIGGER tr_holdout_rotations_no_update\n"
        "BEFORE UPDATE ON holdout_rotations\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'holdout_rotations is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_holdout_rotations_no_delete\n"
        "BEFORE DELETE ON holdout_rotations\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'holdout_rotations is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_holdout_rotations_no_replace\n"
        "BEFORE INSERT ON holdout_rotations\n"
        "WHEN EXISTS (SELECT 1 FROM holdout_rotations WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM holdout_rotations WHERE profile = NEW.profile AND version = NEW.version)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'holdout_rotations is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_holdout_reads_no_update\n"
        "BEFORE UPDATE ON holdout_reads\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'holdout_reads is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_holdout_reads_no_delete\n"
        "BEFORE DELETE ON holdout_reads\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'holdout_reads is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_holdout_reads_no_replace\n"
        "BEFORE INSERT ON holdout_reads\n"
        "WHEN EXISTS (SELECT 1 FROM holdout_reads WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM holdout_reads WHERE version = NEW.version AND job_id = NEW.job_id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'holdout_reads is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_confirmations_no_update\n"
        "BEFORE UPDATE ON confirmations\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'confirmations is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_confirmations_no_delete\n"
        "BEFORE DELETE ON confirmations\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'confirmations is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_confirmations_no_replace\n"
        "BEFORE INSERT ON confirmations\n"
        "WHEN EXISTS (SELECT 1 FROM confirmations WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM confirmations WHERE profile = NEW.profile AND version = NEW.version AND change_sha256 = NEW.change_sha256)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'confirmations is append-only');\n"
        "END"
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
