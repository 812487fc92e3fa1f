"""Databases in temporary places, processes forked to use them, and what an experiment's row needs."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import clock, schema
from karpathy_self_improve._db import Store, open_store
from karpathy_self_improve.ratchet import blobs, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.states import State

ME = Actor("somebody", "os:somebody")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ratchet.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = open_store(path)
    yield opened
    opened.close()


@pytest.fixture
def propose() -> Callable[..., int]:
    """``propose(store)``: one more audited transition, the proposal of an experiment; its id."""

    def make(store: Store, profile: str = "default") -> int:
        row: dict[str, Any] = {column.name: "" for column in schema.experiments.columns if not column.nullable}
        row |= dict.fromkeys(("changed_hunks", "added_lines", "removed_lines", "sentence_delta_count"), 1)
        for name in ("id", "manual_conflict_detected", "live_sessions_observed"):
            del row[name]
        with store.write() as tx:
            row |= {"candidate_sha256": blobs.keep(tx, b"x"), "profile": profile, "state": "proposed"}
            made = tx.execute(schema.experiments.insert().values({**row, "evaluation_status": "unmeasured"}))
            states.record(tx, made.lastrowid, None, State.PROPOSED, ME, "a reason", clock.stamp())
            return int(made.lastrowid)

    return make


@pytest.fixture
def raw(path: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """``raw(statement, ...)`` on a connection of its own that knows nothing of us; what the last one returned."""

    def run(*statements: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    return run


@pytest.fixture
def forked() -> Callable[..., Any]:
    """``forked(work)()`` runs ``work`` in a forked process; calling the result waits and gives what it returned.

    What the child raised is raised. A child that was killed gives its signal.
    """

    def start(work: Callable[[], Any]) -> Callable[[], Any]:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                answer = pickle.dumps((work(), None))
            except BaseException as error:
                answer = pickle.dumps((None, error))
            os.write(writer, answer)
            os._exit(0)
        os.close(writer)

        def wait() -> Any:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            with open(reader, "rb", buffering=0) as pipe:
                if code < 0:
                    return signal.Signals(-code)
                result, error = pickle.loads(pipe.read(1 << 16))
            if error is not None:
                raise error
            return result

        wait.pid = child  # type: ignore[attr-defined]
        return wait

    return start
