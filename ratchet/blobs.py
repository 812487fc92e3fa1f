"""Exact file contents, stored once under their SHA-256."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .._db import driver
from ..errors import StoreCorrupt

if TYPE_CHECKING:
    from sqlalchemy import Connection


def digest(content: bytes | None) -> str | None:
    """SHA-256 in hex; None for a file that does not exist."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def keep(tx: Connection, content: bytes | None) -> str | None:
    """Store ``content`` unless it is there already. Returns its digest."""
    name = digest(content)
    if name is None or content is None:
        return None
    known = driver(tx).execute("SELECT 1 FROM blobs WHERE sha256 = ?", (name,)).fetchone()
    if known is None:
        driver(tx).execute("INSERT INTO blobs (sha256, size, content) VALUES (?, ?, ?)", (name, len(content), content))
    return name


def longest(tx: Connection, *names: str | None) -> int:
    """The size in bytes of the longest of these contents; one that is not stored counts as empty."""
    marks = ", ".join("?" for _ in names)
    row = driver(tx).execute(f"SELECT max(length(content)) FROM blobs WHERE sha256 IN ({marks})", names).fetchone()
    return int(row[0] or 0)


def load(tx: Connection, name: str | None) -> bytes | None:
    """The content stored under ``name``; None stands for a file that does not exist.

    Raises StoreCorrupt when it is gone or is not what the name says: nothing else may ever reach a file.
    """
    if name is None:
        return None
    row = driver(tx).execute("SELECT content FROM blobs WHERE sha256 = ?", (name,)).fetchone()
    content = bytes(row[0]) if row else None
    if digest(content) != name:
        raise StoreCorrupt(
            f"The stored content {name[:12]} is {'changed' if row else 'gone'}; nothing was written. Somebody edited "
            "the database: look at 'hermes ratchet audit verify', then reject this change and propose it again."
        )
    return content
