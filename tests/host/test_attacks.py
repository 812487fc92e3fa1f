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

VARIATIONS = {
    "another database",
    "changed candidate's content",
    "erased withdrawal",
    "forged journal",
    "forged unsigned approval",
    "guessed passphrases",
    "guessed passphrases over HTTP",
    "inserted states",
    "reset reviewers",
    "resurrected approval",
    "stranger's signature over HTTP",
}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as server:
        yield server


def shared_out() -> Iterator[Any]:
    """Each attack under its name; those that only vary another one are left to the soak tests and the benchmark."""
    for attack in _attacks.ATTACKS:
        marks = [pytest.mark.soak] if attack.name in VARIATIONS else []
        yield pytest.param(attack, id=attack.name, marks=marks)


@pytest.mark.parametrize("attack", list(shared_out()))
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
