"""Lets a Hermes agent improve its own prompt files one small, measured, approved and reversible change at a time."""

import sys
from typing import Any


def register(ctx: Any) -> None:
    """Called by Hermes in every kind of process: adds ``hermes ratchet``, ``/ratchet`` and hooks; starts nothing.

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
    ctx.register_hook("post_llm_call", entry.turn_answered)
    ctx.register_hook("pre_gateway_dispatch", entry.message_arrived)
    _register_slash(ctx, entry.slash, entry.SLASH_DESCRIPTION, entry.SLASH_HINT)
    _register_models(ctx, entry.MODEL_TASKS)


def _register_slash(ctx: Any, handler: Any, description: str, hint: str) -> None:
    """Add ``/ratchet`` without making every process load the host's terminal interface.

    ``ctx.register_command`` imports that (60 ms and more, in ``hermes -z`` and cron ticks too) only to see whether the
    name is a built-in one. A test shows that ours is not, and that the entry is the one the host would have written.
    """
    commands = getattr(getattr(ctx, "_manager", None), "_plugin_commands", None)
    if isinstance(commands, dict) and "hermes_cli.commands" not in sys.modules:
        commands["ratchet"] = {
            "handler": handler,
            "description": description,
            "plugin": ctx.manifest.name,
            "args_hint": hint,
        }
    else:
        ctx.register_command("ratchet", handler, description=description, args_hint=hint)


def _register_models(ctx: Any, tasks: tuple[tuple[str, str, str], ...]) -> None:
    """Declare the auxiliary models of ours, so that ``hermes model`` offers to choose them.

    ``ctx.register_auxiliary_task`` imports the host's whole command line only to see whether the name is a built-in
    one. Again a test shows that ours are not, and that the entries are those the host would have written.
    """
    declared = getattr(getattr(ctx, "_manager", None), "_aux_tasks", None)
    for key, name, description in tasks:
        if isinstance(declared, dict) and "hermes_cli.main" not in sys.modules:
            routing = {"provider": "auto", "model": "", "base_url": "", "api_key": "", "timeout": 60, "extra_body": {}}
            known = {"key": key, "display_name": name, "description": description, "defaults": routing}
            declared[key] = {**known, "plugin": ctx.manifest.name}
        else:
            ctx.register_auxiliary_task(key, display_name=name, description=description)
