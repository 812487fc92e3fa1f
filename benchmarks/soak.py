"""Kills a working process again and again, at named points and at any microsecond, and checks what recovery leaves."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import sqlite  # noqa: F401  # imported once, for all forked processes

from karpathy_self_improve import host
from karpathy_self_improve._db import driver
from karpathy_self_improve.errors import Conflict
from karpathy_self_improve.migrations import to_head  # noqa: F401
from karpathy_self_improve.ratchet import apply, approval, context, experiments, journal
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.audit import trail
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.ratchet.experiments import Experiment
from karpathy_self_improve.ratchet.faults import Point

ABOUT = """\
A process proposes, approves, applies, reverts and rejects changes to a real file with real git, one after the other,
until SIGKILL ends it: half of the time at a random named point of a random operation, half of the time after a random
number of microseconds. Then another process recovers, and these must agree: file, branch, the user's index, journal,
states and audit chain; each apply and revert with exactly one commit; nothing left lying about. Profiles with a
repository of their own and without one take turns.
"""
ME = Actor("soak", "os:soak")
SENTENCES = ("Be kind.", "Be brief.", "Be very kind.", "Ask first.", "Answer in one line.")
FIRST = b"# Soul\r\n\r\nBe kind.\r\nA byte that is no UTF-8: \xff"
CONFIG = "plugins:\n  entries:\n    karpathy-self-improve: {approval: unsigned}\n"
KILLS_PER_HOME = 100


@dataclass(frozen=True)
class Ended:
    """How one forked process ended: the signal that killed it or 0, and its answer."""

    signal: int
    answer: Any


def forked(work: Callable[[], Any], *, kill_after: float | None = None) -> Ended:
    """Run ``work`` in a forked process, killed ``kill_after`` seconds later if it still runs."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            answer = json.dumps(work())
        except BaseException as error:
            answer = json.dumps({"error": f"{type(error).__name__}: {error}"})
        os.write(writer, answer.encode()[:60_000])
        os._exit(0)
    os.close(writer)
    code = wait(child, kill_after)
    with open(reader, "rb", buffering=0) as pipe:
        text = pipe.read(1 << 16) if code == 0 else b"null"
    return Ended(-code, json.loads(text))


def wait(child: int, kill_after: float | None) -> int:
    """How the child ended: its exit code, or the negative number of the signal that killed it."""
    if kill_after is not None:
        deadline = time.monotonic() + kill_after
        while (left := deadline - time.monotonic()) > 0:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(min(left, 0.002))
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def work_until_killed(chance: random.Random) -> None:
    """Whatever the newest experiment allows, again and again."""
    here = context.open_context()
    while True:
        try:
            step(here, chance)
        except Conflict:
            apply.recover(here)  # what an earlier process left is in the way


def step(here: Context, chance: random.Random) -> None:
    found = experiments.list_experiments(here, limit=1)
    state = found[0].state if found else "rejected"
    if state == "proposed" and chance.random() < 0.8:
        approval.approve(here, found[0].id, ME, override_reason="soak")
    elif state == "approved" and chance.random() < 0.8:
        apply.apply(here, found[0].id, ME, unwatched=True)
    elif state == "live":
        apply.revert(here, found[0].id, ME, "soak")
    elif state in ("proposed", "approved"):
        experiments.reject(here, found[0].id, ME, "soak")
    else:
        propose(here, chance)


def propose(here: Context, chance: random.Random) -> None:
    base = here.home("default").joinpath("SOUL.md").read_bytes()
    old = next(sentence for sentence in sorted(SENTENCES, key=len, reverse=True) if sentence.encode() in base)
    new = chance.choice([sentence for sentence in SENTENCES if sentence != old])
    candidate = base.replace(old.encode(), new.encode(), 1)
    experiments.propose(here, "default", "SOUL.md", candidate, f"{old} -> {new}", ME)


def recover_and_check(own: bool) -> dict[str, Any]:
    """What a person who looks closely finds after recovery; ``violations`` must be empty."""
    here = context.open_context()
    done = apply.recover(here)
    violations = list(disagreements(here, own))
    here.store.close()
    return {"recovered": done, "violations": violations}


def disagreements(here: Context, own: bool) -> Iterator[str]:
    home = here.home("default")
    git_dir = home / ".git" if own else here.data / "git" / "default.git"
    verdict = trail.verify(here)
    yield from (f"audit: {one.transition_id} {one.problem}" for one in verdict.breaks)
    with here.store.read() as tx:
        yield from (f"open journal row: {one}" for one in journal.open_operations(tx))
        steps = driver(tx).execute(
            "SELECT experiment_id, to_state FROM experiment_state_transitions"
            " WHERE to_state IN ('live', 'reverted') ORDER BY id"
        )
        moved = [(number, state) for number, state in steps]
        recorded = driver(tx).execute("SELECT count(*) FROM file_operations WHERE phase = 'recorded'").fetchone()[0]
        in_flight = (
            driver(tx).execute("SELECT count(*) FROM experiments WHERE state IN ('approved', 'live')").fetchone()
        )
        if driver(tx).execute("PRAGMA quick_check").fetchone() != ("ok",):
            yield "the database is damaged"
    if in_flight[0] > 1:
        yield f"{in_flight[0]} changes in flight"
    expected = content_after(here, moved)
    if (home / "SOUL.md").read_bytes() != expected:
        yield f"the file is {(home / 'SOUL.md').read_bytes()!r}, not {expected!r}"
    yield from git_disagreements(here, home, git_dir, own, moved, recorded, expected)
    left = [*home.glob(".ratchet-*"), *git_dir.glob("ratchet-*"), *git_dir.rglob("*.lock")]
    # A killed proposal (no operation, nothing to recover) leaves its scratch index to the next proposal.
    left = [path for path in left if not path.name.startswith("ratchet-found.")]
    yield from (f"left behind: {path.name}" for path in left)


