"""Runs tasks on an executor, a few at a time, grades each beside the others and keeps what came of it in batches.

It knows no database and no agent: a :class:`Plan` says what to run, how to grade and keep it, and when to stop. What
ended is handed to the next step at once and kept by a thread of its own, so that no run waits for a disk. A run that
failed around the agent is tried again, later each time; what the earlier tries cost stays in its figures.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from ...errors import BadInput, Unavailable
from ..checks import CheckOutcome, Outcome
from ..judging.background import begun
from ..judging.grading import Graded
from . import agent_process
from .runner import MAX_REASON, AgentRun, RunRequest, Tokens, run_agent_once

POLL_S = 0.3
"""Seconds between two questions whether to go on."""
OUTAGE = 4
"""When this many tries, the first ones, all fail around the agent, the others would too: each may cost minutes."""

_GATHER_S = 0.01
"""Seconds for which results wait for others: one transaction costs about as much as ten results in it."""

TaskT = TypeVar("TaskT")
Event = Future[AgentRun] | Future[Graded] | int | BaseException
"""A run or a grade ended, that many results are kept, or something went wrong."""


class Ending(Enum):
    """Why no further run is started."""

    FINISHED = auto()
    CANCELLED = auto()
    STOPPED = auto()
    OVER_BUDGET = auto()


@dataclass(frozen=True)
class Finished(Generic[TaskT]):
    """A task with what the agent did and what checks and judge say of it."""

    task: TaskT
    run: AgentRun
    graded: Graded


@dataclass(frozen=True)
class Plan(Generic[TaskT]):
    """What to run, in order, and what to do with it.

    ``keep`` stores a batch for good, in a thread of its own; what it raises ends everything. ``ending`` is asked every
    0.3 s, and again before each run with ``may_start``: an ending there starts no further run but waits for those
    under way. ``one_by_one`` holds each start back until all that ended is kept, so that ``may_start`` knows of it;
    ``slow_grade`` grades beside the runs, as when a judge is asked, and not where results are kept. ``workers`` bounds
    the runs at the same time, ``retries`` how often one that failed around the agent is tried again, ``backoff_s`` the
    seconds before the first retry; they double.
    """

    tasks: Sequence[TaskT]
    request: Callable[[TaskT], RunRequest]
    grade: Callable[[TaskT, AgentRun], Graded]
    keep: Callable[[Sequence[Finished[TaskT]]], None]
    ending: Callable[[], Ending | None]
    may_start: Callable[[], Ending | None] = lambda: None
    one_by_one: bool = False
    slow_grade: bool = False
    workers: int = 2
    retries: int = 0
    backoff_s: float = 2.0
    group: str = ""


def run(plan: Plan[TaskT], executor: Executor) -> Ending:
    """Run a plan to its end; whatever interrupts it, no agent stays behind and what was graded is kept.

    What one run or its grade raises becomes the result of that run: none, and why. Raises what ``keep`` raised, and
    from a run BadInput and Unavailable, which would meet all others too.
    """
    loop = _Loop(plan, executor)
    try:
        return loop.run()
    finally:
        loop.end_runs()
        loop.saver.close()


@dataclass(frozen=True)
class _Try(Generic[TaskT]):
    """One try at a task, numbered from 1, with what the earlier ones cost."""

    task: TaskT
    number: int = 1
    before: AgentRun | None = None


class _Loop(Generic[TaskT]):
    """The state of one call of :func:`run`.

    The thread in which a run ended starts the next one itself, before anything else is done with what ended: hence the
    lock around what both threads touch. Everything else belongs to the calling thread.
    """

    def __init__(self, plan: Plan[TaskT], executor: Executor) -> None:
        self.plan, self.executor = plan, executor
        self.lock = threading.RLock()
        self.waiting = deque(_Try(task) for task in plan.tasks)
        self.running: dict[Future[AgentRun], _Try[TaskT]] = {}
        self.busy = self.unkept = 0
        self.starting = False
        self.closing: Ending | None = None
        self.later: list[tuple[float, int, _Try[TaskT], AgentRun]] = []
        self.grading: dict[Future[Graded], tuple[TaskT, AgentRun]] = {}
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.saver = _Saver(plan, self.events.put)
        self.tries = self.failures = 0
        self.counter = itertools.count()

    def run(self) -> Ending:
        asked = -POLL_S
        while True:
            if time.monotonic() - asked >= POLL_S:
                if ending := self.plan.ending():
                    return ending
                asked = time.monotonic()
            self._bring_back()
            self._start_what_fits()
            self._give_up()
            if self._over():
                return self.closing or Ending.FINISHED
            self._take_next()

    def _bring_back(self) -> None:
        """Put what is due to be tried again in front: it has waited longest."""
        while self.later and self.later[0][0] <= time.monotonic():
            with self.lock:
                self.waiting.appendleft(heapq.heappop(self.later)[2])

    def _start_what_fits(self) -> None:
        with self.lock:
            if self.starting:  # an executor that runs things at once comes back here from its own submit
                return
            self.starting = True
            try:
                while self.waiting and self._has_room() and not self._enough():
                    self._start(self.waiting.popleft())
            finally:
                self.starting = False

    def _has_room(self) -> bool:
        # All places may end at the same moment: they must not wait for each other's results to be kept.
        most = 1 if self.plan.one_by_one else 2 * self.plan.workers
        return self.busy < self.plan.workers and self.unkept < most

    def _enough(self) -> bool:
        self.closing = self.closing or self.plan.may_start()
        if self.closing:
            self.waiting.clear()
        return self.closing is not None

    def _start(self, one: _Try[TaskT]) -> None:
        future = self.executor.submit(run_agent_once, self.plan.request(one.task))
        self.running[future] = one
        self.busy += 1
        future.add_done_callback(self._ended)

    def _ended(self, future: Future[AgentRun]) -> None:
        """In the thread that ran it."""
        with self.lock:
            self.busy -= 1
            self.unkept += 1
        try:
            if not self.plan.one_by_one:
                self._start_what_fits()
        except BaseException as error:
            self.events.put(error)
        self.events.put(future)

    @property
    def _outage(self) -> bool:
        return self.failures == self.tries >= OUTAGE

    def _give_up(self) -> None:
        """Start nothing more when nothing works; what waits to be tried again keeps the reason it failed for."""
        if self._outage:
            with self.lock:
                self.closing = self.closing or Ending.FINISHED
                self.waiting.clear()
                self.unkept += len(self.later)
            for _, _, one, failed in self.later:
                self._grade(one.task, failed)
        if self.closing:
            self.later.clear()

    def _over(self) -> bool:
        with self.lock:
            awaited = self.running and not self._outage
            return not (self.waiting or awaited or self.later or self.grading or self.unkept)

    def _take_next(self) -> None:
        """Wait for one event, then take all there are: many may come at the same moment."""
        pause = min([POLL_S, *(max(0.0, due - time.monotonic()) for due, *_ in self.later[:1])])
        try:
            event = self.events.get(timeout=pause)
            while True:
                self._handle(event)
                event = self.events.get_nowait()
        except Empty:
            pass

    def _handle(self, event: Event) -> None:
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, int):
            with self.lock:
                self.unkept -= event
        elif event in self.running:
            with self.lock:
                one = self.running.pop(event)  # type: ignore[arg-type]
            self._ran(one, _result(event))  # type: ignore[arg-type]
        elif event in self.grading:
            task, ran = self.grading.pop(event)  # type: ignore[arg-type]
            self.saver.put(task, ran, _graded(event.result))  # type: ignore[arg-type]

    def _ran(self, one: _Try[TaskT], result: AgentRun) -> None:
        self.tries += 1
        self.failures += result.error is not None and not result.refused
        ran = _with_costs_of(one.before, replace(result, attempts=one.number))
        if ran.transient and one.number <= self.plan.retries:
            due = time.monotonic() + self.plan.backoff_s * 2 ** (one.number - 1)
            again = _Try(one.task, one.number + 1, ran)
            heapq.heappush(self.later, (due, next(self.counter), again, ran))
            with self.lock:
                self.unkept -= 1
        else:
            self._grade(one.task, ran)

    def _grade(self, task: TaskT, ran: AgentRun) -> None:
        if not self.plan.slow_grade:
            self.saver.put(task, ran, None)
            return
        future = begun(partial(self.plan.grade, task, ran))
        self.grading[future] = task, ran
        future.add_done_callback(self.events.put)

    def end_runs(self) -> None:
        """End what is under way; a run may begin in the very moment it is ended, so ask until none is left."""
        with self.lock:
            self.closing = self.closing or Ending.STOPPED
            left = {future for future in self.running if not future.cancel()}
        while left := {future for future in left if not future.done()}:
            agent_process.terminate(self.plan.group)
            wait(left, timeout=0.1)


class _Saver(Generic[TaskT]):
    """A thread that keeps whatever has come together since it last did, in one batch; it grades what is not yet."""

    def __init__(self, plan: Plan[TaskT], tell: Callable[[int | BaseException], None]) -> None:
        self._plan, self._tell = plan, tell
        self._queue: SimpleQueue[tuple[TaskT, AgentRun, Graded | None] | None] = SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="results", daemon=True)
        self._thread.start()

    def put(self, task: TaskT, ran: AgentRun, graded: Graded | None) -> None:
        self._queue.put((task, ran, graded))

    def close(self) -> None:
        """Wait until everything is kept. Raises what keeping it raised."""
        self._queue.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while batch := self._batch():
                graded = [
                    Finished(task, ran, found or _graded(partial(self._plan.grade, task, ran)))
                    for task, ran, found in batch
                ]
                self._plan.keep(graded)
                self._tell(len(graded))
        except BaseException as error:
            self._error = error
            self._tell(error)

    def _batch(self) -> list[tuple[TaskT, AgentRun, Graded | None]]:
        """At least one, and all that come within a moment; empty when nothing more comes."""
        batch = []
        one = self._queue.get()
        if one is not None and not self._plan.one_by_one:
            time.sleep(_GATHER_S)
        while one is not None:
            batch.append(one)
            try:
                one = self._queue.get_nowait()
            except Empty:
                return batch
        if batch:
            self._queue.put(None)  # the end is found again behind the last batch
        return batch


def _result(future: Future[AgentRun]) -> AgentRun:
    """What a run came to; what it raised is its own affair and not that of the others."""
    try:
        return future.result()
    except (BadInput, Unavailable):  # the settings are wrong, or what we stand on does not work: so for all others
        raise
    except Exception as error:
        return AgentRun(error=f"the run could not be made: {_named(error)}")


def _graded(grade: Callable[[], Graded]) -> Graded:
    """What checks and judge say, or that they could not."""
    try:
        return grade()
    except Unavailable:
        raise
    except Exception as error:
        return Graded(CheckOutcome(Outcome.NO_RESULT, f"the run could not be graded: {_named(error)}"), {})


def _named(error: Exception) -> str:
    words = str(error).encode("utf-8", "replace").decode("utf-8")[:MAX_REASON]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _with_costs_of(before: AgentRun | None, run: AgentRun) -> AgentRun:
    """``run`` with the figures of the tries before it added; one unknown figure makes the sum unknown."""
    if before is None:
        return run
    return replace(
        run,
        tokens=_sum_of_tokens(before.tokens, run.tokens),
        cost_micro_usd=_sum(before.cost_micro_usd, run.cost_micro_usd),
        calls=_sum(before.calls, run.calls),
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _sum_of_tokens(one: Tokens | None, other: Tokens | None) -> Tokens | None:
    if one is None or other is None:
        return one or other
    return Tokens(**{name: getattr(one, name) + getattr(other, name) for name in Tokens.__dataclass_fields__})
