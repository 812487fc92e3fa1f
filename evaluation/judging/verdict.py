"""Reads a judge's reply strictly: one JSON object with this request's nonce, or there is no verdict and a reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

MAX_REPLY, MAX_RATIONALE = 20_000, 4_000
_KEYS = {"nonce", "rationale", "verdict"}
_JSON_SPACE = " \t\r\n"


class Verdict(StrEnum):
    """What a judge may say."""

    PASS = "pass"  # noqa: S105 (not a password)
    FAIL = "fail"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Spoken:
    """What a reply says: a verdict with its rationale, or None for both and the ``reason`` why it says nothing."""

    verdict: Verdict | None
    rationale: str | None
    reason: str | None


class _Unreadable(ValueError):
    """The reply is no verdict; the message is the reason."""


def read(reply: str, nonce: str) -> Spoken:
    """The verdict in a reply to the request with this nonce. Never raises; whatever is not exactly one is none."""
    try:
        said = _object(reply)
        _check(said, nonce)
    except _Unreadable as unreadable:
        return Spoken(None, None, str(unreadable))
    return Spoken(Verdict(said["verdict"]), said["rationale"].strip(), None)


def _object(reply: str) -> dict[str, Any]:
    if len(reply) > MAX_REPLY:
        raise _Unreadable(f"the judge's reply has more than {MAX_REPLY} characters")
    try:
        said = json.loads(reply.strip(_JSON_SPACE), object_pairs_hook=_each_once, parse_constant=_no_constant)
    except _Unreadable:
        raise
    except (ValueError, RecursionError):
        raise _Unreadable("the judge's reply is not exactly one JSON object") from None
    if not isinstance(said, dict):
        raise _Unreadable("the judge's reply is JSON but no object")
    return said


def _check(said: dict[str, Any], nonce: str) -> None:
    if said.keys() != _KEYS:
        raise _Unreadable("the judge's reply does not have exactly the keys nonce, rationale and verdict")
    if said["nonce"] != nonce:
        raise _Unreadable("the judge's reply does not carry the nonce of this request")
    if said["verdict"] not in list(Verdict):
        raise _Unreadable("the judge's verdict is none of pass, fail and unclear")
    rationale = said["rationale"]
    if not isinstance(rationale, str) or not rationale.strip() or len(rationale) > MAX_RATIONALE:
        raise _Unreadable(f"the judge's rationale is not a text of 1 to {MAX_RATIONALE} characters")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two equal keys they take, so neither counts (RFC 8259, 4)."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Unreadable("the judge's reply names a key twice")
    return dict(pairs)


def _no_constant(_: str) -> NoReturn:
    raise _Unreadable("the judge's reply is not exactly one JSON object")
