"""The gate's benchmark agrees with itself on a small scale: identical bytes hardly pass, large gains often do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "gate.py"


def run(*options: str) -> str:
    command = [sys.executable, str(PROGRAM), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_identical_bytes_hardly_pass_and_large_gains_often_do() -> None:
    figures = json.loads(run("--evaluations", "40").splitlines()[-1])["gate"]
    assert figures.keys() == {"aa_pass_rate_max", "naive_aa_pass_rate_max", "power"}
    assert figures["power"].keys() == {"20x3", "40x3", "80x3"}
    assert figures["aa_pass_rate_max"] <= 0.2 < 0.5 < figures["naive_aa_pass_rate_max"]
    assert figures["power"]["80x3"]["+20"] >= 0.8


def test_the_program_explains_itself() -> None:
    assert "usage:" in run("--help")
