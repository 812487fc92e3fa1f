"""The fingerprint that the reviewer set must have, kept where the database is not: in the daemon's environment.

A file beside the database would be written by whoever can write the database. The unit that ``install-service`` writes
sets the variable; other processes read it out of that unit, so that all of them notice when the set was changed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import SettingsInvalid

VARIABLE = "RATCHET_REVIEWERS"
_IN_UNIT = re.compile(rf'^Environment="?{VARIABLE}=([^"\s]*)"?\s*$', re.MULTILINE)
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def pinned(unit: Path | None) -> str | None:
    """The pinned fingerprint: of this process's environment, else of the service unit; None when neither has one.

    ``unit`` is None when the unit there serves another home.

    Raises SettingsInvalid for anything that is no fingerprint: a pin that cannot be read must not be ignored.
    """
    found = os.environ.get(VARIABLE)
    if found is None and unit is not None:
        found = _in_unit(unit)
    if found is not None and not _FINGERPRINT.fullmatch(found):
        raise SettingsInvalid(
            f"{VARIABLE} is not the fingerprint of a reviewer set. Run 'hermes ratchet install-service' again, or "
            "correct it where it is set."
        )
    return found


def _in_unit(unit: Path) -> str | None:
    try:
        text = unit.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsInvalid(f"{unit} may pin the reviewers and cannot be read: {error}. Make it readable.") from None
    lines = _IN_UNIT.findall(text)
    return str(lines[-1]) if lines else None
