"""``/ratchet pause``: whoever sees something go wrong stops every change of the profile that they talk to."""

from __future__ import annotations

from collections.abc import Sequence

from ..privacy import sanitize
from ..ratchet import controls
from . import chat_conversation
from .chat_sender import actor
from .chat_text import Reply
from .chat_views import page
from .session import opened


def pause(words: Sequence[str]) -> Reply:
    """Pause this chat's profile. Raises WhichProfile, UnknownProfile."""
    with opened() as context:
        profile = chat_conversation.profile()
        before = controls.get(context, profile)
        if not before.paused:
            controls.pause(context, profile, actor(), sanitize(" ".join(words)).text)
        done = f"was paused before, by {before.paused_by}" if before.paused else "is paused"
        return Reply(
            f"Profile '{profile}' {done}. A live change that fails is still taken back. To go on takes a reviewer's "
            f"signature, in a terminal (hermes ratchet resume {profile}) or in the dashboard:",
            page(context),
        )
