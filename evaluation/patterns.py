"""Regular expressions that cannot be made to run forever: RE2 matches in time linear in the text.

Source: R. Cox, "Regular Expression Matching Can Be Simple And Fast", 2007. The price is RE2's syntax, which has no
look-around and no back-references.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

PROGRAM_BYTES = 1 << 20


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """The RE2 program for ``pattern``, with ``search(text)``. Raises ValueError, with RE2's reason, for a bad one."""
    import re2

    options = re2.Options()
    options.max_mem = PROGRAM_BYTES
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"{pattern!r} is not a pattern RE2 accepts: {text}") from None
