"""The database guards itself, on anybody's connection: every way to change what is kept is tried and refused."""

from __future__ import annotations

import itertools
import re
import sqlite3

import pytest
from sqlalchemy import CheckConstraint, Float, Integer, LargeBinary, UniqueConstraint

from karpathy_self_improve import schema
from karpathy_self_improve.ratchet.states import LEGAL, State

TRAIL = "experiment_state_transitions"
MUTABLE = {"leases", "profile_controls", "write_counter", "guarded_files", "guarded_profiles", "notify_cursors"}
MUTABLE |= {"baselines", "metrics_snapshots", "job_schedules"}
KEPT = ["eval_runs", "experiments", "file_operations", "jobs", "proposal_drafts", "proposal_requests", "scenarios"]
KEPT += ["signature_attempts"]
APPEND_ONLY = sorted(set(schema.metadata.tables) - MUTABLE - set(KEPT))
GUARDED = [*APPEND_ONLY, *KEPT]
PROPOSAL = [
    "profile",
    "target_profile_root",
    "target_relpath",
    "diff",
    "rationale",
    "changed_hunks",
    "added_lines",
    "removed_lines",
    "sentence_delta_count",
    "target_span",
    "base_sha256",
    "candidate_sha256",
    "profile_git_root",
    "base_commit_sha",
    "base_blob_sha",
    "proposed_by",
    "proposer_model",
    "created_at",
]
NEEDED = {
    "blobs": {"content": b"12", "size": 2},
    "experiments": {"state": "proposed"},
    "experiment_snapshots": {"existed": 1, "prior_sha256": "x"},
    "experiment_scenario_results": {"pass_fail": 1, "no_result_reason": None},
    "approvals": {"override_reason": "x"},
    "file_operations": {"finished_at": None},
    "scenarios": {"deleted_at": None},
    "reviewer_changes": {"kind": "add"},
    "proposal_drafts": {"status": "proposed"},
    "proposal_failures": {"session_id": None},
    "judge_votes": {"no_verdict_reason": None, "result_id": None},
}
"""What CHECKs between columns ask of a row, and what makes partial indexes apply."""


def value_for(table, column, number):
    """Something that the column takes, different for each number."""
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            listed = re.match(rf"{column.name} IN \((.*)\)", str(constraint.sqltext))
            if listed:
                return listed[1].split(", ")[0].strip("'")
    kinds = {Integer: number, Float: number / 2, LargeBinary: bytes([number])}
    return next((value for kind, value in kinds.items() if isinstance(column.type, kind)), f"{column.name}{number}")


def row_for(name, number):
    table = schema.metadata.tables[name]
    row = {column.name: value_for(table, column, number) for column in table.columns}
    return row | NEEDED.get(name, {})


def write(connection, name, row, how="INSERT"):
    marks = ", ".join("?" * len(row))
    connection.execute(f"{how} INTO {name} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


def everything(connection, name):
    return connection.execute(f"SELECT rowid, * FROM {name}").fetchall()


@pytest.fixture
def filled(stranger, experiment):
    """``filled(table)``: the stranger's connection, and two rows that stand in that table now."""

    def fill(name):
        if name == TRAIL:
            experiment(State.APPROVED)
            return rows_of(stranger, name)[:2]
        rows = [row_for(name, 1), row_for(name, 2)]
        for row in rows:
            write(stranger, name, row)
        return rows

    return fill


def rows_of(connection, name):
    found = connection.execute(f"SELECT * FROM {name}")
    return [dict(zip([column[0] for column in found.description], row, strict=True)) for row in found]


def unique_keys(name):
    """The columns of every key of a table."""
    table = schema.metadata.tables[name]
    keys = [[column.name for column in table.primary_key]]
    keys += [[c.name for c in one.columns] for one in table.constraints if isinstance(one, UniqueConstraint)]
    keys += [[c.name for c in index.columns] for index in table.indexes if index.unique]
    return keys


IN_FLIGHT = ("experiments", ["profile"])
KEYS = [(name, key) for name in GUARDED for key in unique_keys(name) if (name, key) != IN_FLIGHT]
"""All but the one of changes in flight, which no new row has; what it guards against is tried with real states."""
PAIRS = list(itertools.product(State, State))
ILLEGAL = [(start, end) for start, end in PAIRS if end is not start and end not in LEGAL[start]]


def refused(connection, name, statement, values=()):
    before = everything(connection, name)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement, values)
    assert everything(connection, name) == before


