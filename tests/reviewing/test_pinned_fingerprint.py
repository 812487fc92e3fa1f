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


def test_the_environment_cannot_override_the_unit(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, OTHER)
    assert pinned(unit) == OTHER
    monkeypatch.setenv(VARIABLE, ONE)
    with pytest.raises(SettingsInvalid, match="not the same in the environment and"):
        pinned(unit)


def test_two_units_must_agree(unit: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.service"
    other.write_text(UNIT.format(ONE))
    with pytest.raises(SettingsInvalid, match="not the same"):
        pinned(unit, other)


def test_the_environment_pins_where_no_unit_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, ONE)
    assert pinned(tmp_path / "missing.service") == ONE


def test_a_pipe_in_the_place_of_the_unit_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ratchet.service")
    with pytest.raises(SettingsInvalid, match="no plain file"):
        pinned(tmp_path / "ratchet.service")


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
