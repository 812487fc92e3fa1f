"""Answers that took seconds to compute, kept with the question they belong to, so that nobody waits for them twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from ... import clock, schema
from ..._db import driver
from ..context import Context

if TYPE_CHECKING:
    from sqlalchemy import Connection


def canonical(value: Any) -> str:
    """``value`` as JSON in the one form in which it is stored and hashed."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def answer(context: Context, question: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
    """The JSON value that answers ``question``, computed the first time; no transaction may be open around it.

    ``question`` names everything the computation depends on.
    """
    text = canonical(question)
    with context.store.read() as tx:
        if (known := _known(tx, text)) is not None:
            return json.loads(known)
    found = canonical(compute())
    with context.store.write() as tx:
        if _known(tx, text) is None:  # somebody else may have computed it meanwhile
            keep(tx, text, found)
    return json.loads(found)


def keep(tx: Connection, question: str, found: str) -> None:
    """Store the answer to a question that has none."""
    row = {"question": question, "answer": found, "created_at": clock.stamp()}
    tx.execute(insert(schema.calibrations).values(row))


def newest(tx: Connection, prefix: str) -> tuple[str, str] | None:
    """Answer and time of the newest question that begins with ``prefix``."""
    query = "SELECT answer, created_at FROM calibrations WHERE question >= ? AND question < ? ORDER BY id DESC LIMIT 1"
    row = driver(tx).execute(query, (prefix, prefix + "\U0010ffff")).fetchone()
    return None if row is None else (str(row[0]), str(row[1]))


def _known(tx: Connection, question: str) -> str | None:
    row = driver(tx).execute("SELECT answer FROM calibrations WHERE question = ?", (question,)).fetchone()
    return None if row is None else str(row[0])
