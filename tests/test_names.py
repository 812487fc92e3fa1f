"""One name for each thing: the plugin in all its files, each module in sys.modules, and none that hides another's."""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def plugin() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "plugin.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def manifest() -> dict[str, Any]:
    return json.loads((ROOT / "dashboard" / "manifest.json").read_text(encoding="utf-8"))


def test_manifest_plugin_and_entry_point_bear_one_name(
    project: dict[str, Any], plugin: dict[str, Any], manifest: dict[str, Any]
) -> None:
    (entry_point,) = project["entry-points"]["hermes_agent.plugins"]
    assert {entry_point, project["name"], plugin["name"], manifest["name"]} == {"karpathy-self-improve"}
    assert project["entry-points"]["hermes_agent.plugins"][entry_point] == "karpathy_self_improve"


def test_versions_agree(project: dict[str, Any], plugin: dict[str, Any], manifest: dict[str, Any]) -> None:
    assert project["version"] == plugin["version"] == manifest["version"]
    assert f"\n## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_manifest_names_files_that_are_there(manifest: dict[str, Any]) -> None:
    for key in ("entry", "css", "api"):
        assert (ROOT / "dashboard" / manifest[key]).is_file()


def test_no_root_name_hides_the_standard_library_or_the_host(tree: list[str]) -> None:
    ours = {name.split("/")[0].removesuffix(".py") for name in tree if name.endswith(".py")}
    hosts = (importlib.metadata.distribution("hermes-agent").read_text("top_level.txt") or "").split()
    assert len(hosts) > 10
    assert ours & (set(hosts) | sys.stdlib_module_names) == set()


def test_test_file_names_are_unique(tree: list[str]) -> None:
    names = [Path(name).name for name in tree if name.startswith("tests/") and Path(name).name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def test_a_file_imported_under_a_second_name_is_noticed(
    imported_twice: Callable[[], dict[Path, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import karpathy_self_improve.clock

    twin = ModuleType("clock")
    twin.__file__ = karpathy_self_improve.clock.__file__
    monkeypatch.setitem(sys.modules, "clock", twin)
    assert imported_twice() == {ROOT / "clock.py": ["karpathy_self_improve.clock", "clock"]}
