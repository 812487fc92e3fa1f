"""Measures the HTTP interface on a large database, in process, with a bare FastAPI page over the same table beside."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

ABOUT = """\
Fills a database in a temporary home: experiments in eight profiles, each with its audited steps, two evaluation runs
and its share of the results. Then it asks the stand-alone server's application, guard included, as an ASGI server
would, without a network: the list at its default limit (plain, by profile, by state, and pages further back), one
experiment, its history, and the event socket from 10,000 events back.

The peer is the smallest FastAPI page there is: one route that selects the same hundred rows with sqlite3 and returns
them as dictionaries. Rounds alternate.

At full size this takes two to three minutes and some 1 GB in the temporary folder.
"""
PROFILES = 8
BEHIND = 10_000
TOKEN = "benchmark-" * 4
SNAPSHOT = json.dumps(
    {
        "name": "greets by name",
        "input": "Greet the customer who wrote the message below, by name, in one sentence. " * 2,
        "checks": [{"type": "must_contain", "value": "hello", "ignore_case": True}],
        "critical": 0,
    }
)
TRANSCRIPT = json.dumps(
    {"answer": "Hello! " * 40, "tools": [], "session_id": "s", "exit_reason": "done", "error": None}
)

Send = Callable[[dict[str, Any]], Awaitable[None]]


def seed(experiments: int, results: int) -> None:
    """Everything a server of some years would hold. Steps go through the service, the many results past it."""
    from karpathy_self_improve._db import driver, open_store

    store = open_store()
    with store.write() as tx:
        _experiments(tx, experiments)
    with store.write() as tx:
        raw = driver(tx)
        raw.execute(_scenario())
        raw.executemany(_run(), ((1 + n // 2, ("baseline", "candidate")[n % 2]) for n in range(2 * experiments)))
        raw.executemany(_result(), _results(experiments, results))
        raw.executemany(_event(), ((1 + n % experiments,) for n in range(BEHIND)))
    with store.read() as tx:
        driver(tx).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def _experiments(tx: Any, count: int) -> None:
    from karpathy_self_improve import clock, schema
    from karpathy_self_improve._db import driver
    from karpathy_self_improve.ratchet import blobs, states
    from karpathy_self_improve.ratchet.actor import Actor
    from karpathy_self_improve.ratchet.states import State

    me, moment = Actor("benchmark", "os:benchmark"), clock.stamp()
    row: dict[str, Any] = {column.name: "" for column in schema.experiments.columns if not column.nullable}
    row |= dict.fromkeys(("changed_hunks", "added_lines", "removed_lines", "sentence_delta_count"), 1)
    row |= {"target_relpath": "SOUL.md", "state": "proposed", "evaluation_status": "finished"}
    row |= {
        "diff": "--- a/SOUL.md\n+++ b/SOUL.md\n@@ -1,2 +1,2 @@\n-Be brief.\n+Be kind.\n" * 3,
        "rationale": "why " * 40,
    }
    row |= {"candidate_sha256": blobs.keep(tx, b"Be kind.\n"), "base_sha256": blobs.keep(tx, b"Be brief.\n")}
    row |= {"manual_conflict_detected": 0, "live_sessions_observed": 0, "created_at": moment, "updated_at": moment}
    del row["id"]
    insert = f"INSERT INTO experiments ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    for number in range(1, count + 1):
        row["profile"] = f"profile{number % PROFILES}"
        driver(tx).execute(insert, tuple(row.values()))
        states.record(tx, number, None, State.PROPOSED, me, "seed", moment)
        if number % 10:
            states.move(tx, number, State.REJECTED, me, "seed", {"rejected_by": me.name, "rejected_at": moment})


def _scenario() -> str:
    columns = "id, profile, name, input, checks, source, created_at, updated_at"
    return f"INSERT INTO scenarios ({columns}) VALUES (1, 'profile1', 'greets', 'Hi', '[]', 'person', '', '')"


def _run() -> str:
    columns = (
        "experiment_id, arm, kind, split, scenario_set_hash, evaluator_hash, repeats, isolation, state, created_at"
    )
    return f"INSERT INTO eval_runs ({columns}) VALUES (?, ?, 'offline', 'train', '', '', 1, '', 'finished', '')"


def _result() -> str:
    columns = "eval_run_id, experiment_id, scenario_id, split, arm, repeat, pass_fail, check_results, scenario_snapshot"
    values = f"?, ?, 1, 'train', ?, ?, 1, '[]', '{SNAPSHOT}', '{TRANSCRIPT}', '2026-01-01T00:00:00+00:00'"
    return f"INSERT INTO experiment_scenario_results ({columns}, transcript, created_at) VALUES ({values})"


def _results(experiments: int, results: int) -> Iterator[tuple[int, int, str, int]]:
    each = results // experiments
    for experiment in range(1, experiments + 1):
        for repeat in range(each):
            arm = repeat % 2
            yield 2 * experiment - 1 + arm, experiment, ("baseline", "candidate")[arm], repeat


def _event() -> str:
    columns = "created_at, kind, profile, experiment_id, payload"
    payload = json.dumps({"actor": "benchmark", "reason": "seed"})
    values = f"'2026-01-01T00:00:00+00:00', 'job.finished', 'profile1', ?, '{payload}'"
    return f"INSERT INTO events ({columns}) VALUES ({values})"


def ours() -> Any:
    from karpathy_self_improve.serving.app import build
    from karpathy_self_improve.serving.run import Options, policy

    return build(policy(Options(), TOKEN))


def bare(path: Path) -> Any:
    """A page of experiments, as FastAPI's own tutorial would write it."""
    from fastapi import FastAPI

    app = FastAPI()
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.row_factory = sqlite3.Row

    @app.get("/experiments")
    def experiments() -> list[dict[str, Any]]:
        rows = connection.execute("SELECT * FROM experiments ORDER BY id DESC LIMIT 100")
        return [dict(row) for row in rows]

    return app


