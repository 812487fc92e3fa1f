"""`uninstall`: what was set up is gone, profiles and (unless asked) data stay, and it waits for what is on its way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from karpathy_self_improve.errors import Conflict
from karpathy_self_improve.installation import service_unit
from karpathy_self_improve.installation.init import initialise
from karpathy_self_improve.installation.uninstall import Item, Kind, uninstall
from karpathy_self_improve.ratchet import approval, experiments, lease
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.settings import server_token_path

PLUGIN = "karpathy-self-improve"
SOMEBODY = Actor("somebody", "os:somebody")


@pytest.fixture
def context(machine: Path) -> Iterator[Context]:
    """Everything set up, the service written."""
    initialise(approval="unsigned")
    unit = service_unit.unit_path()
    unit.parent.mkdir(parents=True)
    unit.write_text(service_unit.unit_text(), encoding="utf-8")
    made = open_context()
    yield made
    made.store.close()


def profile_files(root: Path) -> dict[Path, str]:
    names = ("SOUL.md", "profiles/coder/SOUL.md")
    return {root / name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in names}


def of_kind(items: tuple[Item, ...], kind: Kind) -> list[Item]:
    return [item for item in items if item.kind is kind]


def test_what_was_set_up_goes_and_what_is_yours_stays(machine: Path, context: Context) -> None:
    before = profile_files(machine)
    items = uninstall()
    assert not service_unit.unit_path().exists()
    assert not (machine / "plugins" / PLUGIN).is_symlink()
    for place in (machine, machine / "profiles" / "coder"):
        assert yaml.safe_load((place / "config.yaml").read_text(encoding="utf-8"))["plugins"]["enabled"] == []
        assert "# mine" in (place / "config.yaml").read_text(encoding="utf-8")
    assert (machine / "ratchet" / "ratchet.db").exists()
    assert profile_files(machine) == before
    assert {item.kind for item in items if item.removed} == {Kind.SERVICE, Kind.LINK, Kind.ENABLED}
    assert {item.kind for item in items if not item.removed} == {Kind.DATA, Kind.SETTINGS, Kind.PROFILE, Kind.PACKAGE}
    assert all(item.note for item in items if not item.removed)


def test_a_second_run_finds_nothing_left_to_remove(machine: Path, context: Context) -> None:
    uninstall()
    assert [item for item in uninstall() if item.removed] == []


def test_data_and_settings_go_only_when_asked(machine: Path, context: Context) -> None:
    before = profile_files(machine)
    items = uninstall(delete_data=True)
    assert not (machine / "ratchet").exists()
    assert PLUGIN not in (machine / "config.yaml").read_text(encoding="utf-8")
    assert all(item.removed for kind in (Kind.DATA, Kind.SETTINGS) for item in of_kind(items, kind))
    assert profile_files(machine) == before


def test_a_database_elsewhere_is_found_too(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATCHET_DB", str(tmp_path / "mine.db"))
    initialise()
    kept = {item.where for item in of_kind(uninstall(), Kind.DATA)}
    assert str(tmp_path / "mine.db") in kept
    (tmp_path / "mine.db.notes").write_text("somebody else's", encoding="utf-8")
    uninstall(delete_data=True)
    assert [path.name for path in tmp_path.glob("mine.db*")] == ["mine.db.notes"]


def test_a_change_on_its_way_stops_it_unless_told(machine: Path, context: Context) -> None:
    made = experiments.propose(context, "coder", "SOUL.md", b"# Soul\n\nYou help. Be very brief.\n", "", SOMEBODY)
    approval.approve(context, made.id, SOMEBODY, override_reason="a typo")
    with pytest.raises(Conflict, match=f"experiment {made.id}"):
        uninstall(delete_data=True)
    assert service_unit.unit_path().exists()
    assert (machine / "plugins" / PLUGIN).is_symlink()
    assert of_kind(uninstall(leave_live=True), Kind.LINK)


def test_a_working_daemon_stops_it(machine: Path, context: Context) -> None:
    lease.acquire(context, "a test's daemon")
    with pytest.raises(Conflict, match="systemctl --user disable --now"):
        uninstall(leave_live=True)
    lease.release(context, "a test's daemon")
    assert uninstall()


def test_a_real_folder_in_the_plugins_folder_is_the_hosts_to_remove(machine: Path, context: Context) -> None:
    folder = machine / "plugins" / PLUGIN
    folder.unlink()
    folder.mkdir()
    (folder / "plugin.yaml").write_text(f"name: {PLUGIN}\n", encoding="utf-8")
    items = of_kind(uninstall(), Kind.PACKAGE)
    assert folder.is_dir()
    assert f"hermes -p default plugins remove {PLUGIN}" in {item.note for item in items}


def test_a_symlink_of_yours_to_something_else_stays(machine: Path, context: Context, tmp_path: Path) -> None:
    folder = machine / "plugins" / PLUGIN
    folder.unlink()
    folder.symlink_to(tmp_path)
    uninstall()
    assert folder.is_symlink()


def test_the_servers_token_goes_with_the_data_only(context: Context) -> None:
    token = server_token_path()
    token.parent.mkdir(parents=True, exist_ok=True)
    token.write_text("t" * 43)
    kept = uninstall(leave_live=True)
    assert token.exists()
    assert [item.removed for item in kept if item.where == str(token)] == [False]
    gone = uninstall(delete_data=True)
    assert not token.exists()
    assert [item.removed for item in gone if item.where == str(token)] == [True]
