"""``/ratchet good`` and ``/ratchet bad``: what a person in a chat says of the conversation they just had."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import host
from ..errors import BadInput, NotFound
from ..ratchet import feedback
from ..ratchet.actor import Actor, terminal_actor
from ..ratchet.feedback import SessionLeftOut, UnknownSession
from . import answered
from .session import opened

if TYPE_CHECKING:
    from ..ratchet.context import Context
    from .answered import Answered

_SESSION_ID = re.compile(r"\d{8}_\d{6}_[0-9a-f]{6,}")
_LISTED = 5


class WhichSession(BadInput):
    """Several conversations may be meant."""

    code = "which_session"


def answer(good: bool, words: Sequence[str]) -> str:
    """Keep it for the chat's last conversation, or for the one that is named where all are the same person's.

    Raises WhichSession with the conversations to choose from, UnknownSession, SessionsUnavailable.
    """
    with opened() as context:
        found = _conversations(context)
        named = words[0] if words and not answered.sender() and _names_one(words[0], found) else None
        profile, session_id = _named(context, found, named) if named else _only(found, good)
        note = " ".join(words[1:] if named else words)
        feedback.give(context, profile, session_id, good, note, _actor())
    return f"Kept: {'good' if good else 'bad'}, for session {session_id} of '{profile}'."


def _names_one(word: str, found: Sequence[tuple[str, str]]) -> bool:
    return any(word == known for _, known in found) or _SESSION_ID.fullmatch(word) is not None


def _actor() -> Actor:
    sender = answered.sender()
    return Actor(sender.name, sender.principal) if sender else terminal_actor()


def _conversations(context: Context) -> list[tuple[str, str]]:
    """Profile and id of conversations that may be meant, newest first, each once; those that never count left out."""
    found = (_conversation(context, one) for one in answered.candidates())
    return list(dict.fromkeys(one for one in found if one))


def _conversation(context: Context, one: Answered) -> tuple[str, str] | None:
    profile = next((p.name for p in host.profiles() if p.home == one.home), None)
    if profile is None:
        return None
    try:
        return profile, feedback.conversation(context, profile, one.session_id)
    except (UnknownSession, SessionLeftOut):
        return None


def _only(found: Sequence[tuple[str, str]], good: bool) -> tuple[str, str]:
    if len(found) == 1:
        return found[0]
    verb = "good" if good else "bad"
    if not found:
        raise NotFound(
            "This process has answered nothing in this chat yet. "
            f"Name a session in a terminal: hermes ratchet {verb} SESSION_ID"
        )
    choices = "\n".join(f"/ratchet {verb} {session_id}  ({profile})" for profile, session_id in found[:_LISTED])
    raise WhichSession(f"Which session? Say one of:\n{choices}")


def _named(context: Context, found: Sequence[tuple[str, str]], session_id: str) -> tuple[str, str]:
    """The profile of a conversation that a person named: among those that were offered, else in the active profile."""
    for profile, known in found:
        if known == session_id:
            return profile, known
    profile = host.active_profile().name
    return profile, feedback.conversation(context, profile, session_id)
