"""Runs programs in benchmarks/, all or those named, and writes their last lines' figures to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "benchmarks.md"
HEAD = """\
# Benchmarks

`make bench` runs every program in `benchmarks/` and writes this page anew; `scripts/bench.py NAME ...` runs some and
keeps the figures of the others. Each also runs alone and explains itself with `--help`. Machines differ: read the
ratios.
"""
SECTION = re.compile(r"^## (\w+)\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


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
    inner = found.get(name, found)
    rows = "".join(f"| {key} | {json.dumps(value)} |\n" for key, value in inner.items())
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"## {name}\n\n{datetime.now(UTC):%Y-%m-%d}, {machine}.\n\n| figure | value |\n|---|---|\n{rows}"


def kept() -> dict[str, str]:
    """The sections of the page as it is, by name."""
    page = TABLE.read_text(encoding="utf-8") if TABLE.exists() else ""
    return {found[1]: found[0].rstrip() + "\n" for found in SECTION.finditer(page)}


def main() -> None:
    known = {program.stem: program for program in sorted((ROOT / "benchmarks").glob("[!_]*.py"))}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known)} (default: all)")
    names = parser.parse_args().names or list(known)
    if unknown := sorted(set(names) - known.keys()):
        parser.error(f"there is no program {', '.join(unknown)} in benchmarks/")
    for name in names:  # written after each, so that a failing one loses nothing
        sections = {**kept(), name: section(name, figures(known[name]))}
        page = "\n".join([HEAD, *(sections[one] for one in sorted(sections.keys() & known.keys()))])
        TABLE.write_text(page.rstrip("\n") + "\n", encoding="utf-8")
    print(f"Written: {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
