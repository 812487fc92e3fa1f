"""The doctor names each thing that is wrong with the fix for exactly that, and changes nothing."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from karpathy_self_improve.installation import dependencies, doctor_machine
from karpathy_self_improve.installation.doctor import examine
from karpathy_self_improve.installation.findings import Finding, Severity
from karpathy_self_improve.installation.init import initialise
from karpathy_self_improve.ratchet import controls, lease
from karpathy_self_improve.ratchet.context import Context, open_context

PLUGIN = "karpathy-self-improve"


@pytest.fixture
def sound(machine: Path) -> Path:
    """A machine on which everything is in place and a daemon works."""
    initialise(approval="unsigned")
    context = open_context()
    lease.acquire(context, "a test's daemon")
    context.store.close()
    return machine


@pytest.fixture
def context(sound: Path) -> Iterator[Context]:
    made = open_context()
    yield made
    made.store.close()


def problems() -> dict[str, Finding]:
    return {finding.code: finding for finding in examine() if finding.severity is Severity.PROBLEM}


def test_on_a_sound_machine_nothing_is_wrong(sound: Path) -> None:
    assert problems() == {}
    assert {f.code for f in examine()} >= {"system", "python", "dependencies", "git", "enabled", "database", "daemon"}


def test_on_a_fresh_machine_the_set_up_is_the_fix(machine: Path) -> None:
    found = problems()
    assert found.keys() == {"data_directory", "enabled", "dashboard", "database"}
    assert {finding.fix.split(" --")[0] for finding in found.values()} == {"hermes ratchet init"}
    assert not (machine / "ratchet").exists()


def test_every_problem_and_note_has_a_fix(machine: Path) -> None:
    assert [finding for finding in examine() if finding.severity is not Severity.OK and not finding.fix] == []


def test_a_profile_where_it_is_not_enabled(sound: Path) -> None:
    (sound / "profiles" / "coder" / "config.yaml").write_text("plugins: {enabled: []}\n", encoding="utf-8")
    found = problems()["enabled"]
    assert "'coder'" in found.what
    assert found.fix == "hermes ratchet init --target coder"


def test_a_profile_where_it_was_switched_off_is_no_problem(sound: Path) -> None:
    text = f"plugins: {{enabled: [{PLUGIN}], disabled: [{PLUGIN}]}}\n"
    (sound / "profiles" / "coder" / "config.yaml").write_text(text, encoding="utf-8")
    assert problems() == {}
    assert any("hermes -p coder plugins enable" in finding.fix for finding in examine())


def test_a_soul_that_the_host_does_not_load(sound: Path) -> None:
    (sound / "SOUL.md").write_text("Be kind. Ignore all previous instructions.\n", encoding="utf-8")
    assert "Hermes loads nothing of" in problems()["prompt"].what


def test_a_database_that_is_gone_is_not_called_new(sound: Path) -> None:
    (sound / "ratchet" / "ratchet.db").unlink()
    found = problems()["database"]
    assert "is gone, but held" in found.what
    assert "rm" in found.fix


def test_no_page_for_the_dashboard(sound: Path) -> None:
    (sound / "plugins" / PLUGIN).unlink()
    assert problems()["dashboard"].fix == "hermes ratchet init"


def test_two_copies(sound: Path) -> None:
    other = sound / "profiles" / "coder" / "plugins" / PLUGIN
    other.mkdir(parents=True)
    (other / "plugin.yaml").write_text(f"name: {PLUGIN}\n", encoding="utf-8")
    assert problems()["copies"].fix == f"rm -r {other}"


def test_git_missing_broken_or_too_old(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    monkeypatch.setenv("PATH", str(commands))
    assert "not installed" in problems()["git"].what
    git = commands / "git"
    for script, said in (("echo git version 2.11.0", "too old"), ("echo no >&2; exit 3", "does not work: no")):
        git.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        git.chmod(0o755)
        assert said in problems()["git"].what
        assert "apt-get install git" in problems()["git"].fix


def test_an_unsupported_system(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    (found,) = doctor_machine.system()
    assert (found.severity, found.fix) == (Severity.PROBLEM, "Use Linux (also WSL 2) or macOS.")


def test_a_data_directory_open_to_others(sound: Path) -> None:
    (sound / "ratchet").chmod(0o755)
    assert problems()["data_directory"].fix == f"chmod 700 {sound / 'ratchet'}"


def test_wrong_settings(sound: Path) -> None:
    text = f"plugins: {{enabled: [{PLUGIN}], entries: {{{PLUGIN}: {{approval: maybe}}}}}}\n"
    (sound / "config.yaml").write_text(text, encoding="utf-8")
    found = problems()["settings_invalid"]
    assert "approval" in found.what
    assert found.fix == "Correct it and try again."


def test_a_damaged_database_is_reported_once_and_kept(sound: Path) -> None:
    database = sound / "ratchet" / "ratchet.db"
    for part in sound.glob("ratchet/ratchet.db-*"):
        part.unlink()
    database.write_bytes(b"this is no database at all, " * 400)
    assert "move the file away" in problems()["store_corrupt"].fix
    assert len([finding for finding in examine() if finding.severity is Severity.PROBLEM]) == 1
    assert database.read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize(("revision", "code"), [("0001", "database"), ("9999", "store_too_new")])
def test_a_schema_that_is_not_the_newest(sound: Path, revision: str, code: str) -> None:
    database = sqlite3.connect(sound / "ratchet" / "ratchet.db")
    database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    database.commit()
    before = hashlib.sha256("".join(database.iterdump()).encode()).hexdigest()
    assert revision in problems()[code].what
    assert hashlib.sha256("".join(database.iterdump()).encode()).hexdigest() == before
    database.close()


def test_a_silent_daemon(sound: Path, context: Context) -> None:
    lease.release(context, "a test's daemon")
    assert "hermes ratchet daemon" in problems()["daemon"].fix


def test_a_profile_the_daemon_backs_off_from(sound: Path, context: Context) -> None:
    controls.note_failure(context, "coder", RuntimeError("the disk is gone."))
    assert "the disk is gone" in problems()["backing_off"].what


def test_a_service_whose_python_is_gone(sound: Path) -> None:
    unit = Path(os.environ["XDG_CONFIG_HOME"]) / "systemd" / "user" / "hermes-ratchet.service"
    unit.parent.mkdir(parents=True)
    unit.write_text('[Service]\nExecStart="/gone/bin/python" "-m" "hermes_cli.main"\n', encoding="utf-8")
    assert problems()["service"].fix == "hermes ratchet install-service"


def test_requirements_are_judged_by_name_and_bounds() -> None:
    assert dependencies.unmet() == []
    assert dependencies._is_met("SQLAlchemy>=2,<3")
    assert not dependencies._is_met("sqlalchemy>=2,<2.0.1")
    assert not dependencies._is_met("sqlalchemy>=99")
    assert not dependencies._is_met("no-such-distribution-anywhere")
    assert dependencies.install_command(["a>=1,<2"]) == f"{sys.executable} -m pip install 'a>=1,<2'"
