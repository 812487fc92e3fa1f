"""What a reviewer signs: one decision, bound to everything it was taken on, as bytes that are the same everywhere.

The bytes are described in docs/signing.md, with a test vector, so that a browser can build and sign them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from .. import clock
from . import canonical
from .refusals import PayloadRefused

PREFIX = b"hermes-ratchet-signature-v1\n"
"""Stands before the canonical JSON in what is signed, so that no other program's message can be one of ours."""

MAX_BYTES = 32_768
_LONGEST_TEXT = 2_000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""What a reviewer can be called."""

_HEX32 = re.compile(r"[0-9a-f]{64}")
_SHAPES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "base_sha256": _HEX32,
        "candidate_sha256": _HEX32,
        "report_sha256": _HEX32,
        "plan_sha256": _HEX32,
        "found_sha256": _HEX32,
        "key": _HEX32,
        "replaces": _HEX32,
        "signer": _HEX32,
        "reviewers_sha256": _HEX32,
        "nonce": re.compile(r"[0-9a-f]{32}"),
        "audit_head": re.compile(r"0 |[1-9][0-9]{0,15} [0-9a-f]{64}"),
        "decision": re.compile(r"keep|revert"),
        "name": NAME,
    }
)


class Purpose(StrEnum):
    """What a signature is for; a signature for one purpose is worth nothing for another."""

    APPROVE = "approve"
    OVERRIDE = "override"
    FORCE = "force"
    REVERT_VERIFIED = "revert-verified"
    DECIDE = "decide"
    REVEAL_HOLDOUT = "reveal-holdout"
    DELETE_HOLDOUT = "delete-holdout"
    RESTORE_HOLDOUT = "restore-holdout"
    UNCRITICAL_HOLDOUT = "uncritical-holdout"
    ROTATE_HOLDOUT = "rotate-holdout"
    RESUME = "resume"
    REVIEWER_ADD = "reviewer-add"
    REVIEWER_REMOVE = "reviewer-remove"

    @property
    def lifetime(self) -> timedelta:
        """How long after it was asked for a signature may be used."""
        return _APPROVAL if self in (Purpose.APPROVE, Purpose.OVERRIDE) else INTERACTIVE


INTERACTIVE = timedelta(minutes=10)
_APPROVAL = timedelta(days=7)


@dataclass(frozen=True)
class _Form:
    """The fields of a claim that a purpose needs, and those it may have; all others must be null."""

    needed: frozenset[str]
    allowed: frozenset[str] = frozenset()


_CHANGE = {"experiment", "profile", "relpath", "candidate_sha256"}
_BASE = frozenset({"base_sha256"})  # null where the file did not exist
_FORMS: Mapping[Purpose, _Form] = MappingProxyType(
    {
        Purpose.APPROVE: _Form(frozenset({*_CHANGE, "report_sha256", "plan_sha256"}), _BASE),
        Purpose.OVERRIDE: _Form(frozenset({*_CHANGE, "plan_sha256", "reason"}), _BASE | {"report_sha256"}),
        Purpose.FORCE: _Form(frozenset({*_CHANGE, "reason"}), _BASE | {"found_sha256"}),
        Purpose.REVERT_VERIFIED: _Form(frozenset({*_CHANGE, "reason"}), _BASE),
        Purpose.DECIDE: _Form(frozenset({*_CHANGE, "plan_sha256", "decision", "reason"}), _BASE),
        Purpose.REVEAL_HOLDOUT: _Form(frozenset({"profile"})),
        Purpose.DELETE_HOLDOUT: _Form(frozenset({"profile", "scenario"})),
        Purpose.RESTORE_HOLDOUT: _Form(frozenset({"profile", "scenario"})),
        Purpose.UNCRITICAL_HOLDOUT: _Form(frozenset({"profile", "scenario"})),
        Purpose.ROTATE_HOLDOUT: _Form(frozenset({"profile"})),
        Purpose.RESUME: _Form(frozenset({"profile"}), frozenset({"reason"})),
        Purpose.REVIEWER_ADD: _Form(frozenset({"key", "name"}), frozenset({"replaces"})),
        Purpose.REVIEWER_REMOVE: _Form(frozenset({"key"})),
    }
)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is to be done, to what. Raises PayloadRefused when made with fields its purpose does not have.

    ``found_sha256`` is the file a force writes over; ``scenario`` an id; ``key`` the reviewer's public key that is
    added or removed under ``name``, and ``replaces`` the one it takes the place of. All hashes and keys in hex.
    """

    purpose: Purpose
    experiment: int | None = None
    profile: str | None = None
    relpath: str | None = None
    base_sha256: str | None = None
    candidate_sha256: str | None = None
    report_sha256: str | None = None
    plan_sha256: str | None = None
    found_sha256: str | None = None
    decision: str | None = None
    scenario: int | None = None
    key: str | None = None
    name: str | None = None
    replaces: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        form = _FORMS[self.purpose]
        given = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "purpose"}
        for name, value in given.items():
            if value is None and name in form.needed:
                raise PayloadRefused(f"A signature to {self.purpose} needs {name}.")
            if value is not None and name not in form.needed | form.allowed:
                raise PayloadRefused(f"A signature to {self.purpose} has no {name}.")
            _check_field(name, value, int if name in ("experiment", "scenario") else str)

    def differs_from(self, other: Claim) -> list[str]:
        """The names of the fields in which two claims differ."""
        return [one.name for one in fields(self) if getattr(self, one.name) != getattr(other, one.name)]


