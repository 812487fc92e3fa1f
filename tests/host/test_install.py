"""Both ways to install the plugin into a real host that does not have it: as a plugin folder, and with pip."""

from __future__ import annotations

import json
import site
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGIN = "karpathy-self-improve"
Hermes = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """An interpreter with the host and our dependencies, but without our package: links to all the rest."""
    folder = tmp_path / "bare"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    target = _site_packages(folder)
    for entry in Path(site.getsitepackages()[0]).iterdir():
        if "karpathy" not in entry.name:
            (target / entry.name).symlink_to(entry)
    return python


def _site_packages(folder: Path) -> Path:
    return next((folder / "lib").glob("python3*/site-packages"))


def _package_file(hermes: Hermes, python: Path) -> Path:
    """Where the host loads the plugin from, as the plugin's own command tells."""
    code = (
        "import sys; from hermes_cli.plugins import discover_plugins; discover_plugins();"
        "print([m.__file__ for n, m in sys.modules.items() if n.endswith('karpathy_self_improve')][0])"
    )
    done = subprocess.run([str(python), "-P", "-c", code], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip().splitlines()[-1])


def test_bare_host_does_not_know_the_command(hermes: Hermes, bare_python: Path) -> None:
    """The other two tests would prove nothing if the development install leaked into the bare interpreter."""
    done = hermes("ratchet", "status", python=str(bare_python))
    assert done.returncode == 2, done.stdout
    assert "invalid choice" in done.stderr


def test_installed_as_a_plugin_folder(hermes: Hermes, bare_python: Path, released: Path, home: Path) -> None:
    installed = hermes("plugins", "install", f"file://{released}", "--enable", python=str(bare_python))
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert _package_file(hermes, bare_python) == home / "plugins" / PLUGIN / "__init__.py"
    _works(hermes, bare_python)


def test_installed_with_pip(hermes: Hermes, bare_python: Path, copy_of_tree: Path) -> None:
    target = _site_packages(bare_python.parents[1])
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(target),
    ]
    subprocess.run([*command, str(copy_of_tree)], check=True, capture_output=True)
    assert _package_file(hermes, bare_python) == target / "karpathy_self_improve" / "__init__.py"
    _works(hermes, bare_python)
    linked = hermes("ratchet", "init", "--approval", "unsigned", python=str(bare_python))
    assert linked.returncode == 0, linked.stdout + linked.stderr


def _works(hermes: Hermes, python: Path) -> None:
    """A change can be proposed and read back."""
    words = ["new", "--file", "SOUL.md", "--replace", "You answer briefly.", "You answer at once.", "--why", "test"]
    proposed = hermes("ratchet", *words, "--json", python=str(python))
    assert proposed.returncode == 0, proposed.stdout + proposed.stderr
    status = hermes("ratchet", "status", "--json", python=str(python))
    assert status.returncode == 0, status.stdout + status.stderr
    assert json.loads(status.stdout)
    shown = hermes("ratchet", "show", "1", "--json", python=str(python))
    assert json.loads(shown.stdout)["experiment"]["state"] == "proposed"
