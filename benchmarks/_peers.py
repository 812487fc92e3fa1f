"""Other evaluation programs on a model that answers after a fixed time, each in an installation of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

INSPECT = """
import asyncio, json, sys, tempfile, time
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import solver

samples, places, latency_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

@solver
def null():
    async def solve(state, generate):
        await asyncio.sleep(latency_s)
        state.output.completion = "hello"
        return state
    return solve

def evaluated(count, folder):
    questions = [Sample(input=f"question {number}", target="hello") for number in range(count)]
    task = Task(dataset=questions, solver=null(), scorer=includes())
    return eval(task, model="mockllm/model", max_samples=places, log_dir=folder, display="none")[0]

with tempfile.TemporaryDirectory() as folder:
    evaluated(1, folder)
    started = time.perf_counter()
    log = evaluated(samples, folder)
    wall = time.perf_counter() - started
print(json.dumps({"wall": wall, "samples": log.results.completed_samples}))
"""
PROMPTFOO = """
import promptfoo from "promptfoo";
const [samples, places, latency] = process.argv.slice(2).map(Number);
const answer = (resolve) => setTimeout(() => resolve({ output: "hello" }), latency * 1000);
const provider = { id: () => "null", callApi: () => new Promise(answer) };
const assert = [{ type: "contains", value: "hello" }];
const prompts = ["{{question}}"];
const options = { maxConcurrency: places, cache: false, showProgressBar: false };
const evaluated = (length) => {
  const tests = Array.from({ length }, (_, number) => ({ vars: { question: `question ${number}` }, assert }));
  return promptfoo.evaluate({ prompts, providers: [provider], tests, writeLatestResults: false }, options);
};
await evaluated(1);
const started = performance.now();
const done = await evaluated(samples);
const wall = (performance.now() - started) / 1000;
console.log(JSON.stringify({ wall, samples: (await done.toEvaluateSummary()).results.length }));
process.exit(0);
"""


def cache() -> Path:
    """Where the peers are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "karpathy-self-improve-benchmarks")


def inspect_ai(folder: Path, samples: int, places: int, latency_s: float) -> float:
    """Inspect AI's wall time in seconds. Raises SystemExit when it cannot be installed or does something else."""
    venv = folder / "inspect-ai"
    python = venv / "bin" / "python"
    if not (venv / ".ready").exists():
        print("installing Inspect AI ...", flush=True)
        _run([sys.executable, "-m", "venv", str(venv)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "inspect-ai"])
        (venv / ".ready").touch()
    return _measured("Inspect AI", [str(python), "-c", INSPECT], samples, places, latency_s)


def promptfoo(folder: Path, samples: int, places: int, latency_s: float) -> float | None:
    """promptfoo's wall time in seconds, None without Node. Raises SystemExit as :func:`inspect_ai` does."""
    if not (shutil.which("node") and shutil.which("npm")):
        print("promptfoo: not measured, there is no Node here")
        return None
    place = folder / "promptfoo"
    place.mkdir(parents=True, exist_ok=True)
    if not (place / ".ready").exists():
        print("installing promptfoo ...", flush=True)
        _run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "promptfoo"], place)
        (place / ".ready").touch()
    (place / "null.mjs").write_text(PROMPTFOO, encoding="utf-8")
    return _measured("promptfoo", ["node", "null.mjs"], samples, places, latency_s, place)


def _measured(
    name: str, command: list[str], samples: int, places: int, latency_s: float, folder: Path | None = None
) -> float:
    said = _run([*command, str(samples), str(places), str(latency_s)], folder)
    found = json.loads(said.strip().splitlines()[-1])
    print(f"{name}: {found['wall']:.3f} s")
    if found["samples"] != samples:
        raise SystemExit(f"{name} ran {found['samples']} of {samples} samples")
    return float(found["wall"])


def _run(command: list[str], folder: Path | None = None) -> str:
    quiet = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1"}
    own = {"PROMPTFOO_CONFIG_DIR": str(folder / "config")} if folder else {}
    run = subprocess.run(command, cwd=folder, env={**os.environ, **quiet, **own}, capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(command[:3])} ... failed: {run.stderr.strip()[-500:]}")
    return run.stdout
