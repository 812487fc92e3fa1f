"""Worker processes kept warm between runs: starting the host takes two seconds, a further run a fraction of one.

A worker belongs to one throw-away home for its whole life and serves only runs that reach their model the same way. It
is ended after a run that timed out, died, was cancelled or left a child behind, and after ``MAX_RUNS``; the next run
gets a new one. Warm workers exist only while a :func:`kept_warm` block lasts: nobody else would end them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from . import sandbox
from .agent_process import AgentProcess, Turn, worker_command
from .arm_home import ArmHome, ModelAccess
from .model_door import model_door
from .sandbox import Address

MAX_RUNS = 50
"""Runs after which a worker is replaced, whatever it may have gathered by then."""

_Key = tuple[ModelAccess, Path | None]
_lock = threading.Lock()
_idle: list[tuple[_Key, Worker]] = []
_holders = 0


class Worker:
    """A process with its home; in a sandbox from which it reaches only ``model``, if that is given."""

    def __init__(self, access: ModelAccess, parent: Path | None, model: Address | None = None) -> None:
        self.home = ArmHome(access, parent)
        self._model = model
        self._process: AgentProcess | None = None
        self._until_closed = ExitStack()
        self._runs = 0

    def ask(self, turn: Turn, line: bytes, timeout_s: float) -> bytes:
        """The answer to one request; the process starts with the first. Raises Died, TimedOut."""
        if self._process is None:
            self._process = self._started()
        self._runs += 1
        return turn.ask(self._process, line, timeout_s)

    def _started(self) -> AgentProcess:
        home, model = self.home, self._model
        if model is None:
            return AgentProcess(worker_command(), home.environment, home.workspace, home.root / "stderr")
        self._until_closed.enter_context(model_door(home.root / sandbox.SOCKET, model.host, model.port))
        command, environment = sandbox.command(home, model), sandbox.environment(home, model)
        return AgentProcess(command, environment, home.workspace, home.root / "stderr")

    @property
    def is_fit(self) -> bool:
        """Whether it may serve another run."""
        return self._runs < MAX_RUNS and self._process is not None and not self._process.has_children()

    def close(self) -> None:
        """End the process and remove the home."""
        if self._process is not None:
            self._process.close()
        self._until_closed.close()
        self.home.remove()


@contextlib.contextmanager
def leased(access: ModelAccess, parent: Path | None) -> Iterator[Worker]:
    """A worker for one run: a warm one, or a new one. What goes wrong in the block is its end."""
    key = (access, parent)
    worker = _taken(key) or Worker(access, parent)
    fit = False
    try:
        yield worker
        fit = worker.is_fit
    finally:
        with _lock:
            kept = fit and _holders > 0
            if kept:
                _idle.append((key, worker))
        if not kept:
            worker.close()


def _taken(key: _Key) -> Worker | None:
    """A warm worker that reaches its model this way; those of another way are ended, as nobody goes that way now."""
    with _lock:
        mine = [worker for at, worker in _idle if at == key]
        others = [worker for at, worker in _idle if at != key]
        _idle[:] = [(key, worker) for worker in mine[:-1]]
    for worker in others:
        worker.close()
    return mine[-1] if mine else None


@contextlib.contextmanager
def single(access: ModelAccess, parent: Path | None, model: Address) -> Iterator[Worker]:
    """A worker in a sandbox, for one run: what that does to its memory and its shells ends with it."""
    worker = Worker(access, parent, model)
    try:
        yield worker
    finally:
        worker.close()


@contextlib.contextmanager
def kept_warm() -> Iterator[None]:
    """Keep workers between runs of this process while the block lasts; the outermost block ends them."""
    keep_warm()
    try:
        yield
    finally:
        _let_go()


def keep_warm() -> None:
    """Keep workers until this process ends, which ends them: for the initializer of an executor's processes."""
    global _holders
    with _lock:
        _holders += 1


def _let_go() -> None:
    global _holders
    with _lock:
        _holders -= 1
        left = [] if _holders else [worker for _, worker in _idle]
        if not _holders:
            _idle.clear()
    for worker in left:
        worker.close()
