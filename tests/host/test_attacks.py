"""Every attack of benchmarks/_attacks.py on the real host: nothing is applied, and what was tried can be found out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.demo.scripted_model import ScriptedModel

PROGRAMS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(PROGRAMS))

import _attacks  # noqa: E402

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as server:
        yield server


@pytest.mark.parametrize("attack", _attacks.ATTACKS, ids=lambda attack: attack.name)
def test_nothing_is_applied_and_a_trace_is_left(attack: Any, tmp_path: Path, model: ScriptedModel) -> None:
    ended = _attacks.carry_out(attack, tmp_path / "stage", model)
    assert ended.applied == "", ended.applied
    assert ended.traced, ended.traces


def test_without_an_attack_the_same_steps_apply(tmp_path: Path, model: ScriptedModel) -> None:
    """Else the attacks would prove nothing."""
    harmless = _attacks.Attack("none", _attacks.approved, lambda stage: None, "transition live applied")
    ended = _attacks.carry_out(harmless, tmp_path / "stage", model)
    assert "1 live" in ended.applied
    assert ended.traced
