"""What every table shares: the metadata with its naming rule, and column shapes used in several tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import CheckConstraint, Column, Float, ForeignKey, Integer, MetaData, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def identity() -> Column[Any]:
    """An integer id that SQLite never hands out twice (with ``sqlite_autoincrement`` on the table).

    Positive, because a trigger sees -1 where SQLite has yet to choose one.
    """
    return Column("id", Integer, CheckConstraint("id > 0", name="id"), primary_key=True)


def reference(name: str, target: str, *, required: bool = True) -> Column[Any]:
    """A foreign key; deleting what it points at is refused."""
    return Column(name, ForeignKey(target, ondelete="RESTRICT"), nullable=not required)


def text(name: str, *, required: bool = True) -> Column[Any]:
    return Column(name, Text, nullable=not required)


def integer(name: str, *, required: bool = False, default: int | None = None) -> Column[Any]:
    """An integer; with ``default`` the database fills it in."""
    filled = None if default is None else str(default)
    return Column(name, Integer, nullable=not (required or default is not None), server_default=filled)


def real(name: str) -> Column[Any]:
    return Column(name, Float, nullable=True)


def one_of(column: str, values: Iterable[str], name: str) -> CheckConstraint:
    """A closed set of texts for a column (or an expression), as a named CHECK."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name)
