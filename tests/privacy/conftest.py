"""The rolled secrets of the benchmark, for the tests too."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PLANTED = Path(__file__).resolve().parents[2] / "benchmarks" / "_planted.py"


@pytest.fixture(scope="session")
def planting() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_planted", PLANTED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["_planted"] = module
    spec.loader.exec_module(module)
    return module
