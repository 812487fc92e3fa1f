"""Who asks something in a chat, and whether they are one of those who may decide there."""

from __future__ import annotations

from ... import host
from ...errors import Forbidden
from ...ratchet.actor import Actor, terminal_actor
from ...settings import Settings
from .. import answered, entry

_TERMINAL = "terminal"
_PAGE = "Decide in a terminal of your own (hermes ratchet) or in the dashboard."


class NotADecider(Forbidden):
    """Only senders that the operator listed decide in a chat."""

    code = "not_a_decider"


def actor() -> Actor:
    """Whoever is asking, for what anybody may do: the sender of the message, else the person of this process."""
    sender = answered.sender()
    return Actor(sender.name, sender.principal) if sender else terminal_actor()


def decider(settings: Settings, raw: str) -> Actor:
    """The sender of the command ``raw``, if the operator listed them. Raises NotADecider."""
    asking = _known(raw)
    if asking is None:
        raise NotADecider(f"Who asks this cannot be told for certain here, so it is not done. {_PAGE}")
    if asking not in {(one.platform, one.sender) for one in settings.chat.deciders}:
        platform, user = asking
        raise NotADecider(
            "In a chat only those decide whom the operator listed under chat.deciders, and this is not one of them: "
            f'{{platform: {platform}, sender: "{user}"}}. {_PAGE}'
        )
    return actor()


def _known(raw: str) -> tuple[str, str] | None:
    """Platform and id of whoever sent this very command; None when that is not certain.

    An event that the host makes up itself calls no hook, and inherits the sender of the message that led to it: so
    the words have to be those which that sender sent.
    """
    sender = answered.sender()
    if sender is not None:
        certain = bool(sender.user) and sender.platform != _TERMINAL and sender.words == raw.strip()
        return (sender.platform, sender.user) if certain else None
    if host.in_gateway() or not host.at_terminal() or entry.STARTED_BY_AGENT:
        return None
    return _TERMINAL, terminal_actor().principal.removeprefix("os:")
