"""``/ratchet pause``: whoever sees something go wrong stops every change of the profile that they talk to."""

from __future__ import annotations

from collections.abc import Sequence

from ...privacy import sanitize
from ...ratchet import controls
from ..session import opened
from . import conversation
from .sender import actor
from .text import Reply
from .views import page


def pause(words: Sequence[str]) -> Reply:
    """Pause this chat's profile. Raises WhichProfile, UnknownProfile."""
    with opened() as context:
        profile = conversation.profile()
        before = controls.get(context, profile)
        if not before.paused:
            controls.pause(context, profile, actor(), sanitize(" ".join(words)).text)
        done = f"was paused before, by {before.paused_by}" if before.paused else "is paused"
        return Reply(
            f"Profile '{profile}' {done}. A live change that fails is still taken back. To go on takes a reviewer's "
            f"signature, in a terminal (hermes ratchet resume {profile}) or in the dashboard:",
            page(context),
        )
