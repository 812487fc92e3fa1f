"""``/ratchet good`` and ``/ratchet bad``: what a person in a chat says of the conversation they just had."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ... import host
from ...ratchet import feedback
from .. import answered
from ..session import opened
from .conversation import conversations, only
from .sender import actor
from .text import Reply

if TYPE_CHECKING:
    from ...ratchet.context import Context

_SESSION_ID = re.compile(r"\d{8}_\d{6}_[0-9a-f]{6,}")


def say(good: bool, words: Sequence[str]) -> Reply:
    """Keep it for the chat's last conversation, or for the one that is named where all are the same person's.

    Raises WhichSession with the conversations to choose from, NotFound, UnknownSession, SessionsUnavailable.
    """
    verb = "good" if good else "bad"
    with opened() as context:
        profile, session_id, note = meant(context, words, verb, f"hermes ratchet {verb} SESSION_ID")
        feedback.give(context, profile, session_id, good, note, actor())
    return Reply(f"Kept: {verb}, for session {session_id} of '{profile}'.")


def meant(context: Context, words: Sequence[str], verb: str, in_a_terminal: str) -> tuple[str, str, str]:
    """Profile and id of the conversation that is meant, and what is said of it. Raises like :func:`say`."""
    found = conversations(context)
    if words and not answered.sender() and _names_one(words[0], found):
        return (*_named(context, found, words[0]), " ".join(words[1:]))
    otherwise = f"Name a session in a terminal: {in_a_terminal}"
    return (*only(found, verb, otherwise), " ".join(words))


def _names_one(word: str, found: Sequence[tuple[str, str]]) -> bool:
    return any(word == known for _, known in found) or _SESSION_ID.fullmatch(word) is not None


def _named(context: Context, found: Sequence[tuple[str, str]], session_id: str) -> tuple[str, str]:
    """The profile of a conversation that a person named: among those that were offered, else in the active profile."""
    for profile, known in found:
        if known == session_id:
            return profile, known
    profile = host.active_profile().name
    return profile, feedback.conversation(context, profile, session_id)
