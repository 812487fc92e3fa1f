"""Carries out one terminal command: words in, output and an exit code out, every failure a sentence."""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..errors import RatchetError
from . import arguments, hints, output, replaced
from .exits import Exit, exit_for

if TYPE_CHECKING:
    import argparse

    from .output import Answer

_log = logging.getLogger(__name__)

Handler = Callable[["argparse.Namespace"], "Answer"]


def main(words: Sequence[str]) -> int:
    """Carry out ``hermes ratchet <words>`` and return its exit code."""
    as_json = "--json" in itertools.takewhile(lambda word: word != "--", words)  # known before anything is parsed
    output.make_streams_lenient()
    try:
        code = _carried_out(words, as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has seen enough. The interpreter must not stumble over the closed pipe once more on its way.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    return code


def _carried_out(words: Sequence[str], as_json: bool) -> int:
    try:
        args = arguments.parse(words)
        ask = partial(_handler(args), args)
        if getattr(args, "watch", False):
            return _followed(ask, as_json)
        answer = ask()
        output.write(answer, as_json)
        replaced.tell(args)
        return answer.code
    except RatchetError as error:
        output.write_error(hints.with_next_command(error), error.code, error.ids, as_json)
        return exit_for(error)
    except ImportError as error:
        from ..installation import dependencies

        output.write_error(dependencies.explain(error), "dependency_missing", {}, as_json)
    except KeyboardInterrupt:
        output.write_error("Stopped.", "interrupted", {}, as_json)
        return Exit.INTERRUPTED
    except SystemExit as left:  # argparse, after --help
        return int(left.code or 0)
    except BrokenPipeError:
        raise
    except Exception as error:
        _log.exception("hermes ratchet failed")
        text = f"This should not happen: {type(error).__name__}: {error}. The host's log has the details."
        output.write_error(text, "internal", {}, as_json)
    return Exit.FAILED


def _followed(ask: Callable[[], Answer], as_json: bool) -> Exit:
    from . import following

    return following.follow(ask, as_json)


def _handler(args: argparse.Namespace) -> Handler:
    """The function that carries a command out, imported only now: ``doctor`` must work where others cannot."""
    module, name = args.handler.split(".")
    found: Handler = getattr(importlib.import_module(f".{module}", __package__), name)
    return found