@dataclass(frozen=True, kw_only=True)
class Payload:
    """A claim, who signs it, on top of which history, until when. Raises PayloadRefused when a field is malformed.

    ``reviewers_sha256`` is the fingerprint of the reviewer set, ``audit_head`` the newest transition as ``id hash``
    (``0`` and a space before the first), ``expires_at`` a time as :func:`clock.stamp` writes it.
    """

    claim: Claim
    signer: str
    reviewers_sha256: str
    audit_head: str
    expires_at: str
    nonce: str

    def __post_init__(self) -> None:
        for name in _ENVELOPE:
            _check_field(name, getattr(self, name), str)
        if not is_stamp(self.expires_at):
            raise PayloadRefused("expires_at is not a UTC time with microseconds.")

    def encode(self) -> bytes:
        """The canonical JSON of all fields; those that do not apply are null."""
        return canonical.encode({**asdict(self.claim), **{name: getattr(self, name) for name in _ENVELOPE}})

    def message(self) -> bytes:
        """The bytes that are signed."""
        return PREFIX + self.encode()

    def text(self) -> str:
        """The canonical JSON as text, for storing and sending."""
        return self.encode().decode("utf-8")


_ENVELOPE = ("signer", "reviewers_sha256", "audit_head", "expires_at", "nonce")
_KEYS = frozenset({*(one.name for one in fields(Claim)), *_ENVELOPE})


def parse(raw: str | bytes) -> Payload:
    """The payload behind its canonical JSON. Raises PayloadRefused for every other byte sequence."""
    found = _decoded(raw)
    if found.keys() != _KEYS:
        wrong = ", ".join(sorted(found.keys() ^ _KEYS))
        raise PayloadRefused(f"A payload has exactly the documented keys; missing or unknown: {wrong}.")
    try:
        purpose = Purpose(str(found.pop("purpose")))
    except ValueError:
        raise PayloadRefused("The payload names no purpose that exists.") from None
    envelope: dict[str, Any] = {name: found.pop(name) for name in _ENVELOPE}
    claimed: dict[str, Any] = found
    return Payload(claim=Claim(purpose=purpose, **claimed), **envelope)


def is_stamp(text: str) -> bool:
    """Whether ``text`` is a time exactly as :func:`clock.stamp` writes it, so that two compare as texts."""
    try:
        return clock.stamp(clock.parse(text)) == text
    except (ValueError, OverflowError):
        return False


def _decoded(raw: str | bytes) -> dict[str, canonical.Value]:
    try:
        return canonical.decode(raw.encode("utf-8") if isinstance(raw, str) else raw, MAX_BYTES)
    except ValueError as error:  # NotCanonical, or a text with half of a surrogate pair
        raise PayloadRefused(f"The payload cannot be read: {error}.") from None


def _check_field(name: str, value: object, kind: type) -> None:
    if value is None and name not in _ENVELOPE:
        return
    if type(value) is not kind:
        raise PayloadRefused(f"{name} must be {'a whole number' if kind is int else 'a text'}.")
    if isinstance(value, int) and not 1 <= value <= canonical.LARGEST:
        raise PayloadRefused(f"{name} is not the number of anything.")
    if isinstance(value, str):
        _check_text(name, value)


def _check_text(name: str, value: str) -> None:
    shape = _SHAPES.get(name)
    if shape and not shape.fullmatch(value):
        raise PayloadRefused(f"{name} is malformed.")
    if not value.strip() or len(value) > _LONGEST_TEXT:
        raise PayloadRefused(f"{name} must have 1 to {_LONGEST_TEXT} characters.")
