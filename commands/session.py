"""What nearly every command begins with: the context, who is asking, and which profile is meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .. import host
from ..ratchet.actor import Actor, terminal_actor
from ..ratchet.context import Context, open_context


@contextmanager
def opened() -> Iterator[Context]:
    """The context of this machine, released at the end. Raises SettingsInvalid, StoreUnavailable and its kinds."""
    context = open_context()
    try:
        yield context
    finally:
        context.store.close()


def actor() -> Actor:
    """The person at this terminal, as the operating system knows them."""
    return terminal_actor()


def target(name: str | None) -> str:
    """The profile that was named, else the active one. Raises UnknownProfile."""
    return host.profile(name).name if name else host.active_profile().name
