"""Which files a change may touch: a path below the profile, on the allow-list, and never one that holds secrets."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from ... import host
from ...errors import PathRefused
from ...settings import ChangeLimits

_MAX_LENGTH = 512
_NEVER_STARTS = ("auth.json", "config.yaml")  # with the copies that editors and updates leave beside them
_NEVER_FOLDERS = frozenset({"logs", "sessions", "pending", "plugins", "hooks", "cron", "ratchet", "profiles"})
_NEVER_ENDINGS = (
    ".db",
    ".db-wal",
    ".db-shm",
    ".db-journal",
    ".sqlite",
    ".sqlite3",
    ".log",
    ".pem",
    ".key",
    ".lock",
    ".env",
)
_MEMORY = "memories"


def checked_relpath(home: Path, text: str, limits: ChangeLimits) -> PurePosixPath:
    """``text`` as a path that a change of this profile may target. Raises PathRefused and says why.

    Only the spelling is judged here; links on the way are refused where the file is opened.
    """
    relpath = checked_spelling(text)
    if _folded(relpath.parts[0]) == _MEMORY:
        _check_memory(home, relpath, limits)
    elif not GitIgnoreSpec.from_lines(_anchored(limits.allowed_files)).match_file(str(relpath)):
        raise PathRefused(
            f"'{relpath}' is not on the list of files a change may touch ({', '.join(limits.allowed_files)}). "
            "The operator can extend changes.allowed_files in config.yaml."
        )
    return relpath


def checked_spelling(text: str) -> PurePosixPath:
    """``text`` as a path that a revert may write to: whatever the operator allows today, what is live can be undone.

    Raises PathRefused for a path that is not plain, and for what no change may ever touch.
    """
    relpath = _plain(text)
    folded = [_folded(part) for part in relpath.parts]
    if folded[0] in _NEVER_FOLDERS or folded[-1].startswith(_NEVER_STARTS) or folded[-1].endswith(_NEVER_ENDINGS):
        raise PathRefused(f"'{relpath}' holds settings, secrets or state; no change may touch it.")
    if any(part.startswith(".") for part in folded):
        raise PathRefused(f"'{relpath}' is hidden; only plain files can be changed.")
    return relpath


def _plain(text: str) -> PurePosixPath:
    if not text or len(text) > _MAX_LENGTH:
        raise PathRefused(f"A target file is named by a path of 1 to {_MAX_LENGTH} characters below the profile.")
    if not text.isprintable() or "\\" in text or ":" in text:
        raise PathRefused("The target path has a character that no profile file has.")
    if text != unicodedata.normalize("NFC", text):
        raise PathRefused("The target path is not written in Unicode's composed form (NFC), which git and we need.")
    if text.startswith(("/", "~")) or any(part in ("", ".", "..") for part in text.split("/")):
        raise PathRefused(f"'{text}' must be a plain path below the profile, such as SOUL.md.")
    return PurePosixPath(text)


def _folded(part: str) -> str:
    """As the most forgiving file system would read it: case and look-alike letters do not count."""
    return unicodedata.normalize("NFKC", part).casefold()


def _check_memory(home: Path, relpath: PurePosixPath, limits: ChangeLimits) -> None:
    """The allow-list alone is not enough here: the agent itself writes these files between two sessions."""
    if relpath.parts[0] != _MEMORY or len(relpath.parts) != 2 or relpath.suffix != ".md":
        raise PathRefused(f"'{relpath}' is not one of the memory files, {_MEMORY}/*.md.")
    if not limits.allow_memory or not host.memory_writes_are_staged(home):
        raise PathRefused(
            f"'{relpath}' may be changed only when the operator set changes.allow_memory and this profile's "
            "config.yaml has memory.write_approval: true, so that the agent stages its own edits."
        )


def _anchored(patterns: Iterable[str]) -> Iterator[str]:
    """Patterns are meant from the profile's home; ``!`` in front takes files off the list again."""
    for pattern in patterns:
        plain = pattern.removeprefix("!").removeprefix("/")
        if pattern.startswith("!"):
            yield f"!/{plain}"
            continue
        yield f"/{plain}"
        if not plain.endswith(("/", "**")):
            yield f"!/{plain}/"  # a pattern for files does not mean everything in a folder of such a name
