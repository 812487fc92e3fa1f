"""The fingerprint that the reviewer set must have, kept where the database is not: in the daemon's environment.

A file beside the database would be written by whoever can write the database. The unit that ``install-service`` writes
sets the variable; other processes read it out of that unit, so that all of them notice when the set was changed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from ..errors import SettingsInvalid

VARIABLE = "RATCHET_REVIEWERS"
_IN_UNIT = re.compile(rf'^Environment="?{VARIABLE}=([^"\s]*)"?\s*$', re.MULTILINE)
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def pinned(*units: Path) -> str | None:
    """The pinned fingerprint: that of this process's environment and of each service unit; None when none has one.

    ``units`` are those that serve this home; they need not be there.

    Raises SettingsInvalid when they do not agree, for whoever starts a process can give it any environment; and for
    anything that is no fingerprint: a pin that cannot be read must not be ignored.
    """
    stated = {"the environment": os.environ.get(VARIABLE), **{str(unit): _in_unit(unit) for unit in units}}
    found = {where: value for where, value in stated.items() if value is not None}
    if len(set(found.values())) > 1:
        raise SettingsInvalid(
            f"{VARIABLE} is not the same in {' and '.join(found)}. If you pinned the reviewers anew, restart what was "
            "started before (the daemon, this shell); else find out who changed one of them."
        )
    for where, value in found.items():
        if not _FINGERPRINT.fullmatch(value):
            raise SettingsInvalid(
                f"{VARIABLE} in {where} is not the fingerprint of a reviewer set. Run 'hermes ratchet install-service' "
                "again, or correct it where it is set."
            )
    return next(iter(found.values()), None)


def read_unit(unit: Path) -> str:
    """The text of a service unit. Raises OSError, also for what is no plain file: reading a pipe would never end."""
    fd = os.open(unit, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no plain file", str(unit))
    with open(fd, encoding="utf-8", errors="replace") as file:
        return file.read()


def _in_unit(unit: Path) -> str | None:
    try:
        text = read_unit(unit)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsInvalid(f"{unit} may pin the reviewers and cannot be read: {error}. Make it readable.") from None
    lines = _IN_UNIT.findall(text)
    return str(lines[-1]) if lines else None
