"""Commits, approvals and signatures name links of the audit chain; a rewritten or shortened one does not fit them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from karpathy_self_improve import clock, schema
from karpathy_self_improve.ratchet.audit import chain as audit
from karpathy_self_improve.ratchet.audit import trail
from karpathy_self_improve.reviewing.payload import Claim, Payload, Purpose

TRAIL = "experiment_state_transitions"
ZEROS = "0" * 64


def problems(stage):
    """What is found, by the number of the transition."""
    return [(one.transition_id, one.problem) for one in trail.verify(stage.context).breaks]


def rewrite(stage, *statements):
    """As somebody who takes all guards away, covers the traces in the database, and puts the guards back."""
    with closing(sqlite3.connect(stage.context.store.path, isolation_level=None)) as raw:
        for name in schema.TRIGGERS:
            raw.execute(f"DROP TRIGGER {name}")
        for statement, *values in statements:
            raw.execute(statement, values)
        for ddl in schema.TRIGGERS.values():
            raw.execute(ddl)
    Path(f"{stage.context.store.path}.lock").write_bytes(b"")  # the note beside the database


def steps(stage, number):
    with stage.context.store.read() as tx:
        return audit.history(tx, number)


def commit_message(stage, head, chain):
    where = f"Ratchet-Audit-Head: {head}\nRatchet-Audit-Chain: {chain}\n"
    return ("commit", "-q", "--allow-empty", "-m", f"A commit\n\n{where}")


def test_a_life_with_all_its_witnesses(either):
    number = either.live()
    either.revert(number)
    found = trail.verify(either.context)
    assert (found.ok, found.checked, found.unread) == (True, 4, ())
    assert found.witnesses == 4  # the note beside the database, one approval, two commits


def test_a_trail_cut_short_with_everything_that_belongs_to_it(either):
    first, second = either.proposed(), either.live()
    later = steps(either, second)
    rewrite(
        either,
        (f"DELETE FROM {TRAIL} WHERE experiment_id = ?", second),
        ("DELETE FROM approvals",),
        ("UPDATE experiments SET state = 'approved' WHERE id = ?", second),
        ("DELETE FROM live_plans",),
        ("DELETE FROM file_operations",),
        ("DELETE FROM experiment_snapshots",),
        ("DELETE FROM experiments WHERE id = ?", second),
        (f"UPDATE sqlite_sequence SET seq = ? WHERE name = '{TRAIL}'", steps(either, first)[-1].id),
    )
    [(number, problem)] = [one for one in problems(either) if one[0]]
    assert number == later[1].id
    assert problem.startswith(f"the chain ends at {steps(either, first)[-1].id}, but commit ")


def test_a_trail_rewritten_to_its_end(either):
    """Every hash fits the row before it again, and the approval was brought along: the commit was not."""
    first = either.proposed()
    live = either.live()
    statements, previous, links = [], "", {}
    for step in [*steps(either, first), *steps(either, live)]:
        reason = step.reason if step.id == 1 else "another reason"
        fields = (step.experiment_id, step.from_state, step.to_state, step.actor, step.principal, reason)
        links[step.id] = audit.link(previous, *fields, step.created_at)
        update = f"UPDATE {TRAIL} SET reason = ?, previous_hash = ?, hash = ? WHERE id = ?"
        statements.append((update, reason, previous, links[step.id], step.id))
        previous = links[step.id]
    statements.append(("UPDATE approvals SET audit_head = ?", f"2 {links[2]}"))
    rewrite(either, *statements)
    of_commits = [(number, problem) for number, problem in problems(either) if "commit" in problem]
    assert [number for number, _ in of_commits] == [3]
    assert of_commits[0][1].startswith("is not the row that commit ")


def test_a_missing_row_that_a_commit_names(either):
    live = either.live()
    named = steps(either, live)[1].id
    rewrite(either, (f"DELETE FROM {TRAIL} WHERE id = ?", named))
    assert any(
        number == named and problem.startswith("there is no such row, but commit")
        for number, problem in problems(either)
    )


def test_commits_of_another_database_are_none_of_ours(either):
    either.live()
    either.git_bytes(*commit_message(either, f"900 {ZEROS}", ZEROS)) if either.own else None
    assert problems(either) == []


def test_a_commit_that_only_speaks_of_our_chain_is_no_witness(own):
    chain = steps(own, own.live())[0].hash
    own.git("commit", "-q", "--allow-empty", "-m", f"Ratchet-Audit-Chain: {chain} is what I saw\n\nNothing else.")
    assert problems(own) == []


def test_a_commit_of_our_chain_that_names_a_link_beyond_its_end_is_a_break(own):
    chain = steps(own, own.live())[0].hash
    own.git(*commit_message(own, f"900 {ZEROS}", chain))
    commit = f"commit {own.git('rev-parse', 'HEAD')[:12]} in {own.git_dir}"
    assert problems(own) == [(900, f"the chain ends at 3, but {commit} once held it")]


@pytest.mark.parametrize(
    ("head", "note"),
    [
        ("1 " + ZEROS, "row 1 is not the row that {commit} once held"),
        ("one or two", "{commit} names no transition"),
        ("99999999999999999999 " + ZEROS, "{commit} names no transition"),
    ],
)
def test_a_commit_that_no_operation_made_is_told_of_and_breaks_nothing(own, head, note):
    chain = steps(own, own.live())[0].hash
    own.git(*commit_message(own, head, chain))
    commit = f"commit {own.git('rev-parse', 'HEAD')[:12]} in {own.git_dir}"
    found = trail.verify(own.context)
    assert (found.breaks, found.notes) == (
        (),
        (f"{note.format(commit=commit)}; no operation of ours made that commit",),
    )


def test_commits_on_other_branches_are_witnesses_too(own):
    chain = steps(own, own.live())[0].hash
    own.git("checkout", "-q", "-b", "other")
    own.git(*commit_message(own, f"900 {ZEROS}", chain))
    own.git("checkout", "-q", "-")
    assert [number for number, _ in problems(own)] == [900]


def test_a_repository_that_cannot_be_asked_is_named(own):
    own.live()
    shutil.rmtree(own.home / ".git" / "objects")
    found = trail.verify(own.context)
    assert found.ok
    assert [text for text in found.unread if text.startswith("profile 'default': ")]


def test_a_repository_cannot_make_git_run_a_program(own, tmp_path):
    own.live()
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    trap.chmod(0o755)
    for setting in ("gpg.program", "gpg.ssh.program", "core.pager", "core.fsmonitor", "pager.log", "diff.external"):
        own.git("config", setting, str(trap))
    own.git("config", "log.showSignature", "true")
    assert problems(own) == []
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("table", ["signatures", "reviewer_changes"])
@pytest.mark.parametrize(("head", "found"), [("2 {hash}", []), ("2 " + ZEROS, [2]), ("9 " + ZEROS, [9])])
def test_the_head_that_was_signed(plain, table, head, found):
    linked = steps(plain, plain.approved())[1].hash
    text = payload(head.format(hash=linked)).text()
    keep(plain, table, text)
    assert [number for number, _ in problems(plain) if number] == found  # that it is no change of reviewers, is 0


@pytest.mark.parametrize(("table", "what"), [("signatures", "signature"), ("reviewer_changes", "reviewer change")])
def test_what_cannot_have_been_signed(plain, table, what):
    keep(plain, table, "{}")
    assert (0, f"{what} 1 names no transition") in problems(plain)


def payload(head):
    claim = Claim(purpose=Purpose.RESUME, profile="default")
    return Payload(
        claim=claim,
        signer=ZEROS,
        reviewers_sha256=ZEROS,
        audit_head=head,
        expires_at=clock.stamp(),
        nonce="0" * 32,
    )


def keep(stage, table, text):
    row = {column.name: "x" for column in schema.metadata.tables[table].columns if not column.nullable}
    row |= {"id": 1, "payload": text} | ({"kind": "setup"} if "kind" in row else {})
    with closing(sqlite3.connect(stage.context.store.path, isolation_level=None)) as raw:
        raw.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def test_an_emptied_note_beside_a_written_database_is_named(plain):
    plain.live()
    assert trail.verify(plain.context).notes == ()
    rewrite(plain)
    [note] = trail.verify(plain.context).notes
    assert note.startswith("the note beside the database is empty")
