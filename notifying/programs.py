"""Hands a message to a program: the host's own ``hermes send``, or one of the operator's; never through a shell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from .. import host
from .failures import Undelivered
from .messages import Message

_MOST_SAID = 200


def send_by_host(target: str, message: Message, timeout_s: float) -> None:
    """Through whatever the host is set up to write to. Raises Undelivered with the host's own reason."""
    argv = [sys.executable, "-P", "-m", "hermes_cli.main", "-p", "default", "send", f"--to={target}"]
    status, said = _run(argv, message, timeout_s, {"HERMES_HOME": str(host.root())}, listen=True)
    if status:
        raise Undelivered(f"The host could not send it: {said or f'exit status {status}'}")


def run_command(argv: Sequence[str], message: Message, timeout_s: float) -> None:
    """Start a program of the operator's with the message on its standard input. Raises Undelivered."""
    status, _ = _run(argv, message, timeout_s, {}, listen=False)
    if status:
        raise Undelivered(f"The command ended with status {status}.")


def _run(
    argv: Sequence[str], message: Message, timeout_s: float, variables: Mapping[str, str], *, listen: bool
) -> tuple[int, str]:
    """Exit status and last complaint. A program that takes too long is ended with all it started."""
    try:
        program = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if listen else subprocess.DEVNULL,
            env={**os.environ, **variables},
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise Undelivered(f"The command could not be started ({type(error).__name__}).") from None
    with program:
        try:
            _, said = program.communicate(f"{message.text}\n".encode(), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            raise Undelivered(f"It took longer than {timeout_s:g} s and was ended.") from None
    return program.returncode, _last_line(said or b"")


def _last_line(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return "".join(c for c in lines[-1] if c.isprintable())[:_MOST_SAID] if lines else ""
