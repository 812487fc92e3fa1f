"""The systemd unit: right words for this Python and this home, written once, and nobody else's overwritten."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from pathlib import Path

import pytest

from karpathy_self_improve.errors import Conflict, Unavailable
from karpathy_self_improve.installation import service_unit
from karpathy_self_improve.reviewing import pin


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with systemd's command on its path."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "systemctl").symlink_to(shutil.which("true") or "true")
    monkeypatch.setenv("PATH", str(commands))


def test_it_starts_this_python_on_this_root_from_the_default_profile(machine: Path, systemd: None) -> None:
    unit = service_unit.install()
    words = f'"{sys.executable}" "-P" "-m" "hermes_cli.main" "-p" "default" "ratchet" "daemon"'
    assert f"ExecStart={words}\n" in unit.text
    assert f'Environment="HERMES_HOME={machine}"\n' in unit.text
    assert unit.path.read_text(encoding="utf-8") == unit.text
    assert f"systemctl --user enable --now {unit.path.name}" in unit.commands
    assert unit.changed
    assert not service_unit.install().changed


def test_another_database_goes_along(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATCHET_DB", "/data/ratchet.db")
    assert 'Environment="RATCHET_DB=/data/ratchet.db"\n' in service_unit.unit_text()


def test_odd_characters_are_quoted_as_systemd_wants(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", '/opt/my "$HOME" 100%/python')
    assert 'ExecStart="/opt/my \\"$$HOME\\" 100%%/python" ' in service_unit.unit_text()


def test_the_unit_of_another_home_is_kept(machine: Path, systemd: None) -> None:
    path = service_unit.unit_path()
    path.parent.mkdir(parents=True)
    path.write_text('Environment="HERMES_HOME=/elsewhere"\n', encoding="utf-8")
    with pytest.raises(Conflict, match="another Hermes home"):
        service_unit.install()
    assert "elsewhere" in path.read_text(encoding="utf-8")


def test_without_systemd_the_foreground_command_is_named(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="hermes -p default ratchet daemon"):
        service_unit.install()
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unavailable, match="launchd service is not written yet"):
        service_unit.install()
    assert not service_unit.unit_path().exists()


def test_a_unit_is_found_whatever_home_the_caller_names(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = pwd.getpwuid(os.getuid())
    listed = pwd.struct_passwd((*user[:5], str(tmp_path / "listed"), user[6]))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: listed)
    path = tmp_path / "listed/.config/systemd/user" / service_unit.NAME
    path.parent.mkdir(parents=True)
    path.write_text(service_unit.unit_text("ab" * 32), encoding="utf-8")
    assert path in service_unit.units_here()
    assert pin.pinned(*service_unit.units_here()) == "ab" * 32


def test_the_same_home_by_another_name_is_this_home(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = service_unit.unit_path()
    path.parent.mkdir(parents=True)
    path.write_text(service_unit.unit_text(), encoding="utf-8")
    (tmp_path / "alias").symlink_to(machine)
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "alias"))
    assert service_unit.serves_this_home(path)
