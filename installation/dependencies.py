"""Which Python packages this plugin still needs, and the exact command that installs them. Standard library only."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata, util
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_DISTRIBUTION = "karpathy-self-improve"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BOUND = re.compile(r"(>=|<)\s*([0-9.]+)")


def required() -> list[str]:
    """What this plugin declares, as written, e.g. ``sqlalchemy>=2,<3``."""
    declared = _PACKAGE / "pyproject.toml"
    if declared.is_file():
        return list(tomllib.loads(declared.read_text(encoding="utf-8"))["project"]["dependencies"])
    listed = metadata.requires(_DISTRIBUTION) or []
    return [text for text in listed if "extra ==" not in text]


def unmet() -> list[str]:
    """The requirements that no installed package fulfils."""
    return [text for text in required() if not _is_met(text)]


def install_command(requirements: Iterable[str]) -> str:
    """The shell command that installs ``requirements`` for the Python that runs the host."""
    return _pip("install", *requirements)


def uninstall_command() -> str:
    """The shell command that removes this plugin again, where pip installed it."""
    return _pip("uninstall", _DISTRIBUTION)


def explain(error: ImportError) -> str:
    """One sentence for a person who met ``error``: what is missing, and the command that helps."""
    missing = unmet()
    if not missing:
        return f"The plugin cannot be imported: {error}. Install it again; 'hermes ratchet doctor' looks for the cause."
    names = ", ".join(missing)
    return f"Python packages are missing ({names}). Install them with: {install_command(missing)}"


def _pip(*words: str) -> str:
    """A pip command for the Python that runs the host, whose environment may have been made by uv and lack pip."""
    if not util.find_spec("pip") and shutil.which("uv"):
        verb, *rest = words
        return shlex.join(["uv", "pip", verb, "--python", sys.executable, *rest])
    command = shlex.join([sys.executable, "-m", "pip", *words])
    return command if util.find_spec("pip") else f"{shlex.join([sys.executable, '-m', 'ensurepip'])} && {command}"


def _is_met(requirement: str) -> bool:
    name = _NAME.match(requirement)
    try:
        found = _numbers(metadata.version(name[0] if name else requirement))
    except metadata.PackageNotFoundError:
        return False
    bounds = [(sign, _numbers(number)) for sign, number in _BOUND.findall(requirement)]
    return all(found >= number if sign == ">=" else found < number for sign, number in bounds)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
