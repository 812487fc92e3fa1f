"""Reads the proposer's reply strictly: one JSON object of one form with this request's nonce, or a reason why not."""

from __future__ import annotations

import json
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAX_REPLY = 30_000
_JSON_SPACE = " \t\r\n"
_Text = Annotated[str, Field(min_length=1, max_length=4_000)]
_Sentences = Annotated[str, Field(min_length=1, max_length=1_500)]


class Refused(ValueError):
    """A draft does not stand; the message is the reason, which the model and a person may read."""


class Reply(BaseModel):
    """What a proposer says: one span of the file, what takes its place, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    nonce: str
    old_text: _Text
    new_text: Annotated[str, Field(max_length=4_000)]
    hypothesis: _Sentences
    expected_effect: _Sentences
    answers: Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=50)]


def read(text: str, nonce: str) -> Reply:
    """The reply to the request with this nonce. Raises Refused for whatever is not exactly one."""
    try:
        reply = Reply.model_validate(_object(text))
    except ValidationError as error:
        raise Refused(f"the reply does not have the form that was asked for ({_first(error)})") from None
    if reply.nonce != nonce:
        raise Refused("the reply does not carry the nonce of this request")
    if not (reply.hypothesis.strip() and reply.expected_effect.strip()):
        raise Refused("the reply gives no hypothesis or no expected effect")
    return reply


def _object(text: str) -> dict[str, Any]:
    if len(text) > MAX_REPLY:
        raise Refused(f"the reply has more than {MAX_REPLY} characters")
    try:
        said = json.loads(text.strip(_JSON_SPACE), object_pairs_hook=_each_once, parse_constant=_no_constant)
    except Refused:
        raise
    except (ValueError, RecursionError):
        raise Refused("the reply is not exactly one JSON object") from None
    if not isinstance(said, dict):
        raise Refused("the reply is JSON but no object")
    if _is_broken(said):
        raise Refused("the reply holds half a character")
    return said


def _is_broken(said: dict[str, Any]) -> bool:
    try:
        json.dumps(said, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _first(error: ValidationError) -> str:
    """Which key is wrong and why, without what it held."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"])) if first["type"] != "extra_forbidden" else "a key too many"
    return f"{where}: {first['msg']}"


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two equal keys they take, so neither counts (RFC 8259, 4)."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise Refused("the reply names a key twice")
    return dict(pairs)


def _no_constant(_: str) -> NoReturn:
    raise Refused("the reply is not exactly one JSON object")
