"""The clock: recovers what was cut short, runs queued evaluations, applies what was approved, watches live windows."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

from . import clock, host
from .errors import IllegalTransition, ProfilePaused, RatchetError
from .evaluation import jobs, service
from .evaluation.arm_home import remove_leftovers
from .ratchet import apply, controls, experiments, lease, live_window
from .ratchet.actor import DAEMON
from .ratchet.context import Context, open_context
from .ratchet.states import State
from .stats.calibration import Verdict

log = logging.getLogger(__name__)


def run(context: Context, *, once: bool = False, say: Callable[[str], None] = log.info) -> int:
    """Work until SIGTERM or SIGINT (``once``: one round, queued evaluations included). Returns the exit status.

    A second daemon waits for the first one's place and says so.
    """
    daemon = _Daemon(context, say)
    with _stopping_on_signals(daemon.stop):
        return daemon.run_once() if once else daemon.run_forever()


class _Daemon:
    """One daemon process: its place among others, its wish to stop, and the work of one round."""

    def __init__(self, context: Context, say: Callable[[str], None]) -> None:
        self.context = context
        self.say = say
        self.stop = threading.Event()
        self.owner = lease.new_owner()
        self._worker: threading.Thread | None = None

    def run_forever(self) -> int:
        waiting = False
        tick_s = self.context.settings.daemon.tick_s
        try:
            while not self.stop.is_set():
                if self._holds_place():
                    waiting = False
                    self._round()
                    self._start_worker()
                elif not waiting:
                    waiting = True
                    self.say("another daemon is at work; waiting to take over when it stops")
                self.stop.wait(tick_s)
        finally:
            self._leave()
        return 0

    def run_once(self) -> int:
        if not self._holds_place():
            self.say("another daemon is at work; nothing to do here")
            return 0
        heart = threading.Thread(target=self._keep_place, daemon=True)
        heart.start()
        try:
            self._round()
            self._run_jobs()
            self._round()
        finally:
            self.stop.set()
            self._leave()
        return 0

    def _holds_place(self) -> bool:
        try:
            return lease.acquire(self.context, self.owner).owner == self.owner
        except RatchetError as error:
            self.say(f"no round this time: {error.message}")
            return False

    def _keep_place(self) -> None:
        while not self.stop.wait(self.context.settings.daemon.lease_s / 3):
            self._holds_place()

    def _leave(self) -> None:
        if self._worker is not None:
            self._worker.join(timeout=1.5)
        lease.release(self.context, self.owner)

    def _round(self) -> None:
        """Recover first; then every profile on its own, so that one that fails never stops another."""
        self._guarded("reading the settings", self._reload_settings)
        self._guarded("recovery", self._recover)
        for profile in host.profiles():
            if not self.stop.is_set() and self._is_due(profile.name):
                self._serve(profile.name)

    def _recover(self) -> None:
        for done in apply.recover(self.context):
            self.say(done)
        remove_leftovers()

    def _reload_settings(self) -> None:
        self.context = replace(self.context, settings=host.settings())

    def _is_due(self, profile: str) -> bool:
        retry_at = controls.get(self.context, profile).retry_at
        return retry_at is None or clock.parse(retry_at) <= clock.now()

    def _serve(self, profile: str) -> None:
        try:
            self._apply_approved(profile)
            self._watch_live(profile)
        except Exception as error:  # whatever it is, the other profiles must go on
            noted = controls.note_failure(self.context, profile, error)
            self.say(f"{profile}: {error} (failure {noted.failures}; next try {noted.retry_at})")
            if not isinstance(error, RatchetError):
                log.exception("profile %s", profile)
        else:
            controls.note_success(self.context, profile)

    def _apply_approved(self, profile: str) -> None:
        if not self.context.settings.auto_apply:
            return
        for one in experiments.list_experiments(self.context, profile=profile, state=State.APPROVED):
            try:
                done = apply.apply(self.context, one.id, DAEMON)
                self.say(f"{profile}: experiment {one.id} is {done.state} as {str(done.apply_commit_sha)[:10]}")
            except (ProfilePaused, IllegalTransition):
                continue  # paused, or somebody was quicker: nothing went wrong

    def _watch_live(self, profile: str) -> None:
        for one in experiments.list_experiments(self.context, profile=profile, state=State.LIVE):
            found = live_window.observe(self.context, one.id)
            if found.verdict is Verdict.UNDECIDED:
                continue
            if not one.live_verdict:
                live_window.settle_verdict(self.context, found)
                self.say(f"{profile}: experiment {one.id}: {found.verdict}: {found.reason}")
            if found.verdict is Verdict.REVERTED:
                reverted = apply.revert(self.context, one.id, DAEMON, found.reason)
                self.say(f"{profile}: experiment {one.id} taken back as {str(reverted.revert_commit_sha)[:10]}")

    def _start_worker(self) -> None:
        """Evaluations take minutes: they run beside the rounds, one job at a time."""
        if self._worker is None or not self._worker.is_alive():
            if jobs.next_due(self.context) is None:
                return
            self._worker = threading.Thread(target=self._run_jobs, name="jobs", daemon=True)
            self._worker.start()

    def _run_jobs(self) -> None:
        while not self.stop.is_set() and (job := jobs.next_due(self.context)):
            self.say(f"{job.profile}: evaluating experiment {job.experiment_id} (job {job.id})")
            number = job.id
            self._guarded(f"job {number}", lambda number=number: self._run_job(number))  # type: ignore[misc]

    def _run_job(self, job_id: int) -> None:
        ended = service.run_job(self.context, job_id, stop=self.stop)
        self.say(f"{ended.profile}: job {job_id} {ended.state}{': ' + ended.error if ended.error else ''}")

    def _guarded(self, what: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # a daemon that dies of one failure takes nothing back any more
            self.say(f"{what} failed: {error}")
            if not isinstance(error, RatchetError):
                log.exception("%s", what)


@contextmanager
def _stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, ask_to_stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def main(*, once: bool = False) -> int:
    """What ``hermes ratchet daemon`` runs: log to stderr, work, return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    context = open_context()
    try:
        return run(context, once=once)
    finally:
        context.store.close()
