"""Which files a change may touch: a path below the profile, on the allow-list, and never one that holds secrets."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from .. import host
from ..errors import PathRefused
from ..settings import ChangeLimits

_MAX_LENGTH = 512
_NEVER_NAMES = frozenset({".env", "auth.json", "config.yaml", ".git", ".gitattributes", ".gitmodules"})
_NEVER_FOLDERS = frozenset({"logs", "sessions", "pending", "plugins", "hooks", "cron", "ratchet", "profiles"})
_NEVER_ENDINGS = (".db", ".db-wal", ".db-shm", ".sqlite", ".sqlite3", ".log", ".pem", ".key", ".lock")


def checked_relpath(home: Path, text: str, limits: ChangeLimits) -> PurePosixPath:
    """``text`` as a path that a change of this profile may target. Raises PathRefused and says why.

    Only the spelling is judged here; links on the way are refused where the file is opened.
    """
    relpath = _plain(text)
    lowered = [part.lower() for part in relpath.parts]
    if lowered[-1] in _NEVER_NAMES or lowered[-1].endswith(_NEVER_ENDINGS) or lowered[0] in _NEVER_FOLDERS:
        raise PathRefused(f"'{relpath}' holds settings, secrets or state; no change may touch it.")
    if any(part.startswith(".") for part in relpath.parts):
        raise PathRefused(f"'{relpath}' is hidden; only plain files can be changed.")
    if not GitIgnoreSpec.from_lines(_anchored(home, limits)).match_file(str(relpath)):
        raise PathRefused(
            f"'{relpath}' is not on the list of files a change may touch ({', '.join(limits.allowed_files)}). "
            "The operator can extend changes.allowed_files in config.yaml."
        )
    return relpath


def _plain(text: str) -> PurePosixPath:
    if not text or len(text) > _MAX_LENGTH:
        raise PathRefused(f"A target file is named by a path of 1 to {_MAX_LENGTH} characters below the profile.")
    if not text.isprintable() or "\\" in text or ":" in text:
        raise PathRefused("The target path has a character that no profile file has.")
    if text.startswith(("/", "~")) or any(part in ("", ".", "..") for part in text.split("/")):
        raise PathRefused(f"'{text}' must be a plain path below the profile, such as SOUL.md.")
    return PurePosixPath(text)


def _anchored(home: Path, limits: ChangeLimits) -> list[str]:
    patterns = [pattern if pattern.startswith("/") else f"/{pattern}" for pattern in limits.allowed_files]
    if limits.allow_memory and host.memory_writes_are_staged(home):
        patterns.append("/memories/*.md")
    return patterns
