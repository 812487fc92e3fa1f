"""Measures audited state changes: eight processes at once through the services, and raw sqlite3 beside them."""

from __future__ import annotations

import argparse
import fcntl
import json
import multiprocessing
import re
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, ClassVar

from karpathy_self_improve import clock, schema
from karpathy_self_improve._db import driver, open_store
from karpathy_self_improve.errors import IllegalTransition, StoreUnavailable
from karpathy_self_improve.ratchet import blobs, experiments, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.atomic_change import difference
from karpathy_self_improve.ratchet.audit import chain, trail
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.ratchet.states import State
from karpathy_self_improve.settings import Settings

ABOUT = """\
Each process takes experiments of its own through approval and withdrawal: two transitions each, every one a transaction
with the state change, a link of the audit chain and an event. The approval moves the state as the approval service
does; the withdrawal is the public service ratchet.experiments.reject. At the end all processes try to reject the same
experiments, to see whether any of them is rejected twice.

The peer is the standard library's sqlite3 on a copy of the same database: the very statements that the services send
(recorded at the driver), the same pragmas, one flock around each transaction, as many processes. Rounds alternate.
"""
ME = Actor("benchmark", "os:benchmark")
CONTENDED = 100
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


@dataclass
class Work:
    """What one process did: when (monotonic seconds), seconds per transition, experiments won, locked errors."""

    started: float
    ended: float = 0.0
    waits: list[float] = field(default_factory=list)
    won: list[int] = field(default_factory=list)
    locked: int = 0


@dataclass(frozen=True)
class Round:
    """All processes of one round together."""

    per_second: float
    waits: list[float]
    locked: int


def open_context(path: Path) -> Context:
    return Context(open_store(path), Settings(approval="unsigned"), path.parent)


def seed(path: Path, processes: int, each: int) -> None:
    """Proposed experiments: ``each`` for every process in a profile of its own, then the contended ones."""
    row: dict[str, Any] = {column.name: "" for column in schema.experiments.columns if not column.nullable}
    numbers = dict.fromkeys(("changed_hunks", "added_lines", "removed_lines", "sentence_delta_count"), 1)
    fixed = {"target_relpath": "SOUL.md", "state": "proposed", "evaluation_status": "unmeasured"}
    fixed["diff"] = difference("SOUL.md", None, b"Be kind.\n")
    moment = clock.stamp()
    store = open_store(path)
    with store.write() as tx:
        row |= {**numbers, **fixed, "candidate_sha256": blobs.keep(tx, b"Be kind.\n")}
        for name in ("id", "manual_conflict_detected", "live_sessions_observed"):
            del row[name]
        for number in range(processes * each + CONTENDED):
            made = tx.execute(schema.experiments.insert().values({**row, "profile": profile_of(number + 1, each)}))
            states.record(tx, int(made.lastrowid), None, State.PROPOSED, ME, "seed", moment)
    store.close()


def profile_of(experiment_id: int, each: int) -> str:
    return f"p{(experiment_id - 1) // each}"


def approve(context: Context, experiment_id: int) -> None:
    with context.store.write() as tx:
        changes = {"approved_by": ME.name, "approved_at": clock.stamp()}
        states.move(tx, experiment_id, State.APPROVED, ME, "approved", changes)


def withdraw(context: Context, experiment_id: int) -> None:
    experiments.reject(context, experiment_id, ME, "withdrawn")


def ours(path: Path, mine: range, start: Any) -> Work:
    context = open_context(path)
    start.wait()
    work = Work(time.monotonic())
    for experiment_id in mine:
        for step in (approve, withdraw):
            begun = time.perf_counter()
            try:
                step(context, experiment_id)
            except StoreUnavailable:
                work.locked += 1
            work.waits.append(time.perf_counter() - begun)
    work.ended = time.monotonic()
    return work


def contend(path: Path, shared: range, start: Any) -> Work:
    context = open_context(path)
    start.wait()
    work = Work(time.monotonic())
    for experiment_id in shared:
        try:
            withdraw(context, experiment_id)
            work.won.append(experiment_id)
        except IllegalTransition:
            continue
        except StoreUnavailable:
            work.locked += 1
    work.ended = time.monotonic()
    return work


@dataclass(frozen=True)
class Statement:
    """One statement as a service sent it; ``varying`` says which values are another experiment's, and how."""

    sql: str
    values: tuple[Any, ...]
    varying: tuple[tuple[int, str], ...]


