"""The programs in benchmarks/ run alone, explain themselves, and on a small scale find nothing lost or broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).resolve().parents[2] / "benchmarks"


def run(name, *options):
    command = [sys.executable, str(PROGRAMS / f"{name}.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["transitions", "startup", "soak", "injection", "attacks", "api", "secret_scan"])
def test_a_program_explains_itself(name):
    assert "usage:" in run(name, "--help")


def test_processes_at_once_lose_nothing_and_do_nothing_twice(tmp_path):
    options = ("--processes", "6", "--transitions", "60", "--rounds", "1", "--folder", str(tmp_path))
    figures = json.loads(run("transitions", *options).splitlines()[-1])["transitions"]
    assert figures.keys() >= {"transitions_per_s", "raw_per_s", "ratio", "p99_ms", "max_ms"}
    assert (figures["lost"], figures["double"], figures["locked_errors"]) == (0, 0, 0)


def test_kills_leave_nothing_half_done():
    figures = json.loads(run("soak", "--kills", "12").splitlines()[-1])["soak"]
    assert figures == {"kills": 12, "recovered": 12, "violations": 0}


def test_discovery_stays_light():
    figures = json.loads(run("startup", "--runs", "1").splitlines()[-1])["startup"]
    assert figures.keys() == {"added_ms", "heavy_imports"}
    assert figures["heavy_imports"] == []


def test_the_interface_answers_on_a_filled_database(tmp_path):
    options = ("--experiments", "120", "--results", "1200", "--rounds", "10", "--folder", str(tmp_path))
    figures = json.loads(run("api", *options).splitlines()[-1])["api"]
    measured = {"list_p95_ms", "detail_p95_ms", "history_p95_ms", "bare_p95_ms", "events_s"}
    assert figures.keys() == {*measured, "experiments", "results"}
    assert (figures["experiments"], figures["results"]) == (120, 1200)
    assert all(figures[name] > 0 for name in measured)


@pytest.mark.soak
def test_planted_texts_steer_no_verdict():
    figures = json.loads(run("injection", "--every", "9").splitlines()[-1])["injection"]
    assert figures == {"judge_transcripts": 20, "judge_flips": 0, "proposer_logs": 35, "unflagged": 0}
