"""The dashboard runs our shim as a lone file: it must find the package that is loaded, or load it by its place."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUN_AS_THE_HOST_DOES = """
import importlib.util, sys
def execute(name, file):
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=places.get(name))
    module = importlib.util.module_from_spec(spec); sys.modules[name] = module; spec.loader.exec_module(module)
    return module
root, loaded = sys.argv[1], sys.argv[2:]
places = {name: [root] for name in loaded}
for name in loaded:
    execute(name, root + "/__init__.py")
router = execute("hermes_dashboard_plugin_x", root + "/dashboard/plugin_api.py").router
print(router, *sorted(name for name in sys.modules if name.endswith(".plugin_api")))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of our layout in a folder with a hyphen, whose router is told apart from any other."""
    root = tmp_path / "some-folder"
    (root / "dashboard").mkdir(parents=True)
    (root / "__init__.py").touch()
    (root / "words.py").write_text("ROUTER = 'the router'\n", encoding="utf-8")
    (root / "plugin_api.py").write_text("from .words import ROUTER as router\n", encoding="utf-8")
    shutil.copy(ROOT / "dashboard" / "plugin_api.py", root / "dashboard")
    return root


@pytest.mark.parametrize("name", ["karpathy_self_improve", "hermes_plugins.karpathy_self_improve"])
@pytest.mark.parametrize("loaded", [True, False])
def test_the_router_comes_from_one_package(package: Path, name: str, loaded: bool) -> None:
    command = [sys.executable, "-I", "-c", RUN_AS_THE_HOST_DOES, str(package), *([name] if loaded else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    only = name if loaded else "hermes_plugins.karpathy_self_improve"
    assert done.stdout == f"the router {only}.plugin_api\n", done.stderr


def test_a_symlinked_install_finds_the_package_it_points_at(package: Path, tmp_path: Path) -> None:
    link = tmp_path / "karpathy-self-improve"
    link.symlink_to(package)
    host = RUN_AS_THE_HOST_DOES.replace('root + "/dashboard', f'"{link}/dashboard')
    command = [sys.executable, "-I", "-c", host, str(package), "karpathy_self_improve"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "the router karpathy_self_improve.plugin_api\n", done.stderr
