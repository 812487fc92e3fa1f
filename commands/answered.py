"""Which conversation each chat of this process had last: what ``/ratchet good`` means without being told.

Kept in memory only, and filled by two of the host's hooks, in the threads of its agents and of its gateway.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import host
from .plain import one_line

_MOST = 1_000
_LONGEST_NAME, _LONGEST_ID = 100, 200
_ONE_AT_A_TIME = "cli"  # a terminal of the host holds one conversation; its last one is meant
_NEVER_ASKED = {"subagent", "cron"}


@dataclass(frozen=True)
class Answered:
    """The last conversation of one chat; ``session_id`` is that of the part that was answered last."""

    home: Path
    chat: str
    session_id: str


@dataclass(frozen=True)
class Sender:
    """Who sent the message that this task of the gateway handles; ``chat`` is empty when the host could not tell.

    ``user`` is their id on the platform, empty when it has none; ``profile`` is the one that the message was sent to,
    empty in a gateway of a single one; ``words`` is what stood behind the command.
    """

    chat: str
    name: str
    platform: str
    user: str
    profile: str
    words: str

    @property
    def principal(self) -> str:
        return f"{self.platform}:{one_line(self.user, _LONGEST_ID) or 'unknown'}"


_sender: ContextVar[Sender | None] = ContextVar("ratchet_sender", default=None)
_last: dict[tuple[Path, str], Answered] = {}
_guard = threading.Lock()


def remember(session_id: str, platform: str) -> None:
    """A turn of this conversation was answered in this thread just now."""
    if platform in _NEVER_ASKED or not session_id:
        return
    chat = host.chat_of_turn() or (_ONE_AT_A_TIME if platform == _ONE_AT_A_TIME else session_id)
    found = Answered(host.active_home().resolve(), chat, session_id)
    with _guard:
        _last.pop((found.home, chat), None)
        _last[found.home, chat] = found
        if len(_last) > _MOST:
            del _last[next(iter(_last))]


def heard(event: Any, gateway: Any) -> None:
    """This task of the gateway handles a message of this sender. Whether they may speak is for the host to say."""
    source = event.source
    platform = str(getattr(source.platform, "value", source.platform) or "chat")
    user = str(source.user_id or "")
    name = one_line(str(source.user_name or user or platform), _LONGEST_NAME)  # anybody calls themselves what they like
    profile = str(getattr(source, "profile", None) or "")
    words = str(event.get_command_args()).strip()
    _sender.set(Sender(host.chat_of_message(gateway, source), name, platform, user, profile, words))


def sender() -> Sender | None:
    """Who sent the message this task handles; None outside the gateway."""
    return _sender.get()


def candidates() -> list[Answered]:
    """The conversations that may be meant by "the last one", newest first: in a gateway those of this chat only."""
    asking = _sender.get()
    with _guard:
        found = list(reversed(_last.values()))
    return found if asking is None else [one for one in found if asking.chat and one.chat == asking.chat]
