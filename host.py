"""Everything this project asks of Hermes, the host: homes, profiles, configuration. No other module imports it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import SettingsInvalid, UnknownProfile
from .settings import PLUGIN, Settings, parse_settings


@dataclass(frozen=True)
class Profile:
    """One Hermes profile: its name and its home directory, symlinks resolved."""

    name: str
    home: Path


def root() -> Path:
    """The machine-wide Hermes home, whichever profile is active."""
    from hermes_constants import get_default_hermes_root

    return Path(get_default_hermes_root())


def active_home() -> Path:
    """The home of the profile this process serves right now."""
    from hermes_constants import get_hermes_home

    return Path(get_hermes_home())


def data_dir() -> Path:
    """Where all our data lives: ``<root>/ratchet``; not created here."""
    return root() / "ratchet"


def profiles() -> list[Profile]:
    """Every profile of this machine, the default one first; a second name for the same home is not one of its own."""
    from hermes_cli.profiles import profiles_to_serve

    found: dict[Path, Profile] = {}
    for name, home in profiles_to_serve(True):
        resolved = Path(home).resolve()
        found.setdefault(resolved, Profile(name, resolved))
    return list(found.values())


def profile(name: str) -> Profile:
    """The profile called ``name``. Raises UnknownProfile and says which ones there are."""
    known = profiles()
    for candidate in known:
        if candidate.name == name:
            return candidate
    names = ", ".join(p.name for p in known)
    raise UnknownProfile(f"There is no profile '{name}' here. Known: {names}.", profile=name)


def active_profile() -> Profile:
    """The profile whose home this process serves; ``default`` when the home belongs to none by name."""
    home = active_home().resolve()
    known = profiles()
    return next((p for p in known if p.home == home), known[0])


def config(home: Path) -> Mapping[str, Any]:
    """The parsed ``config.yaml`` of a home, empty when there is none. Raises SettingsInvalid when it is not YAML."""
    import yaml

    path = home / "config.yaml"
    if path.exists() and not path.is_file():
        raise SettingsInvalid(f"{path} is no regular file. Put the configuration back and try again.")
    try:
        parsed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read as YAML ({error}). Correct it and try again.") from None
    return parsed if isinstance(parsed, Mapping) else {}


def _section(parent: object, key: str) -> Any:
    return parent.get(key) if isinstance(parent, Mapping) else None


def settings() -> Settings:
    """Our settings, always those of the root home. Raises SettingsInvalid."""
    entries = _section(_section(config(root()), "plugins"), "entries")
    return parse_settings(_section(entries, PLUGIN))


def memory_writes_are_staged(home: Path) -> bool:
    """Whether the host keeps its own hands off this profile's memory until a person agrees."""
    return _section(_section(config(home), "memory"), "write_approval") is True


def plugin_enabled(home: Path) -> bool:
    """Whether this home's configuration lets the plugin load."""
    plugins = _section(config(home), "plugins")
    return PLUGIN in _names(plugins, "enabled") and PLUGIN not in _names(plugins, "disabled")


def _names(section: object, key: str) -> list[object]:
    """A list of the configuration; empty when a person wrote something else there."""
    found = _section(section, key)
    return found if isinstance(found, list) else []


def default_identity() -> str:
    """The text the host puts first into the prompt of a profile without SOUL.md."""
    from agent.prompt_builder import DEFAULT_AGENT_IDENTITY

    return str(DEFAULT_AGENT_IDENTITY)


def inside_agent() -> bool:
    """Whether this process was started by an agent's tool shell."""
    return bool(os.environ.get("HERMES_SESSION_ID"))
