"""Lets a Hermes agent improve its own prompt files one small, measured, approved and reversible change at a time."""

from typing import Any


def register(ctx: Any) -> None:
    """Called by Hermes in every kind of process: adds ``hermes ratchet`` and ``/ratchet``, and starts nothing.

    The terminal command comes first and everything else is imported when it is used, so that a missing dependency
    is explained by ``hermes ratchet doctor`` instead of taking the command away.
    """
    from .commands import entry

    ctx.register_cli_command(
        name="ratchet",
        help="Improve this agent's prompt files by small, measured, reversible changes",
        setup_fn=entry.add_arguments,
        handler_fn=entry.run,
        description=entry.DESCRIPTION,
    )
    ctx.register_command("ratchet", entry.slash, description=entry.SLASH_DESCRIPTION, args_hint=entry.SLASH_HINT)
