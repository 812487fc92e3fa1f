"""Looks for everything that can be wrong with the plugin on this machine; it changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import RatchetError
from . import doctor_machine, doctor_profiles
from .findings import Finding, Severity, problem

Check = Callable[[], Iterator[Finding]]


def examine() -> list[Finding]:
    """Every finding, in the order in which things should be put right. Never raises for what it looks at."""
    found = [*_all(doctor_machine.CHECKS), *_all(doctor_profiles.CHECKS)]
    if not any(f.code == "dependencies" and f.severity is Severity.PROBLEM for f in found):
        from . import doctor_store  # imports the packages that may be missing

        found += _all(doctor_store.CHECKS)
    return list(dict.fromkeys(found))  # one cause can stop several checks


def _all(checks: tuple[Check, ...]) -> list[Finding]:
    return [finding for check in checks for finding in _guarded(check)]


def _guarded(check: Check) -> list[Finding]:
    """A check that fails is a finding, and the others still run."""
    try:
        return list(check())
    except RatchetError as error:
        what, _, fix = error.message.rpartition(". ")  # our messages end with what to do
        return [problem(error.code, f"{what}." if what else fix, fix)]
    except OSError as error:
        return [problem("unreadable", f"{error}.", "Make the file readable for this user.")]
