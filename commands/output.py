"""What a command answers, written for a person (rich) or for a program (one JSON document on stdout)."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from .exits import Exit
from .plain import bounded

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Answer:
    """``document`` is the stable JSON form; ``show`` prints the same for a person.

    ``exact``, where there is one, goes out in place of what ``show`` prints when no terminal is there to be deceived:
    the very bytes, for a file or another program. ``warning`` goes to standard error in either form, last.
    """

    document: Mapping[str, Any]
    show: Callable[[Console], None]
    code: Exit = Exit.OK
    exact: bytes | None = None
    warning: Callable[[Console], None] | None = None


def write(answer: Answer, as_json: bool) -> None:
    """Print ``answer`` on stdout."""
    if as_json:
        _write_json(answer.document)
    elif answer.exact is not None and not sys.stdout.isatty():
        sys.stdout.buffer.write(answer.exact)
    else:
        answer.show(console())
    if answer.warning is not None:
        sys.stdout.flush()
        answer.warning(console(sys.stderr))


def write_line(document: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own, at once."""
    print(json.dumps(document, default=str), flush=True)


def write_error(message: str, code: str, ids: Mapping[str, object], as_json: bool) -> None:
    """Print an error: as a line of JSON on stdout, else as text on stderr, there wrapped at words on a terminal."""
    if as_json:
        write_line({"error": message, "code": code, **ids})
    elif sys.stderr.isatty():
        _write_wrapped(bounded(message))
    else:
        print(bounded(message), file=sys.stderr)


def _write_wrapped(text: str) -> None:
    try:
        from . import render

        render.say(console(sys.stderr), text)
    except ImportError:  # it may be what the text is about
        print(text, file=sys.stderr)


def console(stream: TextIO | None = None) -> Console:
    """A console that takes text literally, and colours it only on a terminal. On standard output by default."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process with exit code 1

    return Ours(file=stream or sys.stdout, markup=False, emoji=False, highlight=False)


def make_streams_lenient() -> None:
    """A character that this terminal's encoding lacks must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _write_json(document: Mapping[str, Any]) -> None:
    """ASCII only, so that nothing in it can act on a terminal."""
    print(json.dumps(document, indent=2, default=str))
