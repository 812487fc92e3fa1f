"""What a command answers, written for a person (rich) or for a program (one JSON document on stdout)."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .exits import Exit
from .plain import visible

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Answer:
    """``document`` is the stable JSON form; ``show`` prints the same for a person."""

    document: Mapping[str, Any]
    show: Callable[[Console], None]
    code: Exit = Exit.OK


def write(answer: Answer, as_json: bool) -> None:
    """Print ``answer`` on stdout."""
    if as_json:
        _write_json(answer.document)
    else:
        answer.show(console())


def write_error(message: str, code: str, ids: Mapping[str, object], as_json: bool) -> None:
    """Print an error: as JSON on stdout, else as text on stderr."""
    if as_json:
        _write_json({"error": message, "code": code, **ids})
    else:
        print(visible(message), file=sys.stderr)


def console() -> Console:
    """A console that takes text literally, and colours it only on a terminal."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process with exit code 1

    return Ours(file=sys.stdout, markup=False, emoji=False, highlight=False)


def make_streams_lenient() -> None:
    """A character that this terminal's encoding lacks must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def progress(text: str) -> None:
    """Say on stderr how far a long command is; on a terminal each line takes the place of the one before."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{visible(text)}", end="", file=sys.stderr, flush=True)


def end_progress() -> None:
    """Leave the line of :func:`progress`."""
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _write_json(document: Mapping[str, Any]) -> None:
    """ASCII only, so that nothing in it can act on a terminal."""
    print(json.dumps(document, indent=2, default=str))
