"""What the doctor says: one finding per thing looked at, each problem with its exact fix."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is. Only a problem makes the doctor fail."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """``code`` is stable; ``what`` is a sentence for a person; ``fix`` is what to do, empty when all is well."""

    code: str
    severity: Severity
    what: str
    fix: str = ""


def ok(code: str, what: str) -> Finding:
    return Finding(code, Severity.OK, what)


def note(code: str, what: str, fix: str) -> Finding:
    return Finding(code, Severity.NOTE, what, fix)


def problem(code: str, what: str, fix: str) -> Finding:
    return Finding(code, Severity.PROBLEM, what, fix)
