"""An evaluation that is killed goes on where it was: nothing stored is lost, and nothing stored is paid for twice."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.parametrize("samples", [24, pytest.param(200, marks=pytest.mark.soak)])
def test_a_killed_evaluation_asks_only_what_was_under_way_again(
    samples: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("HOME", "HERMES_HOME"):
        monkeypatch.setenv(name, str(tmp_path))  # restored afterwards
    places = 2
    resume = runpy.run_path(str(BENCHMARKS / "resume.py"))
    figures = resume["measure"](tmp_path, samples, places, 0.1)
    assert figures["samples"] == samples
    # Those in the places, and those that ended and were not stored yet: never more than twice the places.
    assert 0 <= figures["duplicates"] <= 3 * places
