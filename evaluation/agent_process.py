"""The worker's process: started in a session of its own, and ended whole, children included, at any moment.

A module-level list holds the runs of this process that are under way, so that another thread or a signal handler's
thread can end them: a daemon must be gone two seconds after it is told to stop.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from .arm_home import ArmHome

WORKER = Path(__file__).with_name("worker.py")
_lock = threading.Lock()
_under_way: list[AgentProcess] = []


class AgentProcess:
    """One run, from before its home is built until its process is gone. ``group`` is any label to end it by."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.cancelled = threading.Event()
        self.timed_out = False
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, arm: ArmHome, request_file: Path, log: Path, timeout_s: float) -> int:
        """Runs the worker until it ends or must be ended. Returns its exit status, negative for a signal."""
        process = self._start(arm, request_file, log)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.timed_out = True
            self._kill()
            process.wait()
        finally:
            if process.stdin is not None:
                process.stdin.close()
        # A child left in the group of a finished worker would write into a home that is being removed.
        _kill_group(process.pid)
        return process.returncode

    def cancel(self) -> None:
        """Ends the run, or keeps it from starting. From any thread."""
        self.cancelled.set()
        self._kill()

    def _start(self, arm: ArmHome, request_file: Path, log: Path) -> subprocess.Popen[bytes]:
        with self._starting, log.open("wb") as stderr:
            # -P: the worker's own directory must not shadow modules of the host.
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(WORKER), str(request_file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=arm.workspace,
                env=dict(arm.environment),
                start_new_session=True,
            )
        if self.cancelled.is_set():
            self._kill()
        return self._process

    def _kill(self) -> None:
        with self._starting:
            process = self._process
            if process is None or process.returncode is not None:
                return
            # Looked up first: what left the group can only be found while its parents live.
            strays = _descendants(process.pid)
            _kill_group(process.pid)
            for stray in strays:
                with contextlib.suppress(psutil.Error):
                    stray.kill()


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


@contextlib.contextmanager
def under_way(group: str) -> Iterator[AgentProcess]:
    """A run that :func:`terminate` and :func:`terminate_all` know of while the block lasts."""
    process = AgentProcess(group)
    with _lock:
        _under_way.append(process)
    try:
        yield process
    finally:
        with _lock:
            _under_way.remove(process)


def terminate(group: str) -> int:
    """Ends the runs of this process with this ``group``; each comes back with an error. Returns how many there were."""
    return _terminate([process for process in _snapshot() if process.group == group])


def terminate_all() -> int:
    """Ends every run of this process, also one whose home is still being built. Returns how many there were.

    Runs that wait in an executor have not begun: cancel them there first.
    """
    return _terminate(_snapshot())


def _snapshot() -> list[AgentProcess]:
    with _lock:
        return list(_under_way)


def _terminate(processes: list[AgentProcess]) -> int:
    for process in processes:
        process.cancel()
    return len(processes)
