"""A worker's process: started in a session of its own, asked line by line, and ended whole, children included.

A module-level list holds the runs of this process that are under way, so that another thread or a signal handler's
thread can end them: a daemon must be gone two seconds after it is told to stop.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

WORKER = Path(__file__).with_name("worker.py")
MAX_ANSWER = 64 * 1024 * 1024
_CHUNK = 1 << 16
_lock = threading.Lock()
_under_way: list[Turn] = []


class Died(Exception):
    """The process ended, or closed its output, before it answered; the text is the last it said."""


class TimedOut(Exception):
    """The process did not answer in time; it is ended."""


def worker_command() -> list[str]:
    """How a worker is started. -P: its own directory must not shadow modules of the host."""
    return [sys.executable, "-P", str(WORKER)]


class AgentProcess:
    """One worker's process from its start until it and all it started are gone. ``log`` takes its standard error."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> None:
        self._log = log
        self._ending = threading.Lock()
        theirs_in, self._requests = os.pipe()
        self._answers, theirs_out = os.pipe()
        os.set_blocking(self._requests, False)
        try:
            with log.open("ab") as stderr:
                self._process = subprocess.Popen(
                    list(command),
                    stdin=theirs_in,
                    stdout=theirs_out,
                    stderr=stderr,
                    cwd=folder,
                    env=dict(environment),
                    start_new_session=True,
                )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, line: bytes, timeout_s: float) -> bytes:
        """The one line that answers ``line``. Raises Died, or TimedOut after ending the process."""
        os.truncate(self._log, 0)
        deadline = time.monotonic() + timeout_s
        try:
            self._send(line + b"\n", deadline)
            return self._answer(deadline)
        except TimedOut:
            self.end()
            raise

    def _send(self, line: bytes, deadline: float) -> None:
        left = memoryview(line)
        with contextlib.suppress(BrokenPipeError):  # who is dead says so by its answer
            while left:
                _wait_for(self._requests, selectors.EVENT_WRITE, deadline)
                left = left[os.write(self._requests, left) :]

    def _answer(self, deadline: float) -> bytes:
        answer = bytearray()
        while not answer.endswith(b"\n"):
            _wait_for(self._answers, selectors.EVENT_READ, deadline)
            chunk = os.read(self._answers, _CHUNK)
            if not chunk or len(answer) > MAX_ANSWER:
                self.end()
                raise Died(self._last_words())
            answer += chunk
        return bytes(answer)

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"

    def has_children(self) -> bool:
        """Whether something that a run started outlived it."""
        return bool(_descendants(self.pid))

    def end(self) -> None:
        """End the process with all it started, and wait until it is gone. From any thread, any number of times."""
        with self._ending:
            if self._process.returncode is None:
                # Looked up first: what left the group can only be found while its parents live.
                strays = _descendants(self.pid)
                _kill_group(self.pid)
                for stray in strays:
                    with contextlib.suppress(psutil.Error):
                        stray.kill()
                self._process.wait()

    def close(self) -> None:
        """End it and give back its pipes. Only from the thread that asks it: another would read from a stranger's."""
        self.end()
        os.close(self._requests)
        os.close(self._answers)


def _wait_for(descriptor: int, event: int, deadline: float) -> None:
    """Raises TimedOut when nothing can be read or written there in time."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, event)
        if not selector.select(max(0.0, deadline - time.monotonic())):
            raise TimedOut


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


class Turn:
    """One run, from before its home is built until it has its answer. ``group`` is any label to end it by."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.cancelled = threading.Event()
        self._process: AgentProcess | None = None
        self._joining = threading.Lock()

    def ask(self, process: AgentProcess, line: bytes, timeout_s: float) -> bytes:
        """Like :meth:`AgentProcess.ask`, but ended by :meth:`cancel` too: then the process died."""
        with self._joining:
            self._process = process
        if self.cancelled.is_set():
            process.end()
        try:
            return process.ask(line, timeout_s)
        finally:
            with self._joining:
                self._process = None

    def cancel(self) -> None:
        """End the run, or keep it from starting. From any thread."""
        self.cancelled.set()
        with self._joining:
            process = self._process
        if process is not None:
            process.end()


@contextlib.contextmanager
def under_way(group: str) -> Iterator[Turn]:
    """A run that :func:`terminate` and :func:`terminate_all` know of while the block lasts."""
    turn = Turn(group)
    with _lock:
        _under_way.append(turn)
    try:
        yield turn
    finally:
        with _lock:
            _under_way.remove(turn)


def terminate(group: str) -> int:
    """Ends the runs of this process with this ``group``; each comes back with an error. Returns how many there were."""
    return _terminate([turn for turn in _snapshot() if turn.group == group])


def terminate_all() -> int:
    """Ends every run of this process, also one whose home is still being built. Returns how many there were.

    Runs that wait in an executor have not begun: cancel them there first.
    """
    return _terminate(_snapshot())


def _snapshot() -> list[Turn]:
    with _lock:
        return list(_under_way)


def _terminate(turns: list[Turn]) -> int:
    for turn in turns:
        turn.cancel()
    return len(turns)
