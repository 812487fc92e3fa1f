"""Which conversation, and which profile, is meant by whoever asks something in a chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ... import host
from ...errors import BadInput, NotFound
from ...ratchet import feedback
from ...ratchet.feedback import SessionLeftOut, UnknownSession
from .. import answered

if TYPE_CHECKING:
    from ...ratchet.context import Context
    from ..answered import Answered

_LISTED = 5


class WhichSession(BadInput):
    """Several conversations may be meant."""

    code = "which_session"


class WhichProfile(BadInput):
    """Several profiles may be meant."""

    code = "which_profile"


def conversations(context: Context) -> list[tuple[str, str]]:
    """Profile and id of conversations that may be meant, newest first, each once; those that never count left out.

    Raises SessionsUnavailable.
    """
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


def only(found: Sequence[tuple[str, str]], verb: str, otherwise: str) -> tuple[str, str]:
    """The one that is meant. Raises NotFound, saying what to do ``otherwise``; WhichSession, with what to say."""
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f"This process has answered nothing in this chat yet. {otherwise}")
    choices = "\n".join(f"/ratchet {verb} {session_id}  ({profile})" for profile, session_id in found[:_LISTED])
    raise WhichSession(f"Which session? Say one of:\n{choices}")


def profile() -> str:
    """The profile that this chat talks to. Raises WhichProfile where one process serves several, UnknownProfile."""
    sender = answered.sender()
    if sender is not None and sender.profile:
        return host.profile(sender.profile).name
    homes = {one.home for one in answered.candidates()}
    names = [one.name for one in host.profiles() if one.home in homes]
    if len(names) > 1:
        raise WhichProfile(f"Which profile ({', '.join(names)})? Name it in a terminal: hermes ratchet pause PROFILE")
    return names[0] if names else host.active_profile().name
