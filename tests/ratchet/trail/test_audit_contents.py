"""Whatever is kept under its own hash is hashed again, and the tables that guard the trail must be those we made."""

from __future__ import annotations

import hashlib

import pytest

from karpathy_self_improve import clock, schema
from karpathy_self_improve.ratchet.audit import trail

STRANGE = [
    ("DROP INDEX ix_jobs_state", "the index ix_jobs_state is gone"),
    ("CREATE TABLE extra (id)", "the table extra does not belong here"),
    ("CREATE TRIGGER extra AFTER INSERT ON jobs BEGIN SELECT 1; END", "the trigger extra does not belong here"),
]


def problems(store):
    return [one.problem for one in trail.verify_store(store).breaks]


@pytest.fixture
def unguarded(stranger):
    """``unguarded(table, statement)``: run it as somebody who takes the triggers of that table away for it."""

    def run(table, statement, *values):
        names = [name for name in schema.TRIGGERS if name.startswith(f"tr_{table}_")]
        for name in names:
            stranger.execute(f"DROP TRIGGER {name}")
        stranger.execute(statement, values)
        for name in names:
            stranger.execute(schema.TRIGGERS[name])

    return run


def keep_document(stranger, table, number):
    document = '{"kept": 1}'
    row = {"experiment_id": number, "sha256": hashlib.sha256(document.encode()).hexdigest(), "document": document}
    row |= {"created_at": clock.stamp()} | ({"candidate_sha256": "x"} if table == "reports" else {})
    marks = ", ".join("?" * len(row))
    stranger.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    return row["sha256"]


def test_changed_content_of_a_file(store, experiment, unguarded):
    experiment()
    assert trail.verify_store(store).contents == 1
    unguarded("blobs", "UPDATE blobs SET content = ?", b"y")
    (name,) = [hashlib.sha256(b"x").hexdigest()]
    assert problems(store) == [
        f"the stored content {name[:12]} was changed",
        "the diff of experiment 1 is not that of its content",
    ]


@pytest.mark.parametrize(("table", "what"), [("reports", "report"), ("live_plans", "live plan")])
def test_a_changed_document(store, experiment, stranger, unguarded, table, what):
    name = keep_document(stranger, table, experiment())
    assert (problems(store), trail.verify_store(store).contents) == ([], 2)
    unguarded(table, f"UPDATE {table} SET document = ?", '{"kept": 2}')
    assert problems(store) == [f"the {what} {name[:12]} was changed"]


@pytest.mark.parametrize(("statement", "problem"), STRANGE)
def test_another_schema(store, stranger, statement, problem):
    stranger.execute(statement)
    assert problems(store) == [problem]


def test_what_sqlite_itself_adds_is_no_change(store, experiment, stranger):
    experiment()
    stranger.execute("ANALYZE")
    assert problems(store) == []
