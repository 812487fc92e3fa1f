"""Where this plugin lies, how it came here, and which other copies of it the host could load."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata, util
from pathlib import Path

import yaml

from .. import host
from ..settings import PLUGIN

PACKAGE = Path(__file__).resolve().parents[1]
_IMPORT_NAME = "karpathy_self_improve"


class Source(StrEnum):
    """How the host finds a copy."""

    PIP = "pip"
    DIRECTORY = "directory"


@dataclass(frozen=True)
class Copy:
    """One place from which the host can load the plugin. ``package`` is ``where`` with symlinks resolved."""

    source: Source
    where: Path
    package: Path


def version() -> str:
    """The version in plugin.yaml, the one that the host shows too."""
    manifest = yaml.safe_load((PACKAGE / "plugin.yaml").read_text(encoding="utf-8"))
    return str(manifest["version"])


def installed_by_pip() -> bool:
    """Whether this Python offers the plugin to the host as an entry point."""
    return any(point.name == PLUGIN for point in metadata.entry_points(group="hermes_agent.plugins"))


def plugin_folder(home: Path) -> Path:
    """Where the host and its dashboard look for the plugin in a home."""
    return home / "plugins" / PLUGIN


def copies_in(home: Path) -> list[Copy]:
    """Every directory of this home's ``plugins`` that calls itself this plugin."""
    try:
        folders = sorted((home / "plugins").iterdir())
    except OSError:
        return []
    return [Copy(Source.DIRECTORY, folder, folder.resolve()) for folder in folders if _is_this_plugin(folder)]


def pip_copy() -> Copy | None:
    """The copy that pip installed, None without one."""
    if not installed_by_pip():
        return None
    spec = util.find_spec(_IMPORT_NAME)
    if spec is None or spec.origin is None:
        return None
    where = Path(spec.origin).parent
    return Copy(Source.PIP, where, where.resolve())


def link(home: Path) -> bool:
    """Make the plugin reachable in a home by a symlink. Returns whether anything was done.

    A copy that is there already, this one or another, stays as it is. Raises OSError.
    """
    if copies_in(home):
        return False
    folder = plugin_folder(home)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        folder.unlink()  # it points nowhere, or at something that is not this plugin
    os.symlink(PACKAGE, folder, target_is_directory=True)
    return True


def switched_off(home: Path) -> bool:
    """Whether a person told this home's configuration not to load the plugin. Raises SettingsInvalid."""
    plugins = host.config(home).get("plugins")
    return isinstance(plugins, dict) and PLUGIN in (plugins.get("disabled") or [])


def needs_link(profile: host.Profile) -> bool:
    """The dashboard reads directories of the root home only; without pip, the agent reads each home's."""
    return profile.home == host.root().resolve() or not installed_by_pip()


def _is_this_plugin(folder: Path) -> bool:
    try:
        manifest = yaml.safe_load((folder / "plugin.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(manifest, dict) and manifest.get("name") == PLUGIN
