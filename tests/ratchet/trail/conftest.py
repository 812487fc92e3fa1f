"""A bare database with experiments in any state, reached along legal edges, and a stranger's connection to it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import clock, schema
from karpathy_self_improve._db import Store, open_store
from karpathy_self_improve.ratchet import blobs, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.atomic_change import difference
from karpathy_self_improve.ratchet.states import State

ME = Actor("somebody", "os:somebody")
WAY_TO = {
    State.PROPOSED: [],
    State.APPROVED: [State.APPROVED],
    State.LIVE: [State.APPROVED, State.LIVE],
    State.VERIFIED: [State.APPROVED, State.LIVE, State.VERIFIED],
    State.REVERTED: [State.APPROVED, State.LIVE, State.REVERTED],
    State.REJECTED: [State.REJECTED],
}
DIFF = difference("x", None, b"x")
MakeExperiment = Callable[..., int]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ratchet.db"


@pytest.fixture(scope="session")
def _new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("trail") / "ratchet.db"
    open_store(made).close()
    return made


@pytest.fixture
def store(path: Path, _new_database: Path) -> Iterator[Store]:
    shutil.copy(_new_database, path)
    opened = open_store(path)
    yield opened
    opened.close()


@pytest.fixture
def experiment_row() -> dict[str, Any]:
    """The columns a new experiment must have."""
    row: dict[str, Any] = {column.name: "x" for column in schema.experiments.columns if not column.nullable}
    row |= dict.fromkeys(("changed_hunks", "added_lines", "removed_lines", "sentence_delta_count"), 1)
    for name in ("id", "manual_conflict_detected", "live_sessions_observed"):
        del row[name]
    return {**row, "profile": "default", "state": "proposed", "evaluation_status": "unmeasured", "diff": DIFF}


@pytest.fixture
def experiment(store: Store, experiment_row: dict[str, Any]) -> MakeExperiment:
    """``experiment(state, profile)``: a new experiment in that state; its id."""

    def make(state: State = State.PROPOSED, profile: str = "default") -> int:
        with store.write() as tx:
            row = {**experiment_row, "profile": profile, "candidate_sha256": blobs.keep(tx, b"x")}
            number = int(tx.execute(schema.experiments.insert().values(row)).lastrowid)
            states.record(tx, number, None, State.PROPOSED, ME, "proposed", clock.stamp())
            for step in WAY_TO[state]:
                states.move(tx, number, step, ME, f"to {step}")
        return number

    return make


@pytest.fixture
def stranger(store: Store, path: Path) -> Iterator[sqlite3.Connection]:
    """Anybody's connection to the file: none of our pragmas, so REPLACE asks no DELETE trigger."""
    connection = sqlite3.connect(path, isolation_level=None)
    assert connection.execute("PRAGMA recursive_triggers").fetchone() == (0,)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (0,)
    yield connection
    connection.close()
