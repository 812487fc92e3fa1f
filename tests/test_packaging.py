"""What a user receives: a wheel with every module and data file, an entry point, a page built from its source."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_SHIPPED = ("tests/", "benchmarks/", "scripts/", "docs/", "dashboard/src/", "dashboard/server/", ".")
NOT_SHIPPED_FILES = {"dashboard/build.mjs", "dashboard/package.json", "dashboard/tsconfig.json"}
SHIPPED_FROM_THE_ROOT = {"plugin.yaml", "py.typed"}


def shipped(tree: list[str]) -> set[str]:
    """Every module, and whatever else lies in a package's folder."""
    inside = {name for name in tree if not name.startswith(NOT_SHIPPED)} - NOT_SHIPPED_FILES
    return {name for name in inside if "/" in name or name.endswith(".py") or name in SHIPPED_FROM_THE_ROOT}


@pytest.fixture
def wheel(copy_of_tree: Path, tmp_path: Path) -> zipfile.ZipFile:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run([*build, "-w", str(tmp_path), str(copy_of_tree)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("karpathy_self_improve-*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_holds_every_module_and_data_file_and_nothing_else(wheel: zipfile.ZipFile, tree: list[str]) -> None:
    prefix = "karpathy_self_improve/"
    held = {name.removeprefix(prefix) for name in wheel.namelist() if name.startswith(prefix)}
    assert held == shipped(tree)


def test_the_wheel_names_the_plugin_to_the_host(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert wheel.read(name).decode().split("\n")[:2] == [
        "[hermes_agent.plugins]",
        "karpathy-self-improve = karpathy_self_improve",
    ]


def test_every_folder_with_modules_is_a_package(tree: list[str]) -> None:
    modules = [Path(name) for name in shipped(tree) if name.endswith(".py")]
    assert {m.parent for m in modules} == {m.parent for m in modules if m.name == "__init__.py"}


def test_every_pin_is_exact_and_covers_what_the_package_needs() -> None:
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", pin)] == []
    check = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout


@pytest.mark.parametrize(
    ("folder", "script", "copied"),
    [("src", "index.js", ["style.css"]), ("server", "server.js", ["server.html", "server.css"])],
)
def test_the_committed_page_was_built_from_the_committed_source(folder: str, script: str, copied: list[str]) -> None:
    source, built = ROOT / "dashboard" / folder, ROOT / "dashboard" / "dist"
    stamp = hashlib.sha256()
    for file in sorted(source.iterdir()):
        stamp.update(f"{file.name}\0".encode() + file.read_bytes())
    head = f"// Built from dashboard/{folder} ({stamp.hexdigest()[:16]})"
    assert (built / script).read_text(encoding="utf-8").startswith(head), (
        "run: cd dashboard && npm install && npm run build"
    )
    for name in copied:
        assert (built / name).read_bytes() == (source / name).read_bytes()


def test_the_page_never_turns_text_into_markup() -> None:
    doors = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function")
    for file in [*(ROOT / "dashboard" / "src").iterdir(), *(ROOT / "dashboard" / "server").iterdir()]:
        assert not doors.search(file.read_text(encoding="utf-8")), file.name
