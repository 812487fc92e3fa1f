"""The doors the host opens: ``hermes ratchet ...``, ``/ratchet ...`` and two hooks. Stdlib only until one is used."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

DESCRIPTION = "Improve this agent's prompt files by small, measured, reversible changes."
SLASH_DESCRIPTION = "What the ratchet is doing, how the agent did, and what to stop or take back"
SLASH_HINT = "[status | list | show N | diff N | good | bad | scenario | pause | help]"
STARTED_BY_AGENT = bool(os.environ.get("HERMES_SESSION_ID"))
"""Whether a tool shell started this process: as it was first found, for the host sets it for its own agents later."""
MODEL_TASKS = (
    ("ratchet_judge", "Ratchet judge", "judges evaluated answers by a scenario's rubric"),
    ("ratchet_proposer", "Ratchet proposer", "proposes changes of prompt files"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take all words of ``hermes ratchet`` as they are; :func:`run` parses them.

    With no prefix character, the host's parser leaves flags to us, ``--help`` and ``--json`` included. So a wrong flag
    is answered in the form that was asked for, and nothing of ours is built in processes that only look us up.
    """
    parser.prefix_chars = "\0"
    parser.add_argument("ratchet_words", nargs=argparse.REMAINDER)


def run(namespace: argparse.Namespace) -> None:
    """Carry a command out. Always raises SystemExit: the host ignores what a handler returns."""
    sys.exit(main(namespace.ratchet_words))


def main(words: Sequence[str]) -> int:
    """Carry out ``hermes ratchet <words>`` and return its exit code."""
    from .cli import main as answer

    return answer(words)


async def slash(raw_args: str) -> str:
    """Answer ``/ratchet <raw_args>`` in a chat, and that within a while; never raises."""
    from .chat.patience import in_time

    return await in_time(lambda: _answer(raw_args))


def _answer(raw_args: str) -> str:
    from .slash import answer

    return answer(raw_args)


def turn_answered(session_id: str = "", platform: str = "", **_: Any) -> None:
    """The host's hook ``post_llm_call``: the agent has answered. Remembers which conversation that was."""
    _quietly("remember", session_id, platform)


def message_arrived(event: Any = None, gateway: Any = None, **_: Any) -> None:
    """The host's hook ``pre_gateway_dispatch``: a chat has sent something. Remembers who, for this task only."""
    _quietly("heard", event, gateway)


def _quietly(name: str, *facts: Any) -> None:
    """Tell :mod:`answered`. An agent's turn and a chat's message must never suffer from what we remember of them."""
    try:
        from . import answered

        getattr(answered, name)(*facts)
    except Exception:
        logging.getLogger(__name__).debug("a hook of the ratchet failed", exc_info=True)