def content_after(here: Context, moved: list[tuple[int, str]]) -> bytes:
    """The file as the newest apply or revert must have left it."""
    if not moved:
        return FIRST
    number, state = moved[-1]
    base, candidate = experiments.contents(here, experiments.get(here, number))
    return candidate if state == "live" else base or b""


def git_disagreements(
    here: Context, home: Path, git_dir: Path, own: bool, moved: list[tuple[int, str]], recorded: int, expected: bytes
) -> Iterator[str]:
    log = git(git_dir, "log", "--format=%H %(trailers:key=Ratchet-Operation,valueonly,separator=%x2C)").splitlines()
    ours = dict(line.split() for line in log if len(line.split()) == 2)
    if not len(ours) == len(set(ours.values())) == len(moved) == recorded:
        yield f"{len(ours)} commits, {len(moved)} steps, {recorded} journal rows"
    named = {one for e in all_experiments(here) for one in (e.apply_commit_sha, e.revert_commit_sha) if one}
    if named != set(ours):
        yield f"commits that are only in one place: {named ^ set(ours)}"
    if log and git(git_dir, "cat-file", "blob", "HEAD:SOUL.md", text=False) != expected:
        yield "the branch has another version of the file"
    if own and git(git_dir, f"--work-tree={home}", "status", "--porcelain", "--untracked-files=no"):
        yield "the user's index is not up to date"


def all_experiments(here: Context) -> list[Experiment]:
    return experiments.list_experiments(here, limit=1000)


def git(git_dir: Path, *words: str, text: bool = True) -> Any:
    done = subprocess.run(["git", f"--git-dir={git_dir}", *words], capture_output=True, text=text)
    return done.stdout


@contextmanager
def new_home(folder: Path, own: bool) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(dir=folder))
    (home / "config.yaml").write_text(CONFIG, encoding="utf-8")
    (home / "SOUL.md").write_bytes(FIRST)
    if own:
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@localhost"]
        for words in (["init", "-q"], ["add", "SOUL.md"], [*who, "commit", "-q", "-m", "first"]):
            subprocess.run(["git", "-C", str(home), *words], check=True)
    os.environ["HERMES_HOME"] = str(home)
    yield home
    shutil.rmtree(home)


@dataclass
class Tally:
    """What happened so far."""

    kills: int = 0
    interrupted: int = 0
    violations: int = 0


def one_kill(own: bool, chance: random.Random, tally: Tally, points: Counter[str]) -> bool:
    """Kill one process and check. Whether the home may be used further."""
    point = chance.choice(list(Point)) if chance.random() < 0.5 else None
    seed, longest = chance.random(), 0.6 if point else 0.15

    def victim() -> None:
        if point:
            os.environ["RATCHET_KILL_AT"] = point.value
        work_until_killed(random.Random(seed))

    killed = forked(victim, kill_after=chance.uniform(0, longest))
    found = forked(lambda: recover_and_check(own))
    if killed.signal != signal.SIGKILL:
        problems = [f"the working process ended by itself: {killed.answer}"]
    else:
        problems = found.answer.get("violations", [found.answer.get("error")])
    tally.kills += 1
    tally.interrupted += bool(found.answer.get("recovered"))
    tally.violations += bool(problems)
    points[point.value if point else "any moment"] += 1
    for problem in problems:
        print(f"VIOLATION after kill {tally.kills} ({point or 'any moment'}, own repository: {own}): {problem}")
    return not problems


def main() -> None:
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="how many processes to kill (default: 200)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the choices of an earlier run")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    chance, tally, points, started = random.Random(seed), Tally(), Counter[str](), time.monotonic()
    for name in [name for name in os.environ if name.startswith(("GIT_", "HERMES_", "RATCHET_"))]:
        del os.environ[name]
    host.root()  # the host is imported once, for all forked processes
    with tempfile.TemporaryDirectory(prefix="ratchet-soak-") as folder:
        own = False
        while tally.kills < options.kills:
            own = not own
            with new_home(Path(folder), own):
                for _ in range(min(KILLS_PER_HOME, options.kills - tally.kills)):
                    if not one_kill(own, chance, tally, points):
                        break
    took = time.monotonic() - started
    print(
        f"seed {seed}: {tally.kills} kills in {took:.0f} s, {tally.interrupted} of them in the middle of an operation"
    )
    print("armed at: " + ", ".join(f"{name} {count}" for name, count in sorted(points.items())))
    figures = {"kills": tally.kills, "recovered": tally.kills - tally.violations, "violations": tally.violations}
    print(json.dumps({"soak": figures}))
    sys.exit(1 if tally.violations else 0)


if __name__ == "__main__":
    main()
