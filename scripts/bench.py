"""Runs every program in benchmarks/ and writes the figures of their last lines to docs/benchmarks.md."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "benchmarks.md"


def figures(program: Path) -> dict[str, Any]:
    """What ``program`` prints as its last line. Raises SystemExit when it fails or its last line is no JSON object."""
    print(f"== {program.name}", flush=True)
    run = subprocess.run([sys.executable, str(program)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    print(run.stdout, end="", flush=True)
    if run.returncode != 0:
        raise SystemExit(f"{program.name} failed with exit code {run.returncode}: its output stands above.")
    try:
        last = json.loads(run.stdout.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        last = None
    if not isinstance(last, dict):
        raise SystemExit(f"{program.name} must end its output with one JSON object.")
    return last


def section(name: str, found: dict[str, Any]) -> str:
    rows = "".join(f"| {key} | {json.dumps(value)} |\n" for key, value in found.items())
    return f"\n## {name}\n\n| figure | value |\n|---|---|\n{rows}"


def main() -> None:
    programs = sorted((ROOT / "benchmarks").glob("[!_]*.py"))
    if not programs:
        raise SystemExit("There is no program in benchmarks/.")
    sections = [section(program.stem, figures(program)) for program in programs]
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    head = f"# Benchmarks\n\nMeasured by `make bench` on {datetime.now(UTC):%Y-%m-%d}, {machine}.\n"
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(head + "".join(sections), encoding="utf-8")
    print(f"Written: {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
