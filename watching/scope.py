"""Which files of a profile are guarded: whatever an experiment may change, and the agent's memory in any case.

Paths are plain texts here, relative to the profile's home, which itself is the empty text: a look asks thousands of
times, every few seconds.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from ..errors import PathRefused
from ..ratchet.files.containment import checked_relpath
from ..settings import ChangeLimits

_MEMORY = "memories"
_WILD = frozenset("*?[\\")
_ODD = frozenset("\\:")
_LONG = 500
_ANYTHING = ("**",)
_NOWHERE = Path("/")  # whether a path outside the memory folder is allowed does not depend on the profile


@dataclass(frozen=True)
class Scope:
    """The guarded paths of every profile under one set of limits."""

    limits: ChangeLimits

    @property
    def fingerprint(self) -> str:
        """The patterns as one text, to notice that the operator changed them."""
        return json.dumps(self.limits.allowed_files)

    def names_in(self, folder: str) -> list[str] | None:
        """The names to look for in a folder on the way to guarded files; None: all of them."""
        inside = f"{folder}/" if folder else ""
        if any(not start or inside.startswith(f"{start}/") for start in self._starts):
            return None
        return sorted({start[len(inside) :].split("/")[0] for start in self._starts if start.startswith(inside)})

    def holds(self, relpath: str) -> bool:
        """Whether the file at ``relpath`` is guarded; also under a name that no proposal could use."""
        folder, _, name = relpath.rpartition("/")
        if folder == _MEMORY:
            return name.endswith(".md") and not name.startswith(".")
        return _is_allowed(_spelled(relpath), self.limits.allowed_files)

    def enters(self, folder: str) -> bool:
        """Whether guarded files can lie below ``folder``; not in hidden folders and the host's own state."""
        return folder == _MEMORY or _is_allowed(f"{_spelled(folder)}/x", _ANYTHING)

    @cached_property
    def _starts(self) -> tuple[str, ...]:
        """Where guarded paths begin."""
        patterns = [pattern for pattern in self.limits.allowed_files if not pattern.startswith("!")]
        return (_MEMORY, *map(_start, patterns))


def _start(pattern: str) -> str:
    """The part of a pattern before its first wildcard; the profile's home when it begins with one."""
    parts = pattern.strip("/").split("/")
    wild = next((place for place, part in enumerate(parts) if _WILD & set(part)), len(parts))
    return "/".join(parts[:wild])


def _spelled(path: str) -> str:
    """The path in characters that a proposal may use, so that an odd name hides no file."""
    if path.isascii() and path.isprintable() and len(path) <= _LONG and not _ODD & set(path):
        return path
    composed = unicodedata.normalize("NFC", path)
    plain = "".join(c if c.isprintable() and c not in _ODD else "_" for c in composed)
    if len(plain) <= _LONG:
        return plain
    return "/".join(part if len(part) <= 16 else f"{part[:8]}{part[-8:]}" for part in plain.split("/"))


@lru_cache(maxsize=50_000)
def _is_allowed(relpath: str, allowed_files: tuple[str, ...]) -> bool:
    try:
        checked_relpath(_NOWHERE, relpath, ChangeLimits(allowed_files=allowed_files))
    except PathRefused:
        return False
    return True