@pytest.mark.parametrize("name", APPEND_ONLY)
def test_a_row_of_an_append_only_table_is_never_updated(stranger, filled, name):
    first, _ = filled(name)
    for how in ("UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE", "UPDATE OR ROLLBACK"):
        for column, value in first.items():
            refused(stranger, name, f"{how} {name} SET {column} = ?", (value,))
            refused(stranger, name, f"{how} {name} SET {column} = {column}")
        refused(stranger, name, f"{how} {name} SET rowid = rowid + 100")


@pytest.mark.parametrize("name", GUARDED)
def test_a_row_is_never_deleted(stranger, filled, name):
    filled(name)
    refused(stranger, name, f"DELETE FROM {name}")
    refused(stranger, name, f"DELETE FROM {name} WHERE rowid = 1")


@pytest.mark.parametrize(("name", "key"), KEYS, ids=str)
def test_a_row_is_never_replaced_through_any_key(stranger, filled, name, key):
    first, _ = filled(name)
    row = row_for(name, 3) | {column: first[column] for column in key}
    if name == TRAIL:
        last = stranger.execute(f"SELECT hash FROM {TRAIL} ORDER BY id DESC LIMIT 1").fetchone()[0]
        row |= {"experiment_id": 1, "from_state": "approved", "to_state": "live", "previous_hash": last}
    values = f"INTO {name} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    for how in ("INSERT", "INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"):
        refused(stranger, name, f"{how} {values}", tuple(row.values()))
    for column in row:
        upsert = f"INSERT {values} ON CONFLICT DO UPDATE SET {column} = excluded.{column}"
        refused(stranger, name, upsert, tuple(row.values()))


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, key in KEYS if name in KEPT], ids=str)
def test_a_row_never_takes_the_place_of_another(stranger, filled, name, key):
    first, second = filled(name)
    assignments = ", ".join(f"{column} = ?" for column in key)
    values = [first[column] for column in key]
    for how in ("UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE"):
        refused(stranger, name, f"{how} {name} SET {assignments} WHERE id = ?", (*values, second["id"]))
        refused(stranger, name, f"{how} {name} SET rowid = 50 WHERE id = ?", (second["id"],))


@pytest.mark.parametrize("name", [name for name in GUARDED if name not in ("blobs", TRAIL)])
def test_ids_are_positive(stranger, name):
    """A trigger sees -1 where SQLite has yet to choose the id; a row with that id would stop all others."""
    with pytest.raises(sqlite3.IntegrityError):
        write(stranger, name, row_for(name, 1) | {"id": -1})


@pytest.mark.parametrize("state", [state for state in State if state is not State.PROPOSED])
def test_a_new_experiment_is_proposed(stranger, store, state):
    for how in ("INSERT", "REPLACE", "INSERT OR IGNORE"):
        with pytest.raises(sqlite3.IntegrityError):
            write(stranger, "experiments", row_for("experiments", 1) | {"state": state.value}, how)
    assert everything(stranger, "experiments") == []


@pytest.mark.parametrize("state", ["PROPOSED", b"proposed", " proposed", 1])
def test_a_state_is_one_of_the_six_words(stranger, store, state):
    with pytest.raises(sqlite3.IntegrityError):
        write(stranger, "experiments", row_for("experiments", 1) | {"state": state})


@pytest.mark.parametrize("column", PROPOSAL)
def test_what_an_experiment_proposes_is_fixed(stranger, experiment, column):
    number = experiment()
    for value in ("other", 99, b"other"):
        refused(stranger, "experiments", f"UPDATE experiments SET {column} = ? WHERE id = ?", (value, number))
        refused(
            stranger, "experiments", f"UPDATE OR REPLACE experiments SET {column} = ? WHERE id = ?", (value, number)
        )


def test_what_happens_to_an_experiment_can_be_written_down(stranger, experiment):
    number = experiment()
    for column in schema.experiments.columns:
        if column.name not in {*PROPOSAL, "id", "state"}:
            stranger.execute(f"UPDATE experiments SET {column.name} = {column.name} WHERE id = ?", (number,))


def test_the_bytes_of_a_proposal_are_fixed(stranger, experiment):
    experiment()
    refused(stranger, "blobs", "UPDATE blobs SET content = x'00', size = 1")
    refused(stranger, "blobs", "REPLACE INTO blobs SELECT sha256, 1, x'00' FROM blobs")


