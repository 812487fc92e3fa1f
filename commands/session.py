"""What nearly every command begins with: the context, who is asking, and which profile is meant."""

from __future__ import annotations

from argparse import Namespace
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
    """The profile that was named, else the active one. Raises UnknownProfile, also for an empty name.

    A script whose variable is empty must not change another profile than it means.
    """
    return host.active_profile().name if name is None else host.profile(name).name


def only(name: str | None) -> str | None:
    """The one profile to look at, None for all of them. Raises UnknownProfile."""
    return None if name is None else host.profile(name).name


def named(args: Namespace, profile: str) -> str:
    """The profile as an answer names it: whoever named none learns which one it was."""
    return profile if args.target is not None else f"{profile} (the active one; none was named)"
