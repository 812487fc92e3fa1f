"""Adds reviewers: the log of who may sign, what was asked to be signed, what was signed, and failed tries."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = (
    "challenges",
    "reviewer_changes",
    "signature_attempts",
    "signatures",
)

STATEMENTS = (
    (
        "CREATE TABLE challenges (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_challenges_id CHECK (id > 0), \n"
        "\tnonce TEXT NOT NULL, \n"
        "\tpayload TEXT NOT NULL, \n"
        "\tplan_document TEXT, \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\texpires_at TEXT NOT NULL, \n"
        "\tCONSTRAINT uq_challenges_nonce UNIQUE (nonce)\n"
        ")"
    ),
    (
        "CREATE TABLE reviewer_changes (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_reviewer_changes_id CHECK (id > 0), \n"
        "\tkind TEXT NOT NULL, \n"
        "\tpayload TEXT NOT NULL, \n"
        "\tsignature TEXT NOT NULL, \n"
        "\tnonce TEXT NOT NULL, \n"
        "\tfingerprint TEXT NOT NULL, \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_reviewer_changes_kind CHECK (kind IN ('setup', 'add', 'rotate', 'remove', 'reset')), \n"
        "\tCONSTRAINT uq_reviewer_changes_nonce UNIQUE (nonce)\n"
        ")"
    ),
    (
        "CREATE TABLE signature_attempts (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_signature_attempts_id CHECK (id > 0), \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\tpurpose TEXT NOT NULL, \n"
        "\tstarted_at TEXT NOT NULL, \n"
        "\toutcome TEXT, \n"
        "\treason TEXT, \n"
        "\tended_at TEXT, \n"
        "\tCONSTRAINT ck_signature_attempts_outcome CHECK (outcome IN ('accepted', 'refused', 'withdrawn'))\n"
        ")"
    ),
    (
        "CREATE TABLE signatures (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_signatures_id CHECK (id > 0), \n"
        "\tnonce TEXT NOT NULL, \n"
        "\tpurpose TEXT NOT NULL, \n"
        "\texperiment_id INTEGER, \n"
        "\tprofile TEXT, \n"
        "\tpayload TEXT NOT NULL, \n"
        "\tsignature TEXT NOT NULL, \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT uq_signatures_nonce UNIQUE (nonce), \n"
        "\tCONSTRAINT fk_signatures_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT\n"
        ")"
    ),
    ("CREATE INDEX ix_signature_attempts_principal ON signature_attempts (principal)"),
    ("CREATE INDEX ix_signature_attempts_started_at ON signature_attempts (started_at)"),
    ("CREATE INDEX ix_signatures_experiment_id ON signatures (experiment_id)"),
    ("CREATE INDEX ix_signatures_purpose_profile ON signatures (purpose, profile)"),
    (
        "CREATE TRIGGER tr_reviewer_changes_no_update\n"
        "BEFORE UPDATE ON reviewer_changes\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'reviewer_changes is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_reviewer_changes_no_delete\n"
        "BEFORE DELETE ON reviewer_changes\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'reviewer_changes is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_reviewer_changes_no_replace\n"
        "BEFORE INSERT ON reviewer_changes\n"
        "WHEN EXISTS (SELECT 1 FROM reviewer_changes WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM reviewer_changes WHERE nonce = NEW.nonce)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'reviewer_changes is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_challenges_no_update\n"
        "BEFORE UPDATE ON challenges\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'challenges is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_challenges_no_delete\n"
        "BEFORE DELETE ON challenges\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'challenges is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_challenges_no_replace\n"
        "BEFORE INSERT ON challenges\n"
        "WHEN EXISTS (SELECT 1 FROM challenges WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM challenges WHERE nonce = NEW.nonce)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'challenges is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_signatures_no_update\n"
        "BEFORE UPDATE ON signatures\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'signatures is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_signatures_no_delete\n"
        "BEFORE DELETE ON signatures\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'signatures is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_signatures_no_replace\n"
        "BEFORE INSERT ON signatures\n"
        "WHEN EXISTS (SELECT 1 FROM signatures WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM signatures WHERE nonce = NEW.nonce)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'signatures is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_signature_attempts_no_delete\n"
        "BEFORE DELETE ON signature_attempts\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'rows of signature_attempts are kept');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_signature_attempts_no_replace\n"
        "BEFORE INSERT ON signature_attempts\n"
        "WHEN EXISTS (SELECT 1 FROM signature_attempts WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of signature_attempts has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_signature_attempts_no_overwrite\n"
        "BEFORE UPDATE ON signature_attempts\n"
        "WHEN NEW.id IS NOT OLD.id\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of signature_attempts has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_reviewer_changes_first\n"
        "BEFORE INSERT ON reviewer_changes\n"
        "WHEN NEW.kind = 'setup' AND EXISTS (SELECT 1 FROM reviewer_changes)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'only one reviewer is the first');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_reviewer_changes_in_order\n"
        "AFTER INSERT ON reviewer_changes\n"
        "WHEN EXISTS (SELECT 1 FROM reviewer_changes WHERE id > NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'a change comes after all others');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_reviewer_changes_announced\n"
        "AFTER INSERT ON reviewer_changes\n"
        "BEGIN\n"
        "  INSERT INTO events (created_at, kind, profile, experiment_id, payload)\n"
        "  VALUES (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00', 'reviewers.' || NEW.kind, NULL, NULL, json_object('id', NEW.id, 'fingerprint', NEW.fingerprint, 'principal', NEW.principal));\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_signatures_announced\n"
        "AFTER INSERT ON signatures\n"
        "BEGIN\n"
        "  INSERT INTO events (created_at, kind, profile, experiment_id, payload)\n"
        "  VALUES (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00', 'signature.stored', NEW.profile, NEW.experiment_id, json_object('id', NEW.id, 'purpose', NEW.purpose, 'principal', NEW.principal));\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_signature_attempts_settled\n"
        "BEFORE UPDATE ON signature_attempts\n"
        "WHEN OLD.outcome IS NOT NULL OR NEW.principal IS NOT OLD.principal OR NEW.purpose IS NOT OLD.purpose OR NEW.started_at IS NOT OLD.started_at\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'an attempt ends once');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_signature_attempts_announced\n"
        "AFTER UPDATE ON signature_attempts\n"
        "WHEN NEW.outcome = 'refused'\n"
        "BEGIN\n"
        "  INSERT INTO events (created_at, kind, profile, experiment_id, payload)\n"
        "  VALUES (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00', 'signature.refused', NULL, NULL, json_object('principal', NEW.principal, 'purpose', NEW.purpose, 'reason', NEW.reason));\n"
        "END"
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