def link(connection, number, start, end):
    """A row of the trail by hand, properly chained; only its hash is invented."""
    last = connection.execute(f"SELECT hash FROM {TRAIL} ORDER BY id DESC LIMIT 1").fetchone()
    fields = {"experiment_id": number, "from_state": start, "to_state": end, "actor": "x", "principal": "x"}
    fields |= {"reason": "x", "created_at": "x", "previous_hash": last[0] if last else "", "hash": f"{number}{end}"}
    write(connection, TRAIL, fields)


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_every_pair_of_states_by_hand(stranger, experiment, start, end):
    """A stranger who writes the transition too gets along legal edges, where the audit finds the wrong hash."""
    number = experiment(start)
    update = f"UPDATE experiments SET state = '{end}' WHERE id = {number}"
    if end is not start:
        refused(stranger, "experiments", update)
        refused(stranger, "experiments", update.replace("UPDATE", "UPDATE OR REPLACE"))
    if end in LEGAL[start]:
        link(stranger, number, start.value, end.value)
        stranger.execute(update)
        return
    with pytest.raises(sqlite3.IntegrityError):
        link(stranger, number, start.value, end.value)
    with pytest.raises(sqlite3.IntegrityError):
        link(stranger, number, None, end.value)


@pytest.mark.parametrize(("start", "end"), ILLEGAL)
def test_an_illegal_edge_is_refused_even_where_the_trail_shows_it(stranger, experiment, start, end):
    number = experiment(start)
    stranger.execute("PRAGMA ignore_check_constraints=ON")
    link(stranger, number, start.value, end.value)
    refused(stranger, "experiments", f"UPDATE experiments SET state = '{end}' WHERE id = {number}")


@pytest.mark.parametrize("how", ["UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE"])
@pytest.mark.parametrize("other", [State.APPROVED, State.LIVE])
def test_two_in_flight_are_refused_by_hand(stranger, experiment, how, other):
    first, second = experiment(other), experiment()
    link(stranger, second, "proposed", "approved")
    refused(stranger, "experiments", f"{how} experiments SET state = 'approved' WHERE id = {second}")
    refused(stranger, "experiments", f"{how} experiments SET state = 'approved', profile = 'x' WHERE id = {second}")
    assert stranger.execute("SELECT state FROM experiments WHERE id = ?", (first,)).fetchone() == (other,)


@pytest.mark.parametrize("gone", [["tr_experiments_no_overwrite"], ["uq_experiments_in_flight"]])
def test_two_in_flight_are_refused_by_the_trigger_and_by_the_index(stranger, experiment, gone):
    experiment(State.APPROVED)
    second = experiment()
    link(stranger, second, "proposed", "approved")
    for name in gone:
        stranger.execute(f"DROP {'TRIGGER' if name.startswith('tr') else 'INDEX'} {name}")
    refused(stranger, "experiments", f"UPDATE experiments SET state = 'approved' WHERE id = {second}")


def test_a_transition_starts_where_the_experiment_is(stranger, experiment):
    number = experiment(State.APPROVED)
    for start, end in (("proposed", "rejected"), ("live", "verified"), (None, "proposed")):
        with pytest.raises(sqlite3.IntegrityError):
            link(stranger, number, start, end)


@pytest.mark.parametrize("start", [None, "proposed"])
def test_a_transition_is_of_an_experiment_that_is_there(stranger, store, start):
    with pytest.raises(sqlite3.IntegrityError):
        link(stranger, 7, start, "proposed" if start is None else "approved")


@pytest.mark.parametrize("previous", ["", "0" * 64, None])
def test_a_transition_follows_the_last_one(stranger, experiment, previous):
    number = experiment()
    row = row_for(TRAIL, 9) | {"experiment_id": number, "from_state": "proposed", "to_state": "rejected"}
    with pytest.raises(sqlite3.IntegrityError):
        write(stranger, TRAIL, row | {"previous_hash": previous})


def test_a_transition_comes_after_all_others(stranger, experiment):
    first = experiment()
    stranger.execute(f"UPDATE sqlite_sequence SET seq = 50 WHERE name = '{TRAIL}'")
    second = experiment()
    last = stranger.execute(f"SELECT max(id), hash FROM {TRAIL}").fetchone()
    assert last[0] == 51
    row = row_for(TRAIL, 9) | {"experiment_id": first, "from_state": "proposed", "to_state": "rejected"}
    with pytest.raises(sqlite3.IntegrityError, match="after all others"):
        write(stranger, TRAIL, row | {"id": 20, "previous_hash": last[1]})
    link(stranger, second, "proposed", "rejected")
