"""Measures what the plugin adds to the host's plugin discovery, which happens in every hermes process."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ABOUT = """\
Each run is a fresh Python process that imports the real host, then times its plugin discovery, once with the plugin
enabled and once without, in turn. What is added is the median of the differences. Heavy imports: which of sqlalchemy,
alembic and fastapi a discovery with the plugin imports and one without it does not.
"""
HEAVY = ("alembic", "fastapi", "sqlalchemy")
DISCOVERY = """
import json, sys, time
from hermes_cli import plugins
started = time.perf_counter()
plugins.discover_plugins()
seconds = time.perf_counter() - started
loaded = [found["name"] for found in plugins.get_plugin_manager().list_plugins() if found["enabled"]]
print(json.dumps([seconds, "karpathy-self-improve" in loaded, sorted(sys.modules)]))
"""


@dataclass(frozen=True)
class Run:
    """One discovery: how long it took, whether our plugin was loaded, and every module imported by then."""

    ms: float
    loaded: bool
    modules: frozenset[str]


def discover(home: Path) -> Run:
    command = [sys.executable, "-P", "-c", DISCOVERY]
    env = {**os.environ, "HERMES_HOME": str(home), "HOME": str(home)}
    done = subprocess.run(command, env=env, cwd=home, check=True, stdout=subprocess.PIPE, text=True)
    seconds, loaded, modules = json.loads(done.stdout.splitlines()[-1])
    return Run(seconds * 1000, loaded, frozenset(modules))


def new_home(folder: Path, name: str, enabled: str) -> Path:
    home = folder / name
    home.mkdir()
    (home / "config.yaml").write_text(f"plugins:\n  enabled: [{enabled}]\n", encoding="utf-8")
    return home


def main() -> None:
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=25, help="runs of each kind (default: 25)")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="ratchet-benchmark-") as folder:
        with_it = new_home(Path(folder), "with", "karpathy-self-improve")
        without = new_home(Path(folder), "without", "")
        pairs = [(discover(with_it), discover(without)) for _ in range(runs + 1)][1:]  # the first fills caches
    if not all(mine.loaded and not other.loaded for mine, other in pairs):
        raise SystemExit("The host did not load the plugin where it is enabled. Run 'make setup' first.")
    report(pairs)


def report(pairs: list[tuple[Run, Run]]) -> None:
    mine, other = pairs[-1]
    heavy = [name for name in HEAVY if name in mine.modules - other.modules]
    added = statistics.median(one.ms - two.ms for one, two in pairs)
    print(f"{'':20}{'median ms':>12}")
    for name, times in (("with the plugin", [one.ms for one, _ in pairs]), ("without", [two.ms for _, two in pairs])):
        print(f"{name:20}{statistics.median(times):12.2f}")
    print(f"{'added':20}{added:12.2f}")
    print(f"Modules the plugin imports: {', '.join(sorted(mine.modules - other.modules))}")
    print(json.dumps({"startup": {"added_ms": round(added, 2), "heavy_imports": heavy}}))


if __name__ == "__main__":
    main()
