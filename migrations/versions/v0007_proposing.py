"""Adds what the proposer was asked and drafted, and the failures its drafts say they answer."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = ("proposal_requests", "proposal_drafts", "proposal_failures")

STATEMENTS = (
    (
        "CREATE TABLE proposal_requests (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_proposal_requests_id CHECK (id > 0), \n"
        "\tjob_id INTEGER NOT NULL, \n"
        "\tprofile TEXT NOT NULL, \n"
        "\trelpath TEXT NOT NULL, \n"
        "\tdry_run INTEGER DEFAULT '0' NOT NULL, \n"
        "\tscheduled_for TEXT, \n"
        "\tactor TEXT NOT NULL, \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\tinput_sha256 TEXT, \n"
        "\tfailures INTEGER, \n"
        "\toutcome TEXT, \n"
        "\treason TEXT, \n"
        "\texperiment_id INTEGER, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tfinished_at TEXT, \n"
        "\tCONSTRAINT ck_proposal_requests_outcome CHECK (outcome IN ('proposed', 'drafted', 'refused', 'skipped')), \n"
        "\tCONSTRAINT ck_proposal_requests_says_why CHECK (outcome NOT IN ('refused', 'skipped') OR reason IS NOT NULL), \n"
        "\tCONSTRAINT uq_proposal_requests_job_id UNIQUE (job_id), \n"
        "\tCONSTRAINT fk_proposal_requests_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_proposal_requests_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE proposal_drafts (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_proposal_drafts_id CHECK (id > 0), \n"
        "\trequest_id INTEGER NOT NULL, \n"
        "\texperiment_id INTEGER, \n"
        "\tprofile TEXT NOT NULL, \n"
        "\trelpath TEXT NOT NULL, \n"
        "\tattempt INTEGER NOT NULL, \n"
        "\tstatus TEXT NOT NULL, \n"
        "\treason TEXT, \n"
        "\tflags TEXT NOT NULL, \n"
        "\told_text TEXT, \n"
        "\tnew_text TEXT, \n"
        "\thypothesis TEXT, \n"
        "\texpected_effect TEXT, \n"
        "\tbase_sha256 TEXT, \n"
        "\tcandidate_sha256 TEXT, \n"
        "\tchange_sha256 TEXT, \n"
        "\tmodel TEXT, \n"
        "\tinput_tokens INTEGER, \n"
        "\toutput_tokens INTEGER, \n"
        "\tcost_micro_usd INTEGER, \n"
        "\tseconds FLOAT, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tupdated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_proposal_drafts_status CHECK (status IN ('drafted', 'refused', 'proposed', 'passed', 'failed_gate')), \n"
        "\tCONSTRAINT ck_proposal_drafts_says_why CHECK (status NOT IN ('refused', 'failed_gate') OR reason IS NOT NULL), \n"
        "\tCONSTRAINT ck_proposal_drafts_evaluated_or_not CHECK ((status IN ('proposed', 'passed', 'failed_gate')) = (experiment_id IS NOT NULL)), \n"
        "\tCONSTRAINT uq_proposal_drafts_request_id_attempt UNIQUE (request_id, attempt), \n"
        "\tCONSTRAINT fk_proposal_drafts_request_id FOREIGN KEY(request_id) REFERENCES proposal_requests (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_proposal_drafts_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE proposal_failures (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_proposal_failures_id CHECK (id > 0), \n"
        "\tdraft_id INTEGER NOT NULL, \n"
        "\tname TEXT NOT NULL, \n"
        "\tkind TEXT NOT NULL, \n"
        "\tscenario_id INTEGER, \n"
        "\tsession_id TEXT, \n"
        "\tsummary TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_proposal_failures_kind CHECK (kind IN ('scenario', 'session', 'feedback')), \n"
        "\tCONSTRAINT ck_proposal_failures_scenario CHECK ((kind = 'scenario') = (scenario_id IS NOT NULL)), \n"
        "\tCONSTRAINT ck_proposal_failures_session CHECK ((kind = 'scenario') = (session_id IS NULL)), \n"
        "\tCONSTRAINT uq_proposal_failures_draft_id_name UNIQUE (draft_id, name), \n"
        "\tCONSTRAINT fk_proposal_failures_draft_id FOREIGN KEY(draft_id) REFERENCES proposal_drafts (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_proposal_failures_scenario_id FOREIGN KEY(scenario_id) REFERENCES scenarios (id) ON DELETE RESTRICT\n"
        ")"
    ),
    ("CREATE INDEX ix_proposal_requests_profile ON proposal_requests (profile)"),
    ("CREATE INDEX ix_proposal_drafts_profile_relpath ON proposal_drafts (profile, relpath)"),
    (
        "CREATE UNIQUE INDEX uq_proposal_drafts_experiment_id ON proposal_drafts (experiment_id) WHERE experiment_id IS NOT NULL"
    ),
    (
        "CREATE TRIGGER tr_proposal_failures_no_update\n"
        "BEFORE UPDATE ON proposal_failures\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'proposal_failures is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_proposal_failures_no_delete\n"
        "BEFORE DELETE ON proposal_failures\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'proposal_failures is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_proposal_failures_no_replace\n"
        "BEFORE INSERT ON proposal_failures\n"
        "WHEN EXISTS (SELECT 1 FROM proposal_failures WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM proposal_failures WHERE draft_id = NEW.draft_id AND name = NEW.name)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'proposal_failures is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_proposal_requests_no_delete\n"
        "BEFORE DELETE ON proposal_requests\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'rows of proposal_requests are kept');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_proposal_requests_no_replace\n"
        "BEFORE INSERT ON proposal_requests\n"
        "WHEN EXISTS (SELECT 1 FROM proposal_requests WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM proposal_requests WHERE job_id = NEW.job_id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of proposal_requests has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_proposal_requests_no_overwrite\n"
        "BEFORE UPDATE ON proposal_requests\n"
        "WHEN NEW.id IS NOT OLD.id OR EXISTS (SELECT 1 FROM proposal_requests WHERE job_id = NEW.job_id AND id <> OLD.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of proposal_requests has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_proposal_drafts_no_delete\n"
        "BEFORE DELETE ON proposal_drafts\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'rows of proposal_drafts are kept');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_proposal_drafts_no_replace\n"
        "BEFORE INSERT ON proposal_drafts\n"
        "WHEN EXISTS (SELECT 1 FROM proposal_drafts WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM proposal_drafts WHERE request_id = NEW.request_id AND attempt = NEW.attempt) OR NEW.experiment_id IS NOT NULL AND EXISTS (SELECT 1 FROM proposal_drafts WHERE experiment_id = NEW.experiment_id AND experiment_id IS NOT NULL)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of proposal_drafts has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_proposal_drafts_no_overwrite\n"
        "BEFORE UPDATE ON proposal_drafts\n"
        "WHEN NEW.id IS NOT OLD.id OR EXISTS (SELECT 1 FROM proposal_drafts WHERE request_id = NEW.request_id AND attempt = NEW.attempt AND id <> OLD.id) OR NEW.experiment_id IS NOT NULL AND EXISTS (SELECT 1 FROM proposal_drafts WHERE experiment_id = NEW.experiment_id AND experiment_id IS NOT NULL AND id <> OLD.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of proposal_drafts has this key');\n"
        "END"
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
