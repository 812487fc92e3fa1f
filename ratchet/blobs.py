"""Exact file contents, stored once under their SHA-256."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

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
    known = tx.exec_driver_sql("SELECT 1 FROM blobs WHERE sha256 = ?", (name,)).one_or_none()
    if known is None:
        tx.exec_driver_sql("INSERT INTO blobs (sha256, size, content) VALUES (?, ?, ?)", (name, len(content), content))
    return name


def load(tx: Connection, name: str | None) -> bytes | None:
    """The content stored under ``name``; None stands for a file that does not exist. Raises LookupError."""
    if name is None:
        return None
    row = tx.exec_driver_sql("SELECT content FROM blobs WHERE sha256 = ?", (name,)).one_or_none()
    if row is None:
        raise LookupError(f"no stored content {name}")
    return bytes(row[0])
