"""Kills an evaluation in the middle with SIGKILL, runs it to its end, and counts what was asked of the model twice."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ABOUT = """\
An evaluation of 200 runs is killed with SIGKILL at half of them, with its workers, and then run again to its end. Each
run asks the model once, so that the calls a model server counts are the runs that were paid for. The server is real and
takes its time; the worker that asks it stands in for the agent, all else is the product.

duplicates   calls beyond the number of samples. Only what was under way at the kill may be among them: runs that had
             begun and were not stored yet. As many as there are places, and what ended in the last few milliseconds.

Results stored before the kill must be there unchanged at the end, and no sample twice.
"""
PROGRAM = """
import sys
from pathlib import Path
from karpathy_self_improve.evaluation import service
from karpathy_self_improve.evaluation.running import agent_process
from karpathy_self_improve.ratchet.context import open_context
agent_process.WORKER = Path(sys.argv[1])
done = service.run_job(open_context(), 1)
print(done.state, done.done, done.total, done.error)
"""
PACKAGE_ROOT = Path(__file__).resolve().parents[1]
# As the tests do: this checkout under its pip name, wherever it lies.
IMPORT = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location(
    "karpathy_self_improve", {str(PACKAGE_ROOT / "__init__.py")!r}, submodule_search_locations=[{str(PACKAGE_ROOT)!r}])
sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[spec.name])
"""


def measure(folder: Path, samples: int, places: int, delay_s: float) -> dict[str, int]:
    """The figures of one evaluation in a fresh home below ``folder``. Raises SystemExit when something was lost."""
    from _null_agent import WORKER, profile

    from karpathy_self_improve.demo.scripted_model import ScriptedModel
    from karpathy_self_improve.evaluation.gating import reports

    worker = folder / "worker.py"
    worker.write_text(WORKER)
    program = [sys.executable, "-P", "-c", IMPORT + PROGRAM, str(worker)]
    with (
        ScriptedModel(delay_s=delay_s) as model,
        profile(folder / "hermes", model.model_settings(), samples // 4, repeats=2, workers=places) as context,
    ):
        environment = {**os.environ, "TMPDIR": str(folder)}
        with subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL) as first:
            while model.requests < samples // 2:
                if first.poll() is not None:
                    raise SystemExit("the evaluation ended before it was killed")
                time.sleep(0.001)
            time.sleep(delay_s / 2)  # somewhere in the runs, not just when one had ended and the next began
            first.kill()
        kept = rows(reports.results(context, 1))
        asked = model.requests
        print(f"killed after {asked} calls: {len(kept)} results are stored, {asked - len(kept)} runs were under way")
        said = subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout
        print(f"and run again: {said.strip()}")
        found = reports.results(context, 1)
    if not rows(found) >= kept or len({row[1:] for row in rows(found)}) != samples or len(found) != samples:
        raise SystemExit(f"{len(kept)} results before the kill, {len(found)} in the end: something was lost or doubled")
    return {"samples": samples, "calls": model.requests, "duplicates": model.requests - samples}


def rows(results: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """Each result by its id and by what it is a result of."""
    return {(row["id"], row["scenario_id"], row["arm"], row["repeat"]) for row in results}


def main() -> None:
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200, help="a multiple of four (default: 200)")
    parser.add_argument("--places", type=int, default=4, help="samples at a time (default: 4)")
    parser.add_argument("--delay", type=float, default=0.1, metavar="S", help="of the model (default: 0.1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ratchet-benchmark-") as folder:
        figures = measure(Path(folder), options.samples - options.samples % 4, options.places, options.delay)
    print(json.dumps({"resume": figures}))


if __name__ == "__main__":
    main()
