"""Are the database's tables, indexes and triggers those of the schema, word for word, and no others?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..._db import driver
from ...errors import StoreCorrupt
from ...migrations.to_head import statements

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OBJECTS = "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
_GONE = "gone"


def differences(tx: Connection) -> Iterator[str]:
    """What is added, changed or gone, one sentence each: the database guards itself by triggers and constraints."""
    found = {str(name): (str(kind), str(sql)) for name, kind, sql in driver(tx).execute(_OBJECTS)}
    expected = _expected()
    for name in sorted(found.keys() | expected.keys()):
        if name not in expected:
            yield f"the {found[name][0]} {name} does not belong here"
        elif found.get(name) != expected[name]:
            yield f"the {expected[name][0]} {name} is {'changed' if name in found else _GONE}"


def check_nothing_added(tx: Connection) -> None:
    """Raises StoreCorrupt for a trigger, view or table that is not ours, or one that was changed.

    What is gone does not count here: it rewrites nothing, and must not keep a change from being taken back.
    """
    added = next((one for one in differences(tx) if not one.endswith(_GONE)), None)
    if added:
        raise StoreCorrupt(
            f"Somebody tampered with the database ({added}); nothing was done. Look at 'hermes ratchet audit verify', "
            "and remove what does not belong there."
        )


@cache
def _expected() -> Mapping[str, tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as fresh:
        for statement in statements():
            fresh.execute(statement)
        return MappingProxyType({name: (kind, sql) for name, kind, sql in fresh.execute(_OBJECTS)})
