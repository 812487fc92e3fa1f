"""A process that imported everything once and forks for each job, so that a test can kill hundreds of real processes.

Each line on stdin is a JSON list of jobs that start at the same moment; the answer is a JSON list of how each ended.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "karpathy_self_improve"


def import_checkout() -> None:
    """The package from this checkout, whatever is installed."""
    spec = importlib.util.spec_from_file_location(PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def do(job: dict[str, Any]) -> str:
    from karpathy_self_improve.ratchet import apply, context, experiments
    from karpathy_self_improve.ratchet.actor import Actor
    from karpathy_self_improve.ratchet.files import disk

    os.environ.update(job["env"])
    whole_write, somebody = disk.write, Actor("somebody", "os:somebody")
    if job.get("no_exchange"):
        disk._rename_call = lambda: None
    if job.get("short_writes"):
        disk.write = lambda fd, content: whole_write(fd, content[: max(1, len(content) // 2)])
    here = context.open_context()
    match job["do"]:
        case "apply":
            return apply.apply(here, job["id"], somebody, unwatched=True).state
        case "revert":
            return apply.revert(here, job["id"], somebody, "taken back").state
        case "reject":
            return experiments.reject(here, job["id"], somebody, "not this").state
        case "recover":
            return "; ".join(apply.recover(here))
    raise ValueError(job["do"])


def start(job: dict[str, Any], gate: int) -> tuple[int, int]:
    """Fork a child that waits until the gate is closed. Returns its id and the pipe its answer comes through."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    os.read(gate, 1)
    try:
        answer = do(job)
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    os.write(writer, answer.encode())
    os._exit(0)


def run(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    gate, opener = os.pipe()
    children = []
    for job in jobs:
        os.set_inheritable(opener, False)
        children.append(start(job, gate))
    os.write(opener, b"x" * len(children))
    ended = []
    for child, reader in children:
        with open(reader, "rb") as pipe:
            answer = pipe.read().decode()
        ended.append({"answer": answer, "exit": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])})
    os.close(gate)
    os.close(opener)
    return ended


def warm_up() -> None:
    """Do once, in a home that is thrown away, what imports everything; the children then find it in place."""
    from karpathy_self_improve.ratchet import apply, context, experiments
    from karpathy_self_improve.ratchet.actor import Actor

    with tempfile.TemporaryDirectory() as home:
        os.environ["HERMES_HOME"] = home
        here = context.open_context()
        experiments.propose(here, "default", "SOUL.md", b"One.\n", "warm up", Actor("somebody", "os:somebody"))
        apply.recover(here)
        here.store.close()


def main() -> None:
    import_checkout()
    warm_up()
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
