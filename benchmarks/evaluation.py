"""Measures what an evaluation takes beyond its model's latency; Inspect AI and promptfoo beside it."""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import _peers
from _null_agent import NullExecutor, profile

ABOUT = """\
The model is a stand-in that answers after a fixed time. Every sample is one question, one answer and one check that
looks for a word in it; as many samples as there are places run at once.

wall      seconds for all samples. Ours runs from taking the job until every result is stored: order, requests,
          hand-over to threads, checks, the search for secrets in what is stored, the rows in SQLite (a thread of its
          own writes what has come together within 10 ms, each batch synced to disk), progress. What follows once per
          evaluation, the statistics and the report, is printed apart. Theirs is one call of eval() or evaluate(), the
          second of its process, with logs or results written as they do by default.
ideal     latency x ceil(samples / places): nobody can be faster.
overhead  what a sample adds to the wall time beyond the latency: (wall - ideal) / samples. Times the places, it is how
          much longer than the latency a sample holds its place; that is printed too.

Starting an agent is no part of it and is measured apart, with the real host and a scripted model: the first run of a
worker and the further ones, which reuse it.

The peers are installed into folders of their own below the user's cache folder, with pip and npm, and only there.
Without Node promptfoo's figure is null.
"""


@dataclass(frozen=True)
class Load:
    """What every program gets to do; ``latency_s`` of each of ``samples``, ``places`` of them at a time."""

    samples: int
    places: int
    latency_s: float

    @property
    def ideal_s(self) -> float:
        return self.latency_s * math.ceil(self.samples / self.places)

    def overhead_ms(self, wall_s: float | None) -> float | None:
        if wall_s is None:
            return None
        return round((wall_s - self.ideal_s) / self.samples * 1_000, 3)


def ours(load: Load, folder: Path) -> float:
    """Seconds from taking the job until every result is stored."""
    from karpathy_self_improve.evaluation import service

    model: dict[str, object] = {"default": "m", "provider": "custom", "base_url": "http://127.0.0.1:9/v1"}
    scenarios = load.samples // 4
    with (
        profile(folder / "hermes", model, scenarios, repeats=2, workers=load.places) as context,
        NullExecutor(load.places, load.latency_s) as executor,
    ):
        started = time.perf_counter()
        stored: list[float] = []
        done = service.run_job(context, 1, lambda _: stored.append(time.perf_counter()), executor=executor)
        whole = time.perf_counter() - started
    wall = stored[-1] - started
    print(f"ours: {wall:.3f} s, {len(stored) - 1} transactions; statistics and report {whole - wall:.3f} s more")
    held_ms = (wall - load.ideal_s) * load.places / load.samples * 1_000
    print(f"      a place is held {held_ms:.2f} ms beyond the latency")
    if (done.state, done.done) != ("finished", load.samples):
        raise SystemExit(f"the evaluation did not do what it should: {done}")
    return wall


def agent_start(folder: Path, runs: int) -> None:
    """Prints what the real agent takes: the first run of a worker, and the further ones."""
    from karpathy_self_improve.demo.scripted_model import ScriptedModel
    from karpathy_self_improve.evaluation.running import workers
    from karpathy_self_improve.evaluation.running.exposure import Arm
    from karpathy_self_improve.evaluation.running.runner import RunRequest, run_agent_once

    with ScriptedModel() as model, profile(folder / "hermes", model.model_settings(), 0) as context:
        home = context.home("default")
        request = RunRequest(home, "SOUL.md", Arm.BASELINE, b"Be kind.\n", b"Be brief.\n", "hello", parent=folder)
        with workers.kept_warm():
            took = [run_agent_once(request) for _ in range(1 + runs)]
    if failed := [run.error for run in took if run.error]:
        raise SystemExit(f"the agent could not run: {failed[0]}")
    further = sorted(run.seconds for run in took[1:])
    print(f"agent: first run of a worker {took[0].seconds:.2f} s, further ones {further[len(further) // 2]:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=400, help="a multiple of four (default: 400)")
    parser.add_argument("--places", type=int, default=8, help="samples at a time (default: 8)")
    parser.add_argument("--latency", type=float, default=0.2, metavar="S", help="of the model (default: 0.2)")
    parser.add_argument("--no-peers", action="store_true", help="measure only ours")
    options = parser.parse_args()
    load = Load(options.samples - options.samples % 4, options.places, options.latency)
    figures = (load.samples, load.places, load.latency_s)
    with tempfile.TemporaryDirectory(prefix="ratchet-benchmark-") as folder:
        cache = _peers.cache()
        wall = ours(load, Path(folder))
        inspect = None if options.no_peers else _peers.inspect_ai(cache, *figures)
        promptfoo = None if options.no_peers else _peers.promptfoo(cache, *figures)
        agent_start(Path(folder, "agent"), runs=8)
    found = {
        "overhead_ms_per_sample": load.overhead_ms(wall),
        "inspect_ms_per_sample": load.overhead_ms(inspect),
        "promptfoo_ms_per_sample": load.overhead_ms(promptfoo),
        "wall_over_ideal": round(wall / load.ideal_s, 4),
        "samples": load.samples,
    }
    print(json.dumps({"evaluation": found}))


if __name__ == "__main__":
    main()