async def get(app: Any, path: str) -> float:
    """Seconds for one GET. Raises SystemExit for any answer but 200."""
    route, _, query = path.partition("?")
    headers = [(b"host", b"127.0.0.1:9120"), (b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": route,
        "raw_path": route.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 9120),
    }
    started = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal started
        started = message.get("status", started)

    begun = time.perf_counter()
    await app(scope, receive, send)
    taken = time.perf_counter() - begun
    if started != 200:
        raise SystemExit(f"{path} answered {started}")
    return taken


async def catch_up(app: Any, prefix: str, since: int) -> float:
    """Seconds until a new socket has heard everything after ``since``."""
    heard, query = asyncio.Queue[int](), f"since={since}&token={TOKEN}"
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "scheme": "ws",
        "path": f"{prefix}/events",
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:9120")],
        "client": ("127.0.0.1", 1),
        "subprotocols": [],
    }
    leaves, connected = asyncio.Event(), False

    async def receive() -> dict[str, Any]:
        nonlocal connected
        if not connected:
            connected = True
            return {"type": "websocket.connect"}
        await leaves.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            heard.put_nowait(len(json.loads(message["text"])["events"]))

    begun = time.perf_counter()
    serving = asyncio.ensure_future(app(scope, receive, send))
    left = BEHIND
    while left > 0:
        left -= await asyncio.wait_for(heard.get(), 30)
    taken = time.perf_counter() - begun
    leaves.set()
    await serving
    return taken


async def measured(experiments: int, results: int, rounds: int) -> dict[str, Any]:
    from karpathy_self_improve import _db
    from karpathy_self_improve.serving.app import API

    app, peer = ours(), bare(_db.default_path())
    some = random.Random(7)
    filters = ("", "?profile=profile3", "?state=proposed", "?profile=profile3&state=rejected", "?before={}")
    waits: dict[str, list[float]] = {"list": [], "detail": [], "history": [], "bare": []}
    for number in range(-5, rounds):
        one = some.randrange(1, experiments + 1)
        listed = f"/experiments{filters[number % len(filters)].format(max(2, one))}"
        asked = {"list": listed, "detail": f"/experiments/{one}", "history": f"/experiments/{one}/history"}
        taken = {name: await get(app, f"{API}{path}") for name, path in asked.items()}
        taken["bare"] = await get(peer, "/experiments")
        if number >= 0:  # the first ones import and compile
            for name, seconds in taken.items():
                waits[name].append(seconds)
    newest = sqlite3.connect(_db.default_path()).execute("SELECT max(id) FROM events").fetchone()[0]
    events = sorted([await catch_up(app, API, newest - BEHIND) for _ in range(3)])[1]
    print(f"{'':10}{'median ms':>12}{'p95 ms':>12}{'worst ms':>12}")
    for name, seconds in waits.items():
        ordered = sorted(wait * 1000 for wait in seconds)
        print(f"{name:10}{ordered[len(ordered) // 2]:12.2f}{percentile(ordered, 95):12.2f}{ordered[-1]:12.2f}")
    print(f"{BEHIND} events: {events:.2f} s")
    found = {f"{name}_p95_ms": round(percentile([s * 1000 for s in waits[name]], 95), 2) for name in waits}
    return {**found, "events_s": round(events, 3), "experiments": experiments, "results": results}


def percentile(figures: list[float], percent: int) -> float:
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def main() -> None:
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=10_000, help="default: 10000")
    parser.add_argument("--results", type=int, default=1_000_000, help="default: 1000000")
    parser.add_argument("--rounds", type=int, default=400, help="requests of each kind (default: 400)")
    parser.add_argument("--folder", type=Path, help="where to put the home (default: the temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ratchet-benchmark-", dir=options.folder) as folder:
        os.environ["HERMES_HOME"] = folder
        os.environ.pop("RATCHET_DB", None)
        Path(folder, "config.yaml").write_text("plugins: {enabled: [karpathy-self-improve]}\n", encoding="utf-8")
        for number in range(PROFILES):
            Path(folder, "profiles", f"profile{number}").mkdir(parents=True)
        begun = time.perf_counter()
        seed(options.experiments, options.results)
        print(f"filled in {time.perf_counter() - begun:.0f} s")
        figures = asyncio.run(measured(options.experiments, options.results, options.rounds))
    print(json.dumps({"api": figures}))


if __name__ == "__main__":
    main()
