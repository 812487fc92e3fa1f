"""How a command ends: the exit codes, and the one mapping from our errors to them."""

from __future__ import annotations

from enum import IntEnum

from ..errors import BadInput, Conflict, Forbidden, NotFound, RatchetError, Unavailable


class Exit(IntEnum):
    """What a script can rely on."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    INCONCLUSIVE = 4
    INTERRUPTED = 130


_BY_FAMILY: tuple[tuple[type[RatchetError], Exit], ...] = (
    (BadInput, Exit.USAGE),
    (NotFound, Exit.USAGE),
    (Forbidden, Exit.REFUSED),
    (Conflict, Exit.REFUSED),
    (Unavailable, Exit.FAILED),
)


def exit_for(error: RatchetError) -> Exit:
    """The exit code of a command that ended with ``error``."""
    return next((code for family, code in _BY_FAMILY if isinstance(error, family)), Exit.FAILED)
