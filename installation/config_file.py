"""Edits a home's config.yaml in place: comments and layout stay, and nothing but the keys asked for changes.

The host's own writer serves one home per process and drops every comment of the person's file, so this one is ours:
ruamel.yaml (which the host carries) round-trips the text, and the result is compared with the intended data before it
replaces the file.
"""

from __future__ import annotations

import copy
import io
import os
import re
import tempfile
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from ..errors import DiskFailed, SettingsInvalid
from ..settings import PLUGIN

Change = Callable[[MutableMapping[str, Any]], None]
_FLUSH_LISTS = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*\n\1- ", re.MULTILINE)


def enable_plugin(home: Path) -> bool:
    """Put the plugin on the home's allow-list. Returns whether the file changed. Raises SettingsInvalid, DiskFailed."""
    return _edit(home / "config.yaml", _enable)


def disable_plugin(home: Path) -> bool:
    """Take the plugin off the allow-list. Returns whether the file changed. Raises SettingsInvalid, DiskFailed."""
    return _edit(home / "config.yaml", _disable)


def set_option(home: Path, name: str, value: Any) -> bool:
    """Set one of our settings. Returns whether the file changed. Raises SettingsInvalid, DiskFailed."""

    def change(document: MutableMapping[str, Any]) -> None:
        _section(_section(_section(document, "plugins"), "entries"), PLUGIN)[name] = value

    return _edit(home / "config.yaml", change)


def drop_options(home: Path) -> bool:
    """Remove all our settings. Returns whether the file changed. Raises SettingsInvalid, DiskFailed."""

    def change(document: MutableMapping[str, Any]) -> None:
        plugins = document.get("plugins")
        entries = plugins.get("entries") if isinstance(plugins, MutableMapping) else None
        if isinstance(entries, MutableMapping):
            entries.pop(PLUGIN, None)

    return _edit(home / "config.yaml", change)


def has_options(home: Path) -> bool:
    """Whether the file holds settings of ours. Raises SettingsInvalid."""
    path = home / "config.yaml"
    plugins = _plain(path, _read(path)).get("plugins")
    entries = plugins.get("entries") if isinstance(plugins, dict) else None
    return isinstance(entries, dict) and PLUGIN in entries


def _enable(document: MutableMapping[str, Any]) -> None:
    plugins = _section(document, "plugins")
    enabled = plugins.get("enabled")
    if enabled is None:
        plugins["enabled"] = enabled = []
    if not isinstance(enabled, list):
        raise SettingsInvalid("plugins.enabled in config.yaml is not a list. Correct it and try again.")
    if PLUGIN not in enabled:
        enabled.append(PLUGIN)


def _disable(document: MutableMapping[str, Any]) -> None:
    plugins = document.get("plugins")
    enabled = plugins.get("enabled") if isinstance(plugins, MutableMapping) else None
    while isinstance(enabled, list) and PLUGIN in enabled:
        enabled.remove(PLUGIN)


def _section(parent: MutableMapping[str, Any], key: str) -> MutableMapping[str, Any]:
    found = parent.get(key)
    if found is None:
        parent[key] = found = type(parent)()
    if not isinstance(found, MutableMapping):
        raise SettingsInvalid(f"'{key}' in config.yaml is not a mapping. Correct it and try again.")
    return found


def _edit(path: Path, change: Change) -> bool:
    before = _read(path)
    plain = _plain(path, before)
    wanted = copy.deepcopy(plain)
    change(wanted)
    if wanted == plain:
        return False
    after = _changed(path, before, change)
    if yaml.safe_load(after) != wanted:
        raise SettingsInvalid(
            f"{path} cannot be edited without changing something else in it. Edit it by hand: "
            f"plugins.enabled and plugins.entries.{PLUGIN} are the keys."
        )
    _replace(path, after)
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} cannot be read: {error}. Correct it and try again.") from None


def _plain(path: Path, text: str) -> dict[str, Any]:
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsInvalid(f"{path} cannot be read as YAML ({error}). Correct it and try again.") from None
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise SettingsInvalid(f"{path} does not hold a mapping. Correct it and try again.")
    return parsed


def _changed(path: Path, text: str, change: Change) -> str:
    """``text`` with the change, everything else spelled as it was as far as ruamel.yaml can."""
    writer = YAML(typ="rt")
    writer.preserve_quotes = True
    writer.width = 1 << 16
    if not _FLUSH_LISTS.search(text):
        writer.indent(mapping=2, sequence=4, offset=2)
    try:
        document = writer.load(text)
        empty = document is None
        if empty:
            document = CommentedMap()
        change(document)
        out = io.StringIO()
        writer.dump(document, out)
    except YAMLError as error:
        raise SettingsInvalid(f"{path} cannot be edited ({error}). Correct it and try again.") from None
    return f"{text}{out.getvalue()}" if empty else out.getvalue()  # a file of comments has nothing to hold them


def _replace(path: Path, text: str) -> None:
    """Write the whole file at once, through a symlink to the file it names, with the mode it had."""
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        fd, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, mode)
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DiskFailed(f"{path} cannot be written: {error}. It is as it was.") from error
