"""Adds what the judge said, call by call, and what persons say of the same results."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = ("human_labels", "judge_votes")

STATEMENTS = (
    (
        "CREATE TABLE judge_votes (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_judge_votes_id CHECK (id > 0), \n"
        "\tjudge_run_id TEXT NOT NULL, \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tresult_id INTEGER, \n"
        "\tcheck_number INTEGER, \n"
        "\tpurpose TEXT NOT NULL, \n"
        "\tverdict TEXT, \n"
        "\tno_verdict_reason TEXT, \n"
        "\trationale TEXT, \n"
        "\tmodel TEXT, \n"
        "\tinput_tokens INTEGER, \n"
        "\toutput_tokens INTEGER, \n"
        "\tcost_micro_usd INTEGER, \n"
        "\tseconds FLOAT, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_judge_votes_purpose CHECK (purpose IN ('probe', 'canary', 'vote')), \n"
        "\tCONSTRAINT ck_judge_votes_verdict CHECK (verdict IN ('pass', 'fail', 'unclear')), \n"
        "\tCONSTRAINT ck_judge_votes_verdict_or_reason CHECK ((verdict IS NULL) = (no_verdict_reason IS NOT NULL)), \n"
        "\tCONSTRAINT ck_judge_votes_votes_on_results CHECK ((purpose = 'vote') = (result_id IS NOT NULL)), \n"
        "\tCONSTRAINT fk_judge_votes_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_judge_votes_result_id FOREIGN KEY(result_id) REFERENCES experiment_scenario_results (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE human_labels (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_human_labels_id CHECK (id > 0), \n"
        "\tresult_id INTEGER NOT NULL, \n"
        "\tpassed INTEGER NOT NULL, \n"
        "\tnote TEXT, \n"
        "\tactor TEXT NOT NULL, \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_human_labels_passed CHECK (passed IN (0, 1)), \n"
        "\tCONSTRAINT fk_human_labels_result_id FOREIGN KEY(result_id) REFERENCES experiment_scenario_results (id) ON DELETE RESTRICT\n"
        ")"
    ),
    ("CREATE INDEX ix_judge_votes_experiment_id ON judge_votes (experiment_id)"),
    ("CREATE INDEX ix_judge_votes_result_id ON judge_votes (result_id)"),
    ("CREATE INDEX ix_human_labels_result_id ON human_labels (result_id)"),
    (
        "CREATE TRIGGER tr_judge_votes_no_update\n"
        "BEFORE UPDATE ON judge_votes\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'judge_votes is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_judge_votes_no_delete\n"
        "BEFORE DELETE ON judge_votes\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'judge_votes is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_judge_votes_no_replace\n"
        "BEFORE INSERT ON judge_votes\n"
        "WHEN EXISTS (SELECT 1 FROM judge_votes WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'judge_votes is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_human_labels_no_update\n"
        "BEFORE UPDATE ON human_labels\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'human_labels is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_human_labels_no_delete\n"
        "BEFORE DELETE ON human_labels\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'human_labels is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_human_labels_no_replace\n"
        "BEFORE INSERT ON human_labels\n"
        "WHEN EXISTS (SELECT 1 FROM human_labels WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'human_labels is append-only');\n"
        "END"
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
