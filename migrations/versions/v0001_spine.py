"""Adds the spine: experiments, their audit trail, the journal, events, leases and pauses."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    "blobs",
    "events",
    "leases",
    "profile_controls",
    "write_counter",
    "experiments",
    "approvals",
    "experiment_snapshots",
    "experiment_state_transitions",
    "file_operations",
)

STATEMENTS = (
    (
        "CREATE TABLE events (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_events_id CHECK (id > 0), \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tkind TEXT NOT NULL, \n"
        "\tprofile TEXT, \n"
        "\texperiment_id INTEGER, \n"
        "\tjob_id INTEGER, \n"
        "\tpayload TEXT NOT NULL\n"
        ")"
    ),
    (
        "CREATE TABLE leases (\n"
        "\tname TEXT NOT NULL, \n"
        "\towner TEXT NOT NULL, \n"
        "\tpid INTEGER NOT NULL, \n"
        "\thostname TEXT NOT NULL, \n"
        "\tacquired_at TEXT NOT NULL, \n"
        "\theartbeat_at TEXT NOT NULL, \n"
        "\treleased_at TEXT, \n"
        "\tCONSTRAINT pk_leases PRIMARY KEY (name)\n"
        ")"
    ),
    (
        "CREATE TABLE profile_controls (\n"
        "\tprofile TEXT NOT NULL, \n"
        "\tpaused INTEGER DEFAULT '0' NOT NULL, \n"
        "\tpaused_by TEXT, \n"
        "\tpaused_at TEXT, \n"
        "\tfailures INTEGER DEFAULT '0' NOT NULL, \n"
        "\tlast_error TEXT, \n"
        "\tretry_at TEXT, \n"
        "\tCONSTRAINT pk_profile_controls PRIMARY KEY (profile)\n"
        ")"
    ),
    (
        "CREATE TABLE write_counter (\n"
        "\tid INTEGER NOT NULL CONSTRAINT ck_write_counter_id CHECK (id = 1), \n"
        "\twrites INTEGER NOT NULL, \n"
        "\tCONSTRAINT pk_write_counter PRIMARY KEY (id)\n"
        ")"
    ),
    (
        "CREATE TABLE blobs (\n"
        "\tsha256 TEXT NOT NULL, \n"
        "\tsize INTEGER NOT NULL, \n"
        "\tcontent BLOB NOT NULL, \n"
        "\tCONSTRAINT pk_blobs PRIMARY KEY (sha256), \n"
        "\tCONSTRAINT ck_blobs_size CHECK (length(content) = size)\n"
        ")"
    ),
    (
        "CREATE TABLE experiments (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_experiments_id CHECK (id > 0), \n"
        "\tprofile TEXT NOT NULL, \n"
        "\ttarget_profile_root TEXT NOT NULL, \n"
        "\ttarget_relpath TEXT NOT NULL, \n"
        "\tstate TEXT NOT NULL, \n"
        "\tdiff TEXT NOT NULL, \n"
        "\trationale TEXT NOT NULL, \n"
        "\tchanged_hunks INTEGER NOT NULL, \n"
        "\tadded_lines INTEGER NOT NULL, \n"
        "\tremoved_lines INTEGER NOT NULL, \n"
        "\tsentence_delta_count INTEGER NOT NULL, \n"
        "\ttarget_span TEXT NOT NULL, \n"
        "\tbase_sha256 TEXT, \n"
        "\tcandidate_sha256 TEXT NOT NULL, \n"
        "\tprofile_git_root TEXT, \n"
        "\tbase_commit_sha TEXT, \n"
        "\tbase_blob_sha TEXT, \n"
        "\tapply_commit_sha TEXT, \n"
        "\trevert_commit_sha TEXT, \n"
        "\tdirty_before_apply INTEGER, \n"
        "\tmanual_conflict_detected INTEGER DEFAULT '0' NOT NULL, \n"
        "\tproposed_by TEXT NOT NULL, \n"
        "\tapproved_by TEXT, \n"
        "\tapproved_at TEXT, \n"
        "\trejected_by TEXT, \n"
        "\trejected_at TEXT, \n"
        "\trejection_reason TEXT, \n"
        "\tlive_sessions_target INTEGER, \n"
        "\tlive_sessions_observed INTEGER DEFAULT '0' NOT NULL, \n"
        "\tapplied_at TEXT, \n"
        "\tverified_at TEXT, \n"
        "\treverted_at TEXT, \n"
        "\tbaseline_id INTEGER, \n"
        "\tevaluation_status TEXT NOT NULL, \n"
        "\tbaseline_score FLOAT, \n"
        "\toffline_score FLOAT, \n"
        "\tverdict TEXT, \n"
        "\tlive_verdict TEXT, \n"
        "\tlive_score FLOAT, \n"
        "\tcost_micro_usd INTEGER, \n"
        "\tproposer_model TEXT, \n"
        "\tjudge_model TEXT, \n"
        "\tjudge_run_id TEXT, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tupdated_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_experiments_state CHECK (state IN ('proposed', 'approved', 'live', 'verified', 'reverted', 'rejected')), \n"
        "\tCONSTRAINT ck_experiments_evaluation_status CHECK (evaluation_status IN ('unmeasured', 'queued', 'running', 'finished', 'failed')), \n"
        "\tCONSTRAINT ck_experiments_live_verdict CHECK (live_verdict IN ('reverted', 'verified', 'inconclusive')), \n"
        "\tCONSTRAINT fk_experiments_base_sha256 FOREIGN KEY(base_sha256) REFERENCES blobs (sha256) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_experiments_candidate_sha256 FOREIGN KEY(candidate_sha256) REFERENCES blobs (sha256) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE experiment_state_transitions (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_experiment_state_transitions_id CHECK (id > 0), \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tfrom_state TEXT, \n"
        "\tto_state TEXT NOT NULL, \n"
        "\tactor TEXT NOT NULL, \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\treason TEXT NOT NULL, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\tprevious_hash TEXT NOT NULL, \n"
        "\thash TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_experiment_state_transitions_to_state CHECK (to_state IN ('proposed', 'approved', 'live', 'verified', 'reverted', 'rejected')), \n"
        "\tCONSTRAINT ck_experiment_state_transitions_edge CHECK (coalesce(from_state, '') || '>' || to_state IN ('>proposed', 'proposed>approved', 'proposed>rejected', 'approved>live', 'approved>rejected', 'live>verified', 'live>reverted', 'verified>reverted')), \n"
        "\tCONSTRAINT fk_experiment_state_transitions_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE approvals (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_approvals_id CHECK (id > 0), \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tmode TEXT NOT NULL, \n"
        "\tprofile TEXT NOT NULL, \n"
        "\trelpath TEXT NOT NULL, \n"
        "\tbase_sha256 TEXT, \n"
        "\tcandidate_sha256 TEXT NOT NULL, \n"
        "\treport_sha256 TEXT, \n"
        "\toverride_reason TEXT, \n"
        "\tplan_sha256 TEXT NOT NULL, \n"
        "\taudit_head TEXT NOT NULL, \n"
        "\tactor TEXT NOT NULL, \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\tnonce TEXT NOT NULL, \n"
        "\tsignature TEXT, \n"
        "\tcreated_at TEXT NOT NULL, \n"
        "\texpires_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_approvals_mode CHECK (mode IN ('signed', 'unsigned')), \n"
        "\tCONSTRAINT ck_approvals_measured_or_overridden CHECK (report_sha256 IS NOT NULL OR override_reason IS NOT NULL), \n"
        "\tCONSTRAINT fk_approvals_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE experiment_snapshots (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_experiment_snapshots_id CHECK (id > 0), \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\texisted INTEGER NOT NULL, \n"
        "\tprior_sha256 TEXT, \n"
        "\tmode INTEGER, \n"
        "\ttaken_at TEXT NOT NULL, \n"
        "\tCONSTRAINT ck_experiment_snapshots_existed CHECK (existed = (prior_sha256 IS NOT NULL)), \n"
        "\tCONSTRAINT fk_experiment_snapshots_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_experiment_snapshots_prior_sha256 FOREIGN KEY(prior_sha256) REFERENCES blobs (sha256) ON DELETE RESTRICT\n"
        ")"
    ),
    (
        "CREATE TABLE file_operations (\n"
        "\tid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CONSTRAINT ck_file_operations_id CHECK (id > 0), \n"
        "\texperiment_id INTEGER NOT NULL, \n"
        "\tprofile TEXT NOT NULL, \n"
        "\tkind TEXT NOT NULL, \n"
        "\tphase TEXT NOT NULL, \n"
        "\trelpath TEXT NOT NULL, \n"
        "\texpected_sha256 TEXT, \n"
        "\tnew_sha256 TEXT, \n"
        "\tmode INTEGER, \n"
        "\ttoken TEXT NOT NULL, \n"
        "\tgit_dir TEXT NOT NULL, \n"
        "\tref TEXT NOT NULL, \n"
        "\tparent_sha TEXT, \n"
        "\tcommit_sha TEXT, \n"
        "\tactor TEXT NOT NULL, \n"
        "\tprincipal TEXT NOT NULL, \n"
        "\treason TEXT NOT NULL, \n"
        "\tstarted_at TEXT NOT NULL, \n"
        "\tfinished_at TEXT, \n"
        "\tnote TEXT, \n"
        "\tCONSTRAINT ck_file_operations_kind CHECK (kind IN ('apply', 'revert')), \n"
        "\tCONSTRAINT ck_file_operations_phase CHECK (phase IN ('planned', 'written', 'committed', 'recorded', 'undone')), \n"
        "\tCONSTRAINT fk_file_operations_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_file_operations_expected_sha256 FOREIGN KEY(expected_sha256) REFERENCES blobs (sha256) ON DELETE RESTRICT, \n"
        "\tCONSTRAINT fk_file_operations_new_sha256 FOREIGN KEY(new_sha256) REFERENCES blobs (sha256) ON DELETE RESTRICT\n"
        ")"
    ),
    ("CREATE UNIQUE INDEX uq_experiments_in_flight ON experiments (profile) WHERE state IN ('approved', 'live')"),
    ("CREATE INDEX ix_experiments_profile_state ON experiments (profile, state)"),
    ("CREATE INDEX ix_transitions_experiment_id ON experiment_state_transitions (experiment_id)"),
    ("CREATE INDEX ix_approvals_experiment_id ON approvals (experiment_id)"),
    ("CREATE INDEX ix_experiment_snapshots_experiment_id ON experiment_snapshots (experiment_id)"),
    ("CREATE UNIQUE INDEX uq_file_operations_open ON file_operations (profile) WHERE finished_at IS NULL"),
    ("CREATE INDEX ix_file_operations_experiment_id ON file_operations (experiment_id)"),
    (
        "CREATE TRIGGER tr_experiments_start\n"
        "BEFORE INSERT ON experiments\n"
        "WHEN NEW.state <> 'proposed'\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'a new experiment is proposed');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiments_fixed\n"
        "BEFORE UPDATE ON experiments\n"
        "WHEN NEW.id IS NOT OLD.id OR NEW.profile IS NOT OLD.profile OR NEW.target_profile_root IS NOT OLD.target_profile_root OR NEW.target_relpath IS NOT OLD.target_relpath OR NEW.diff IS NOT OLD.diff OR NEW.rationale IS NOT OLD.rationale OR NEW.changed_hunks IS NOT OLD.changed_hunks OR NEW.added_lines IS NOT OLD.added_lines OR NEW.removed_lines IS NOT OLD.removed_lines OR NEW.sentence_delta_count IS NOT OLD.sentence_delta_count OR NEW.target_span IS NOT OLD.target_span OR NEW.base_sha256 IS NOT OLD.base_sha256 OR NEW.candidate_sha256 IS NOT OLD.candidate_sha256 OR NEW.profile_git_root IS NOT OLD.profile_git_root OR NEW.base_commit_sha IS NOT OLD.base_commit_sha OR NEW.base_blob_sha IS NOT OLD.base_blob_sha OR NEW.proposed_by IS NOT OLD.proposed_by OR NEW.proposer_model IS NOT OLD.proposer_model OR NEW.created_at IS NOT OLD.created_at\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'what an experiment proposes is fixed');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiments_edge\n"
        "BEFORE UPDATE ON experiments\n"
        "WHEN OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN ('proposed>approved', 'proposed>rejected', 'approved>live', 'approved>rejected', 'live>verified', 'live>reverted', 'verified>reverted')\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'illegal state transition');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiments_audited\n"
        "BEFORE UPDATE ON experiments\n"
        "WHEN OLD.state <> NEW.state AND NOT EXISTS (SELECT 1 FROM experiment_state_transitions WHERE id = (SELECT max(id) FROM experiment_state_transitions WHERE experiment_id = OLD.id) AND from_state = OLD.state AND to_state = NEW.state)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'unaudited transition');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_transitions_chained\n"
        "BEFORE INSERT ON experiment_state_transitions\n"
        "WHEN NEW.previous_hash IS NOT coalesce((SELECT hash FROM experiment_state_transitions ORDER BY id DESC LIMIT 1), '')\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'broken chain');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_transitions_from\n"
        "BEFORE INSERT ON experiment_state_transitions\n"
        "WHEN NOT (NEW.from_state IS NULL AND NEW.to_state IS (SELECT state FROM experiments WHERE id = NEW.experiment_id) AND NOT EXISTS (SELECT 1 FROM experiment_state_transitions WHERE experiment_id = NEW.experiment_id) OR NEW.from_state IS NOT NULL AND NEW.from_state IS (SELECT state FROM experiments WHERE id = NEW.experiment_id))\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'a transition starts at the current state');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_transitions_in_order\n"
        "AFTER INSERT ON experiment_state_transitions\n"
        "WHEN EXISTS (SELECT 1 FROM experiment_state_transitions WHERE id > NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'a transition comes after all others');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_blobs_no_update\n"
        "BEFORE UPDATE ON blobs\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'blobs is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_blobs_no_delete\n"
        "BEFORE DELETE ON blobs\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'blobs is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_blobs_no_replace\n"
        "BEFORE INSERT ON blobs\n"
        "WHEN EXISTS (SELECT 1 FROM blobs WHERE sha256 = NEW.sha256)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'blobs is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiment_state_transitions_no_update\n"
        "BEFORE UPDATE ON experiment_state_transitions\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'experiment_state_transitions is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiment_state_transitions_no_delete\n"
        "BEFORE DELETE ON experiment_state_transitions\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'experiment_state_transitions is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiment_state_transitions_no_replace\n"
        "BEFORE INSERT ON experiment_state_transitions\n"
        "WHEN EXISTS (SELECT 1 FROM experiment_state_transitions WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'experiment_state_transitions is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_approvals_no_update\n"
        "BEFORE UPDATE ON approvals\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'approvals is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_approvals_no_delete\n"
        "BEFORE DELETE ON approvals\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'approvals is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_approvals_no_replace\n"
        "BEFORE INSERT ON approvals\n"
        "WHEN EXISTS (SELECT 1 FROM approvals WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'approvals is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiment_snapshots_no_update\n"
        "BEFORE UPDATE ON experiment_snapshots\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'experiment_snapshots is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiment_snapshots_no_delete\n"
        "BEFORE DELETE ON experiment_snapshots\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'experiment_snapshots is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiment_snapshots_no_replace\n"
        "BEFORE INSERT ON experiment_snapshots\n"
        "WHEN EXISTS (SELECT 1 FROM experiment_snapshots WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'experiment_snapshots is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_events_no_update\n"
        "BEFORE UPDATE ON events\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'events is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_events_no_delete\n"
        "BEFORE DELETE ON events\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'events is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_events_no_replace\n"
        "BEFORE INSERT ON events\n"
        "WHEN EXISTS (SELECT 1 FROM events WHERE id = NEW.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'events is append-only');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiments_no_delete\n"
        "BEFORE DELETE ON experiments\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'rows of experiments are kept');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiments_no_replace\n"
        "BEFORE INSERT ON experiments\n"
        "WHEN EXISTS (SELECT 1 FROM experiments WHERE id = NEW.id) OR NEW.state IN ('approved', 'live') AND EXISTS (SELECT 1 FROM experiments WHERE profile = NEW.profile AND state IN ('approved', 'live'))\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of experiments has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_experiments_no_overwrite\n"
        "BEFORE UPDATE ON experiments\n"
        "WHEN NEW.id IS NOT OLD.id OR NEW.state IN ('approved', 'live') AND EXISTS (SELECT 1 FROM experiments WHERE profile = NEW.profile AND state IN ('approved', 'live') AND id <> OLD.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of experiments has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_file_operations_no_delete\n"
        "BEFORE DELETE ON file_operations\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'rows of file_operations are kept');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_file_operations_no_replace\n"
        "BEFORE INSERT ON file_operations\n"
        "WHEN EXISTS (SELECT 1 FROM file_operations WHERE id = NEW.id) OR NEW.finished_at IS NULL AND EXISTS (SELECT 1 FROM file_operations WHERE profile = NEW.profile AND finished_at IS NULL)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of file_operations has this key');\n"
        "END"
    ),
    (
        "CREATE TRIGGER tr_file_operations_no_overwrite\n"
        "BEFORE UPDATE ON file_operations\n"
        "WHEN NEW.id IS NOT OLD.id OR NEW.finished_at IS NULL AND EXISTS (SELECT 1 FROM file_operations WHERE profile = NEW.profile AND finished_at IS NULL AND id <> OLD.id)\n"
        "BEGIN\n"
        "  SELECT RAISE(ABORT, 'another row of file_operations has this key');\n"
        "END"
    ),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
