"""The pin is read where the database is not, and one that cannot be read is never taken for none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from karpathy_self_improve.errors import SettingsInvalid
from karpathy_self_improve.reviewing.pin import VARIABLE, pinned

ONE, OTHER = "ab" * 32, "cd" * 32
UNIT = '[Service]\nEnvironment="HERMES_HOME=/x"\nEnvironment="RATCHET_REVIEWERS={}"\nRestart=always\n'


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    path = tmp_path / "ratchet.service"
    path.write_text(UNIT.format(OTHER))
    return path


def test_without_a_variable_and_a_unit_nothing_is_pinned(tmp_path: Path) -> None:
    assert pinned(tmp_path / "missing.service") is None


def test_a_unit_that_pins_nothing_pins_nothing(unit: Path) -> None:
    unit.write_text('[Service]\nEnvironment="HERMES_HOME=/x"\n')
    assert pinned(unit) is None


def test_the_unit_pins_for_processes_it_did_not_start(unit: Path) -> None:
    assert pinned(unit) == OTHER


def test_the_environment_comes_first(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, ONE)
    assert pinned(unit) == ONE


@pytest.mark.parametrize("broken", ["", "none", "AB" * 32, "ab" * 31, "ab" * 32 + " "])
def test_a_pin_that_is_no_fingerprint_is_refused(unit: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    monkeypatch.setenv(VARIABLE, broken)
    with pytest.raises(SettingsInvalid):
        pinned(unit)


def test_a_broken_pin_in_the_unit_is_refused(unit: Path) -> None:
    unit.write_text(UNIT.format("ab"))
    with pytest.raises(SettingsInvalid):
        pinned(unit)


def test_a_unit_that_cannot_be_read_is_not_ignored(tmp_path: Path) -> None:
    folder = tmp_path / "ratchet.service"
    os.mkdir(folder)
    with pytest.raises(SettingsInvalid):
        pinned(folder)
