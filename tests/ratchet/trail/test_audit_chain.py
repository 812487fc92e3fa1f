"""Whatever is changed in the audit trail behind our back is found, and the place is named."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest

from karpathy_self_improve import clock, schema
from karpathy_self_improve._db import audit_head
from karpathy_self_improve.ratchet import events, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.audit import chain
from karpathy_self_improve.ratchet.audit import trail as audit_trail
from karpathy_self_improve.ratchet.states import State

ME = Actor("somebody", "os:somebody")
GUARDED = "experiment_state_transitions"
FIELDS = "experiment_id, from_state, to_state, actor, principal, reason, created_at"


@pytest.fixture
def trail(experiment):
    """Three experiments and nine links: 1-4 verified, 5-6 rejected, 7-9 live."""
    return [experiment(State.VERIFIED), experiment(State.REJECTED), experiment(State.LIVE)]


@pytest.fixture
def forge(stranger):
    """``forge(statement, ...)``: what somebody can do who drops the triggers first and puts them back."""

    def run(*statements):
        for name in schema.TRIGGERS:
            stranger.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            stranger.execute(*statement) if isinstance(statement, tuple) else stranger.execute(statement)
        for ddl in schema.TRIGGERS.values():
            stranger.execute(ddl)

    return run


def found(store):
    verdict = audit_trail.verify_store(store)
    assert verdict.ok == (not verdict.breaks)
    return [(one.transition_id, one.problem) for one in verdict.breaks]


def expected_hash(previous, fields):
    text = json.dumps([previous, *fields], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_whole_trail(store, trail):
    verdict = audit_trail.verify_store(store)
    with store.read() as tx:
        head = audit_head(tx)
    assert (verdict.ok, verdict.checked, verdict.head, verdict.breaks) == (True, 9, head.hash, ())
    assert head.id == 9


def test_an_empty_trail(store):
    assert audit_trail.verify_store(store) == audit_trail.Verdict(True, 0, "", (), 1, 0, ())


def test_each_hash_covers_every_field_and_the_hash_before(store, trail, stranger):
    previous = ""
    for *fields, before, linked in stranger.execute(f"SELECT {FIELDS}, previous_hash, hash FROM {GUARDED} ORDER BY id"):
        assert (before, linked) == (previous, expected_hash(previous, fields))
        previous = linked


@pytest.mark.parametrize("column", ["actor", "principal", "reason", "created_at"])
def test_a_changed_field(store, trail, forge, column):
    forge(f"UPDATE {GUARDED} SET {column} = {column} || '!' WHERE id = 3")
    assert found(store) == [(3, "its contents were changed")]


@pytest.mark.parametrize("column", ["experiment_id", "from_state", "to_state"])
def test_a_changed_place(store, trail, forge, column):
    value = {"experiment_id": 2, "from_state": "'live'", "to_state": "'rejected'"}[column]
    forge("PRAGMA ignore_check_constraints=ON", f"UPDATE {GUARDED} SET {column} = {value} WHERE id = 8")
    problems = found(store)
    assert (8, "its contents were changed") in problems
    assert {number for number, _ in problems} <= {8, 9}


def test_a_row_whose_hash_was_made_to_fit(store, trail, forge, stranger):
    fields = stranger.execute(f"SELECT {FIELDS}, previous_hash FROM {GUARDED} WHERE id = 3").fetchone()
    fields = (*fields[:5], "another reason", *fields[6:])
    linked = expected_hash(fields[-1], fields[:-1])
    forge((f"UPDATE {GUARDED} SET reason = ?, hash = ? WHERE id = 3", ("another reason", linked)))
    assert found(store) == [(4, "does not follow the row before it")]


def test_a_trail_rewritten_to_its_end(store, trail, forge, stranger):
    """All hashes fit each other again; only what is kept outside of the table tells."""
    rows = stranger.execute(f"SELECT id, {FIELDS} FROM {GUARDED} ORDER BY id").fetchall()
    previous, statements = "", []
    for number, *fields in rows:
        fields[5] = "another reason" if number == 3 else fields[5]
        linked = expected_hash(previous, fields)
        update = f"UPDATE {GUARDED} SET reason = ?, previous_hash = ?, hash = ? WHERE id = ?"
        statements.append((update, (fields[5], previous, linked, number)))
        previous = linked
    forge(*statements)
    assert found(store) == [(9, "is not the row that this database once held")]


def test_a_missing_row(store, trail, forge):
    forge(f"DELETE FROM {GUARDED} WHERE id = 6")
    assert (7, "row 6 is missing") in found(store)


def test_missing_first_rows(store, trail, forge):
    forge(f"DELETE FROM {GUARDED} WHERE id < 3")
    assert (3, "rows 1 to 2 are missing") in found(store)


def test_missing_last_rows(store, trail, forge):
    forge(f"DELETE FROM {GUARDED} WHERE id > 7")
    assert found(store) == [
        (9, "the chain ends at 7, but its rows were numbered up to 9"),
        (9, "the chain ends at 7, but this database once held it"),
        (7, "experiment 3 is live but its last transition says proposed"),
    ]


def test_a_state_that_no_transition_led_to(store, trail, forge):
    forge("UPDATE experiments SET state = 'verified' WHERE id = 2")
    assert found(store) == [(9, "experiment 2 is verified but its last transition says rejected")]


def test_an_experiment_that_is_gone(store, trail, forge):
    forge("DELETE FROM experiments WHERE id = 2")
    assert found(store) == [(9, "experiment 2 is gone"), (0, "experiments: 1 of the rows up to 3 are missing")]


def test_an_experiment_that_nobody_proposed(store, trail, forge, experiment_row, stranger):
    row = {**experiment_row, "candidate_sha256": hashlib.sha256(b"x").hexdigest()}
    marks = ", ".join("?" * len(row))
    stranger.execute(f"INSERT INTO experiments ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    assert found(store) == [(9, "experiment 4 is proposed but no transition speaks of it")]


def test_a_step_that_no_experiment_can_take(store, trail, forge, stranger):
    (previous,) = stranger.execute(f"SELECT hash FROM {GUARDED} WHERE id = 9").fetchone()
    fields = (2, "rejected", "verified", "me", "os:me", "why", clock.stamp())
    row = (*fields, previous, expected_hash(previous, fields))
    insert = f"INSERT INTO {GUARDED} ({FIELDS}, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    forge("PRAGMA ignore_check_constraints=ON", (insert, row), "UPDATE experiments SET state = 'verified' WHERE id = 2")
    assert found(store) == [(10, "goes from rejected to verified, which no experiment can")]


def test_a_step_that_was_written_but_not_taken(store, experiment, stranger):
    number = experiment()
    (previous,) = stranger.execute(f"SELECT hash FROM {GUARDED} WHERE id = 1").fetchone()
    fields = (number, "proposed", "approved", "me", "os:me", "why", clock.stamp())
    insert = f"INSERT INTO {GUARDED} ({FIELDS}, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    stranger.execute(insert, (*fields, previous, expected_hash(previous, fields)))
    with store.write() as tx:
        states.move(tx, number, State.REJECTED, ME, "no")
    assert found(store) == [(3, "starts from proposed but experiment 1 was approved")]


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("7 {hash}", None),
        ("7 " + "0" * 64, (7, "is not the row that approval 1 once held")),
        ("12 " + "0" * 64, (12, "the chain ends at 9, but approval 1 once held it")),
    ],
)
def test_the_head_that_an_approval_names(store, trail, stranger, head, problem):
    (linked,) = stranger.execute(f"SELECT hash FROM {GUARDED} WHERE id = 7").fetchone()
    row = {column.name: "x" for column in schema.approvals.columns if not column.nullable and column.name != "id"}
    row |= {"experiment_id": 3, "mode": "unsigned", "override_reason": "x", "audit_head": head.format(hash=linked)}
    with store.write() as tx:
        tx.execute(schema.approvals.insert().values(row))
    of_the_head = [one for one in found(store) if "once held" in one[1]]
    assert of_the_head == ([problem] if problem else [])


def test_a_guard_that_is_gone_or_changed(store, trail, stranger):
    name = "tr_experiments_edge"
    stranger.execute(f"DROP TRIGGER {name}")
    assert found(store) == [(0, f"the trigger {name} is gone")]
    stranger.execute(f"CREATE TRIGGER {name} BEFORE DELETE ON events BEGIN SELECT 1; END")
    assert found(store) == [(0, f"the trigger {name} is changed")]


def test_no_alarm_while_others_write(store, experiment):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            experiment(State.REJECTED, profile=str(threading.get_ident()))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(40):
            assert audit_trail.verify_store(store).breaks == ()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_history_is_of_one_experiment_oldest_first(store, trail):
    with store.read() as tx:
        steps = chain.history(tx, trail[2])
    assert [step.to_state for step in steps] == ["proposed", "approved", "live"]


def test_text_of_any_kind_survives(store, experiment):
    reason = 'naïve \u2028 \U0001f600 "quoted" \\ \n\t\x00 end'
    number = experiment()
    with store.write() as tx:
        states.move(tx, number, State.REJECTED, Actor("Ünï", "os:ünï"), reason)
    with store.read() as tx:
        assert chain.history(tx, number)[-1].reason == reason
        assert events.latest(tx, "experiment.rejected", "default")[0].payload["reason"] == reason
    assert audit_trail.verify_store(store).breaks == ()