class Listening(sqlite3.Connection):
    """A driver connection that remembers what it was asked to do, in one list for all of them."""

    heard: ClassVar[list[tuple[str, tuple[Any, ...]]]] = []

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        if not sql.startswith("PRAGMA"):
            self.heard.append((sql, tuple(values)))
        return super().execute(sql, values)

    def cursor(self, factory: type[sqlite3.Cursor] | None = None) -> Any:
        return super().cursor(factory or ListeningCursor)

    def commit(self) -> None:
        if self.in_transaction:
            self.heard.append(("COMMIT", ()))
        super().commit()

    def rollback(self) -> None:
        if self.in_transaction:
            self.heard.append(("ROLLBACK", ()))
        super().rollback()


class ListeningCursor(sqlite3.Cursor):
    """A cursor of such a connection."""

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        Listening.heard.append((sql, tuple(values)))
        return super().execute(sql, values)


def recorded(path: Path, experiment_id: int, profile: str) -> tuple[list[Statement], list[Statement]]:
    """What the services send for one experiment: the statements of its approval and of its withdrawal."""
    connect = sqlite3.connect
    sqlite3.connect = partial(connect, factory=Listening)  # type: ignore[assignment]
    try:
        context = open_context(path)
        listened = []
        for step in (approve, withdraw):
            Listening.heard.clear()
            step(context, experiment_id)
            listened.append([statement(*one, experiment_id, profile) for one in Listening.heard])
        context.store.close()
    finally:
        sqlite3.connect = connect
    return listened[0], listened[1]


def statement(sql: str, values: tuple[Any, ...], experiment_id: int, profile: str) -> Statement:
    varying = []
    for position, value in enumerate(values):
        if value == experiment_id:
            varying.append((position, "id"))
        elif value == profile:
            varying.append((position, "profile"))
        elif isinstance(value, str) and MOMENT.fullmatch(value):
            varying.append((position, "moment"))
    return Statement(sql, values, tuple(varying))


def replay(
    db: sqlite3.Connection, lock: IO[str], statements: list[Statement], experiment_id: int, profile: str
) -> None:
    """What a service sent, with nothing around it but the lock and the hash that links a row to the one before."""
    today = {"id": experiment_id, "profile": profile, "moment": clock.stamp()}
    previous = ""
    for one in statements:
        values = list(one.values)
        for position, name in one.varying:
            values[position] = today[name]
        if one.sql == "BEGIN IMMEDIATE":
            fcntl.flock(lock, fcntl.LOCK_EX)
        elif one.sql.startswith("INSERT INTO experiment_state_transitions"):
            values[-2:] = previous, chain.link(previous, *values[:-2])
        row = db.execute(one.sql, values).fetchone()
        if one.sql.startswith("SELECT id, hash FROM experiment_state_transitions"):
            previous = row[1]
        elif one.sql == "COMMIT":
            fcntl.flock(lock, fcntl.LOCK_UN)


def raw(path: Path, mine: range, start: Any, steps: tuple[list[Statement], ...]) -> Work:
    db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
        db.execute(f"PRAGMA {pragma}")
    lock = open(f"{path}.rawlock", "a")  # noqa: SIM115
    profile = profile_of(mine[0], len(mine))
    start.wait()
    work = Work(time.monotonic())
    for experiment_id in mine:
        for statements in steps:
            begun = time.perf_counter()
            replay(db, lock, statements, experiment_id, profile)
            work.waits.append(time.perf_counter() - begun)
    work.ended = time.monotonic()
    return work


def guarded(worker: Callable[..., Work], path: Path, share: range, start: Any, results: Any) -> None:
    try:
        results.put(worker(path, share, start))
    except BaseException as error:
        results.put(error)


def run_all(worker: Callable[..., Work], path: Path, shares: list[range]) -> list[Work]:
    """Let ``worker`` do each share in a process of its own, all starting at once. Raises what one of them raised."""
    fork = multiprocessing.get_context("fork")  # nothing is open yet, and the imports need not be paid eight times
    start, results = fork.Barrier(len(shares)), fork.Queue()
    processes = [fork.Process(target=guarded, args=(worker, path, share, start, results)) for share in shares]
    for process in processes:
        process.start()
    works = []
    for _ in processes:
        done = results.get()
        if isinstance(done, BaseException):
            for process in processes:
                process.terminate()
            raise done
        works.append(done)
    for process in processes:
        process.join()
    return works


