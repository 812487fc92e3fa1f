"""Puts this checkout under its one name, keeps tests away from the real home, and offers a throw-away Hermes root."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = "karpathy-self-improve"
PACKAGE = "karpathy_self_improve"
GIT_USER = "[user]\n\tname = Somebody\n\temail = somebody@example.invalid\n[init]\n\tdefaultBranch = main\n"


def _leave_the_real_home() -> Path:
    """Points HOME and HERMES_HOME at a fresh directory, before the host is first imported: it keeps some paths."""
    away = Path(tempfile.mkdtemp(prefix="ratchet-tests-"))
    for name in [n for n in os.environ if n.startswith(("HERMES_", "RATCHET_", "GIT_"))]:
        del os.environ[name]
    for variable, folder in {"HOME": "user", "HERMES_HOME": "hermes"}.items():
        (away / folder).mkdir()
        os.environ[variable] = str(away / folder)
    (away / "user" / ".gitconfig").write_text(GIT_USER, encoding="utf-8")
    return away


def _import_checkout() -> None:
    """Makes ``karpathy_self_improve`` mean this checkout, whatever is installed and whatever its folder is called."""
    init = ROOT / "__init__.py"
    spec = importlib.util.spec_from_file_location(PACKAGE, init, submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


AWAY = _leave_the_real_home()
_import_checkout()


def _imported_twice() -> dict[Path, list[str]]:
    """Files of this checkout that stand in ``sys.modules`` under more than one name, with those names."""
    names: dict[Path, list[str]] = defaultdict(list)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_relative_to(ROOT) and not Path(file).is_relative_to(ROOT / ".venv"):
            names[Path(file).resolve()].append(name)
    return {file: found for file, found in names.items() if len(found) > 1}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", autouse=True)
def imported_twice() -> Iterator[Callable[[], dict[Path, list[str]]]]:
    """Finds files of ours imported under two names, and fails the session on any: their classes would exist twice."""
    yield _imported_twice
    twice = _imported_twice()
    assert not twice, f"imported under two names: {twice}"


def pytest_unconfigure() -> None:
    shutil.rmtree(AWAY, ignore_errors=True)


@pytest.fixture(scope="session")
def tree() -> list[str]:
    """The files of this checkout as they would be committed, relative to its root, with ``/``."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted({name for name in names if name and (ROOT / name).is_file()})


@pytest.fixture(scope="session")
def debian_package() -> Callable[[str, Callable[[], object]], None]:
    """``debian_package(name, there)``: installs it unless ``there()``, where that is possible: on Debian, as root."""

    def install(name: str, there: Callable[[], object]) -> None:
        if there() or os.geteuid() != 0 or not shutil.which("apt-get"):
            return
        with Path(tempfile.gettempdir(), "ratchet-tests-apt.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the tests' processes would take apt's own locks from each other
            for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", name]):
                if not there():
                    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                    subprocess.run(["apt-get", *words], **quiet, check=False)

    return install


@pytest.fixture
def copy_of_tree(tree: list[str], tmp_path: Path) -> Path:
    """A copy of exactly those files, to build or install from without touching the checkout."""
    copy = tmp_path / "copy"
    for name in tree:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh Hermes root: config.yaml with the plugin enabled, a SOUL.md, and HERMES_HOME pointing at it."""
    root = tmp_path / "hermes"
    root.mkdir()
    (root / "config.yaml").write_text(f"plugins:\n  enabled: [{PLUGIN}]\n", encoding="utf-8")
    (root / "SOUL.md").write_text("# Soul\n\nYou are a helpful agent. You answer briefly.\n", encoding="utf-8")
    monkeypatch.setenv("HERMES_HOME", str(root))
    return root


@pytest.fixture
def git_identity_free_env(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which git knows no user and guesses none: a commit works only with an identity of its own."""
    for name in [n for n in os.environ if n.startswith("GIT_")] + ["EMAIL"]:
        monkeypatch.delenv(name, raising=False)
    settings = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "user.useConfigOnly",
        "GIT_CONFIG_VALUE_0": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
