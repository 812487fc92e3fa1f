"""The systemd unit: right words for this Python and this home, written once, and nobody else's overwritten."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from karpathy_self_improve.errors import Conflict, Unavailable
from karpathy_self_improve.installation import service_unit


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
