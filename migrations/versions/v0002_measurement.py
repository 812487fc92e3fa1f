"""Adds measurement: scenarios, jobs, runs, reports, live windows and session observations."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    "metrics_snapshots",
    "scenarios",
    "session_observations",
    "baselines",
    "jobs",
    "live_plans",
    "reports",
    "window_sessions",
    "eval_runs",
    "experiment_scenario_results",
)

STATEMENTS = (
    (
        "CREATE TABLE scenarios (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_scenarios_id CHECK (id > 0), \n"
        "\tprofile TEXT NOT NULL, \n"
        "\tname TEXT NOT NULL, \n"
        "\tinput TEXT NOT NULL, \n"
        "\tchecks TEXT NOT NULL, \n"
        "\tholdout INTEGER DEFAULT '0' NOT NULL, \n"
        "\tsource TEXT NOT NULL, \n"
        "\tcritical INTEGER DEFAULT '0' NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tupdated_at TEXT NOT NULL, \n"
        "\tdeleted_at TEXT\n"
        ")"
    ),
    (
        "CREATE TABLE session_observations (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_session_observations_id CHECK (id > 0), \n"
        "\tprofile TEXT NOT NULL, \n"
        "\tsession_id TEXT NOT NULL, \n"
        "\tsource TEXT, \n"
        "\tmodel TEXT, \n"
        "\toutcome TEXT NOT NULL, \n"
        "\toutcome_reason TEXT NOT NULL, \n"
        "\terrors INTEGER, \n"
        "\ttokens INTEGER, \n"
        "\tcost_micro_usd INTEGER, \n"
        "\tturns INTEGER, \n"
        "\tstarted_at TEXT NOT NULL, \n"
        "\tended_at TEXT, \n"
        "\tobserved_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_session_observations_outcome CHECK (outcome IN ('success', 'failure', 'unknown')), \n"
        "\tCONSTRAINT uq_session_observations_profile_session_id UNIQUE (profile, session_id)\n"
        ")"
    ),
    (
        "CREATE TABLE metrics_snapshots (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_metrics_snapshots_id CHECK (id > 0), \n"
        "\tprofile TEXT NOT NULL, \n"
        "\tcaptured_at TEXT NOT NULL, \n"
        "\tsessions_count INTEGER, \n"
        "\terror_count INTEGER, \n"
        "\twarn_count INTEGER, \n"
        "\tretries INTEGER, \n"
        "\ttokens INTEGER, \n"
        "\tcost FLOAT, \n"
        "\tfrom_offset INTEGER, \n"
        "\tto_offset INTEGER, \n"
        "\twindow_started_at TEXT, \n"
        "\twindow_ended_at TEXT, \n"
        "\tpayload TEXT NOT NULL\n"
        ")"
    ),
    (
        "CREATE TABLE jobs (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_jobs_id CHECK (id > 0), \n"
        "\tkind TEXT NOT NULL, \n"
        "\tprofile TEXT NOT NULL, \n"
        "\texperiment_id INTEGER, \n"
        "\tstate TEXT NOT NULL, \n"
        "\tdone INTEGER DEFAULT '0' NOT NULL, \n"
        "\ttotal INTEGER, \n"
        "\tattempts INTEGER DEFAULT '0' NOT NULL, \n"
        "\tcancel_requested INTEGER DEFAULT '0' NOT NULL, \n"
        "\terror TEXT, \n"
        "\towner TEXT, \n"
        "\tnot_before TEXT, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tstarted_at TEXT, \n"
        "\tfinished_at TEXT, \n"
        "\tCONSTRAINT ck_jobs_state CHECK (state IN ('queued', 'running', 'finished', 'failed', 'cancelled')), \n"
        "\tCONSTRAINT fk_jobs_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE reports (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_reports_id CHECK (id > 0), \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tbase_sha256 TEXT, \n"
        "\tcandidate_sha256 TEXT NOT NULL, \n"
        "\tsha256 TEXT NOT NULL, \n"
        "\tdocument TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT fk_reports_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE baselines (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_baselines_id CHECK (id > 0), \n"
        "\tprofile TEXT NOT NULL, \n"
        "\tfile TEXT NOT NULL, \n"
        "\tcommit_sha TEXT, \n"
        "\tcontent_hash TEXT, \n"
        "\tscenario_set_hash TEXT NOT NULL, \n"
        "\tsplit TEXT NOT NULL, \n"
        "\tmodels TEXT NOT NULL, \n"
        "\tscore FLOAT, \n"
        "\texperiment_id INTEGER, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_baselines_split CHECK (split IN ('train', 'holdout')), \n"
        "\tCONSTRAINT fk_baselines_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE live_plans (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_live_plans_id CHECK (id > 0), \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tsha256 TEXT NOT NULL, \n"
        "\tdocument TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT uq_live_plans_experiment_id UNIQUE (experiment_id), \n"
        "\tCONSTRAINT fk_live_plans_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE window_sessions (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_window_sessions_id CHECK (id > 0), \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tobservation_id INTEGER NOT NULL, \n"
        "\tarm TEXT NOT NULL, \n"
        "\tcounted INTEGER NOT NULL, \n"
        "\treason TEXT NOT NULL, \n"
        "\tposition INTEGER, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_window_sessions_arm CHECK (arm IN ('baseline', 'candidate')), \n"
        "\tCONSTRAINT uq_window_sessions_experiment_id_observation_id UNIQUE (experiment_id, observation_id), \n"
        "\tCONSTRAINT fk_window_sessions_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_window_sessions_observation_id FOREIGN KEY(observation_id) REFERENCES session_observations (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE eval_runs (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_eval_runs_id CHECK (id > 0), \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tjob_id INTEGER, \n"
        "\tkind TEXT NOT NULL, \n"
        "\tarm TEXT NOT NULL, \n"
        "\tsplit TEXT NOT NULL, \n"
        "\tfile_sha256 TEXT, \n"
        "\tproposer_model TEXT, \n"
        "\tjudge_model TEXT, \n"
        "\tjudge_run_id TEXT, \n"
        "\tsubject_model TEXT, \n"
        "\tscenario_set_hash TEXT NOT NULL, \n"
        "\tevaluator_hash TEXT NOT NULL, \n"
        "\trepeats INTEGER NOT NULL, \n"
        "\tisolation TEXT NOT NULL, \n"
        "\taggregate_score FLOAT, \n"
        "\tcost_micro_usd INTEGER, \n"
        "\ttokens INTEGER, \n"
        "\tstate TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tfinished_at TEXT, \n"
        "\tCONSTRAINT ck_eval_runs_arm CHECK (arm IN ('baseline', 'candidate')), \n"
        "\tCONSTRAINT ck_eval_runs_split CHECK (split IN ('train', 'holdout')), \n"
        "\tCONSTRAINT ck_eval_runs_state CHECK (state IN ('running', 'finished', 'failed')), \n"
        "\tCONSTRAINT fk_eval_runs_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_eval_runs_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE experiment_scenario_results (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_experiment_scenario_results_id CHECK (id > 0), \n"
        "\teval_run_id INTEGER NOT NULL, \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tscenario_id INTEGER NOT NULL, \n"
        "\tsplit TEXT NOT NULL, \n"
        "\tarm TEXT NOT NULL, \n"
        "\trepeat INTEGER NOT NULL, \n"
        "\tpass_fail INTEGER, \n"
        "\tno_result_reason TEXT, \n"
        "\tcheck_results TEXT NOT NULL, \n"
        "\tjudge_model TEXT, \n"
        "\tproposer_model TEXT, \n"
        "\tjudge_rationale TEXT, \n"
        "\tscenario_snapshot TEXT NOT NULL, \n"
        "\ttranscript TEXT NOT NULL, \n"
        "\texposed INTEGER, \n"
        "\ttokens INTEGER, \n"
        "\tcost_micro_usd INTEGER, \n"
        "\tseconds FLOAT, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT uq_experiment_scenario_results_eval_run_id_scenario_id_repeat UNIQUE (eval_run_id, scenario_id, repeat), \n"
        "\tCONSTRAINT ck_experiment_scenario_results_result_or_reason CHECK ((pass_fail IS NULL) = (no_result_reason IS NOT NULL)), \n"
        "\tCONSTRAINT fk_experiment_scenario_results_eval_run_id FOREIGN KEY(eval_run_id) REFERENCES eval_runs (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_experiment_scenario_results_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_experiment_scenario_results_scenario_id FOREIGN KEY(scenario_id) REFERENCES scenarios (id) ON DELETE RESTRICT\n"
        ")"
    ),
    ("CREATE UNIQUE INDEX uq_scenarios_name ON scenarios (profile, name) WHERE deleted_at IS NULL"),
    ("CREATE INDEX ix_metrics_snapshots_profile ON metrics_snapshots (profile)"),
    ("CREATE INDEX ix_jobs_experiment_id ON jobs (experiment_id)"),
    ("CREATE INDEX ix_jobs_state ON jobs (state)"),
    ("CREATE INDEX ix_reports_experiment_id ON reports (experiment_id)"),
    ("CREATE INDEX ix_baselines_profile ON baselines (profile)"),
    ("CREATE INDEX ix_eval_runs_experiment_id ON eval_runs (experiment_id)"),
    ("CREATE INDEX ix_scenario_results_experiment_id ON experiment_scenario_results (experiment_id)"),
    (
        "CREATE TRIGGER tr_experiment_scenario_results_no_update\n"
        "BEFORE UPDATE ON experiment_scenario_results\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'experiment_scenario_results is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiment_scenario_results_no_delete\n"
        "BEFORE DELETE ON experiment_scenario_results\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'experiment_scenario_results is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiment_scenario_results_no_replace\n"
        "BEFORE INSERT ON experiment_scenario_results\n"
        "WHEN EXISTS (SELECT 1 FROM experiment_scenario_results WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM experiment_scenario_results WHERE eval_run_id = NEW.eval_run_id AND scenario_id = NEW.scenario_id AND repeat = NEW.repeat)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'experiment_scenario_results is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_reports_no_update\n"
        "BEFORE UPDATE ON reports\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'reports is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_reports_no_delete\n"
        "BEFORE DELETE ON reports\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'reports is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_reports_no_replace\n"
        "BEFORE INSERT ON reports\n"
        "WHEN EXISTS (SELECT 1 FROM reports WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'reports is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_live_plans_no_update\n"
        "BEFORE UPDATE ON live_plans\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'live_plans is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_live_plans_no_delete\n"
        "BEFORE DELETE ON live_plans\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'live_plans is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_live_plans_no_replace\n"
        "BEFORE INSERT ON live_plans\n"
        "WHEN EXISTS (SELECT 1 FROM live_plans WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM live_plans WHERE experiment_id = NEW.experiment_id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'live_plans is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_session_observations_no_update\n"
        "BEFORE UPDATE ON session_observations\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'session_observations is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_session_observations_no_delete\n"
        "BEFORE DELETE ON session_observations\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'session_observations is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_session_observations_no_replace\n"
        "BEFORE INSERT ON session_observations\n"
        "WHEN EXISTS (SELECT 1 FROM session_observations WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM session_observations WHERE profile = NEW.profile AND session_id = NEW.session_id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'session_observations is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_window_sessions_no_update\n"
        "BEFORE UPDATE ON window_sessions\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'window_sessions is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_window_sessions_no_delete\n"
        "BEFORE DELETE ON window_sessions\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'window_sessions is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_window_sessions_no_replace\n"
        "BEFORE INSERT ON window_sessions\n"
        "WHEN EXISTS (SELECT 1 FROM window_sessions WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM window_sessions WHERE experiment_id = NEW.experiment_id AND observation_id = NEW.observation_id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'window_sessions is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_eval_runs_no_delete\n"
        "BEFORE DELETE ON eval_runs\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'rows of eval_runs are kept');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_eval_runs_no_replace\n"
        "BEFORE INSERT ON eval_runs\n"
        "WHEN EXISTS (SELECT 1 FROM eval_runs WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of eval_runs has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_eval_runs_no_overwrite\n"
        "BEFORE UPDATE ON eval_runs\n"
        "WHEN NEW.id IS NOT OLD.id\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of eval_runs has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_jobs_no_delete\n"
        "BEFORE DELETE ON jobs\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'rows of jobs are kept');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_jobs_no_replace\n"
        "BEFORE INSERT ON jobs\n"
        "WHEN EXISTS (SELECT 1 FROM jobs WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of jobs has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_jobs_no_overwrite\n"
        "BEFORE UPDATE ON jobs\n"
        "WHEN NEW.id IS NOT OLD.id\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of jobs has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_scenarios_no_delete\n"
        "BEFORE DELETE ON scenarios\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'rows of scenarios are kept');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_scenarios_no_replace\n"
        "BEFORE INSERT ON scenarios\n"
        "WHEN EXISTS (SELECT 1 FROM scenarios WHERE id = NEW.id) OR NEW.deleted_at IS NULL AND EXISTS (SELECT 1 FROM scenarios WHERE profile = NEW.profile AND name = NEW.name AND deleted_at IS NULL)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of scenarios has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_scenarios_no_overwrite\n"
        "BEFORE UPDATE ON scenarios\n"
        "WHEN NEW.id IS NOT OLD.id OR NEW.deleted_at IS NULL AND EXISTS (SELECT 1 FROM scenarios WHERE profile = NEW.profile AND name = NEW.name AND deleted_at IS NULL AND id <> OLD.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of scenarios has this key');\n"
        "END"
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
