"""`init`: everything in place after one run, nothing touched by a second, and nothing of the person's overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from karpathy_self_improve.errors import ApprovalRefused, DiskFailed, SettingsInvalid, UnknownProfile
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.installation import package
from karpathy_self_improve.installation.init import StepKind, initialise
from karpathy_self_improve.ratchet.context import open_context

PLUGIN = "karpathy-self-improve"


def enabled(home: Path) -> list[str]:
    return list(yaml.safe_load((home / "config.yaml").read_text(encoding="utf-8"))["plugins"]["enabled"])


def test_one_run_puts_everything_in_place(machine: Path) -> None:
    done = initialise(approval="unsigned")
    assert done.approval == "unsigned"
    assert (machine / "ratchet").stat().st_mode & 0o777 == 0o700
    assert (machine / "ratchet" / "ratchet.db").is_file()
    assert (machine / "plugins" / PLUGIN).resolve() == package.PACKAGE
    assert enabled(machine) == enabled(machine / "profiles" / "coder") == [PLUGIN]
    assert "# mine" in (machine / "config.yaml").read_text(encoding="utf-8")
    context = open_context()
    found = {scenario.profile for scenario in scenarios.list_scenarios(context)}
    context.store.close()
    assert found == {"default", "coder"}


def test_a_second_run_changes_nothing(machine: Path) -> None:
    initialise(approval="unsigned")
    before = {path: path.lstat().st_mtime_ns for path in machine.rglob("config.yaml")}
    again = initialise(approval="unsigned")
    assert [step for step in again.steps if step.changed] == []
    assert {path: path.lstat().st_mtime_ns for path in machine.rglob("config.yaml")} == before
    assert initialise().approval == "unsigned"


def test_without_a_choice_approvals_stay_signed(machine: Path) -> None:
    assert initialise().approval == "signed"
    assert "entries" not in (machine / "config.yaml").read_text(encoding="utf-8")


def test_only_the_named_profiles_are_set_up(machine: Path) -> None:
    initialise(["coder"])
    assert enabled(machine) == []
    assert enabled(machine / "profiles" / "coder") == [PLUGIN]


def test_a_profile_switched_off_on_purpose_stays_off(machine: Path) -> None:
    config = machine / "profiles" / "coder" / "config.yaml"
    config.write_text(f"plugins: {{enabled: [], disabled: [{PLUGIN}]}}\n", encoding="utf-8")
    done = initialise()
    assert enabled(machine / "profiles" / "coder") == []
    assert any(step.kind is StepKind.ENABLED and "left off" in step.note for step in done.steps)


def test_a_wrong_wish_creates_nothing(machine: Path) -> None:
    with pytest.raises(UnknownProfile):
        initialise(["nobody"])
    (machine / "config.yaml").write_text(f"plugins: {{entries: {{{PLUGIN}: {{approval: maybe}}}}}}\n", encoding="utf-8")
    with pytest.raises(SettingsInvalid):
        initialise()
    assert not (machine / "ratchet").exists()


def test_an_agents_tool_shell_cannot_choose_who_approves(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_SESSION_ID", "20261120_102425_8e2e58")
    with pytest.raises(ApprovalRefused):
        initialise(approval="unsigned")
    assert not (machine / "ratchet").exists()


def test_an_open_data_directory_is_closed(machine: Path) -> None:
    (machine / "ratchet").mkdir(mode=0o755)
    initialise()
    assert (machine / "ratchet").stat().st_mode & 0o777 == 0o700


def test_another_copy_in_the_plugins_folder_is_left_alone(machine: Path) -> None:
    mine = machine / "plugins" / "my-own-checkout"
    mine.mkdir(parents=True)
    (mine / "plugin.yaml").write_text(f"name: {PLUGIN}\n", encoding="utf-8")
    initialise()
    assert [path.name for path in (machine / "plugins").iterdir()] == ["my-own-checkout"]


def test_a_symlink_that_points_nowhere_is_replaced(machine: Path) -> None:
    folder = machine / "plugins" / PLUGIN
    folder.parent.mkdir()
    folder.symlink_to(machine / "gone")
    initialise()
    assert folder.resolve() == package.PACKAGE


def test_something_else_in_the_way_is_named(machine: Path) -> None:
    folder = machine / "plugins" / PLUGIN
    folder.parent.mkdir()
    folder.write_text("not a folder", encoding="utf-8")
    with pytest.raises(DiskFailed, match=PLUGIN):
        initialise()
    assert folder.read_text(encoding="utf-8") == "not a folder"