def measured(works: list[Work]) -> Round:
    waits = [wait for work in works for wait in work.waits]
    seconds = max(work.ended for work in works) - min(work.started for work in works)
    return Round(len(waits) / seconds, waits, sum(work.locked for work in works))


def count_wrong(path: Path, processes: int, each: int, contended: list[Work]) -> tuple[int, int]:
    """Transitions that are not there and transitions that are there twice. Raises SystemExit for a broken chain."""
    store = open_store(path)
    verdict = trail.verify_store(store)
    with store.read() as tx:
        steps = Counter(
            map(tuple, driver(tx).execute("SELECT experiment_id, to_state FROM experiment_state_transitions"))
        )
    store.close()
    if not verdict.ok:
        raise SystemExit(f"The audit chain is broken: {verdict.breaks[:3]}")
    own = range(1, processes * each + 1)
    expected = {(number, state) for number in own for state in ("proposed", "approved", "rejected")}
    shared = range(processes * each + 1, processes * each + CONTENDED + 1)
    expected |= {(number, state) for number in shared for state in ("proposed", "rejected")}
    wins = Counter(number for work in contended for number in work.won)
    lost = len(expected - steps.keys()) + sum(wins[number] == 0 for number in shared)
    double = sum(steps.values()) - len(steps) + sum(count - 1 for count in wins.values())
    return lost, double


def main() -> None:
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=8, help="processes at once (default: 8)")
    parser.add_argument("--transitions", type=int, default=1000, help="transitions of each process (default: 1000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of both; the middle one counts (default: 5)")
    parser.add_argument("--folder", type=Path, help="where to put the databases (default: the temporary folder)")
    options = parser.parse_args()
    each = max(2, options.transitions // 2)
    shares = [range(1 + number * each, 1 + (number + 1) * each) for number in range(options.processes)]
    shared = [range(1 + options.processes * each, 1 + options.processes * each + CONTENDED)] * options.processes

    own_rounds, raw_rounds, lost, double, locked = [], [], 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="ratchet-benchmark-", dir=options.folder) as folder:
        seeded = Path(folder, "seeded.db")
        seed(seeded, options.processes, each)
        last = shared[0][-1]
        steps = recorded(Path(shutil.copy(seeded, Path(folder, "recorded.db"))), last, profile_of(last, each))
        for number in range(options.rounds):
            own_path = Path(shutil.copy(seeded, Path(folder, f"ours{number}.db")))
            raw_path = Path(shutil.copy(seeded, Path(folder, f"raw{number}.db")))
            own_rounds.append(measured(run_all(ours, own_path, shares)))
            raw_rounds.append(measured(run_all(partial(raw, steps=steps), raw_path, shares)))
            contended = run_all(contend, own_path, shared)
            missing, twice = count_wrong(own_path, options.processes, each, contended)
            lost, double = lost + missing, double + twice
            locked += own_rounds[-1].locked + sum(work.locked for work in contended)
    report(own_rounds, raw_rounds, {"lost": lost, "double": double, "locked_errors": locked})
    sys.exit(1 if lost or double or locked else 0)


def report(own: list[Round], peer: list[Round], wrong: dict[str, int]) -> None:
    waits = sorted(wait * 1000 for one in own for wait in one.waits)
    peer_waits = sorted(wait * 1000 for one in peer for wait in one.waits)
    print(f"{'':8}{'per second':>12}{'median ms':>12}{'p99 ms':>12}{'worst ms':>12}")
    for name, rounds, found in (("ours", own, waits), ("raw", peer, peer_waits)):
        rate = statistics.median(one.per_second for one in rounds)
        print(f"{name:8}{rate:12.0f}{statistics.median(found):12.2f}{percentile(found, 99):12.2f}{found[-1]:12.1f}")
    figures = {
        "transitions_per_s": round(statistics.median(one.per_second for one in own)),
        "raw_per_s": round(statistics.median(one.per_second for one in peer)),
        "ratio": round(statistics.median(a.per_second / b.per_second for a, b in zip(own, peer, strict=True)), 3),
        "p99_ms": round(percentile(waits, 99), 2),
        "max_ms": round(waits[-1], 2),
        **wrong,
    }
    print(json.dumps({"transitions": figures}))


def percentile(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    main()
