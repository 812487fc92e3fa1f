"""The clock: recovers what was cut short, runs queued evaluations, applies what was approved, watches live windows.

A paused profile is left as it is: nothing approved is applied, a verified change stays. What does not change a profile
goes on: evaluations run, sessions are observed, a window reaches its verdict. And a live change that failed is taken
back all the same, because leaving it there is the one thing nobody can want of a pause.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from queue import SimpleQueue

from . import host
from .errors import ApprovalVoid, IllegalTransition, ProfilePaused, RatchetError, StoreBehind
from .evaluation import jobs, service
from .evaluation.jobs import Job
from .evaluation.running import agent_process, workers
from .evaluation.running.arm_home import remove_leftovers
from .notifying.notifier import Notifier
from .notifying.watchdog import note_dead_daemon
from .observation import snapshots
from .proposal import requests, settling
from .proposal import service as proposing
from .ratchet import apply, controls, experiments, journal, lease
from .ratchet.actor import DAEMON
from .ratchet.context import Context, open_context
from .ratchet.states import State
from .ratchet.window import host_versions, live_window, planning
from .stats.calibration import Verdict
from .watching import guarded

log = logging.getLogger(__name__)

_STOP_WITHIN_S = 1.7
_COLLECT_EVERY_S = 3600.0
_PLANS_EVERY_S = 60.0
_LONGEST_SLEEP_S = 60.0
_PLANNED = 20
"""Proposals, the newest ones, of which the live plan is kept ready."""


def run(context: Context, *, once: bool = False, say: Callable[[str], None] = log.info) -> int:
    """Work until SIGTERM or SIGINT (``once``: everything that is due, evaluations included). Returns the exit status.

    A second daemon waits for the first one's place and says so. Two seconds after a signal the process is gone,
    whatever it was at: the journal and the queue let the next one go on from there.
    """
    daemon = _Daemon(context, say)
    with _stopping_on_signals(daemon.stop):
        return daemon.run_once() if once else daemon.run_forever()


class _Daemon:
    """One daemon process: its place among others, its wish to stop, and the work of one round."""

    def __init__(self, context: Context, say: Callable[[str], None]) -> None:
        self.context = context
        self._say = say
        self.stop = threading.Event()
        self.owner = lease.new_owner()
        self._heard_of = 0.0
        self._worker: threading.Thread | None = None
        self._complaints: dict[str, str] = {}
        self._status = 0
        self._notifier = Notifier()
        self._collect_at: dict[str, float] = {}
        self._plans_at = 0.0
        self._rested_until: dict[str, float] = {}

    def say(self, text: str) -> None:
        """Tell whoever listens; a log on a full disk or a terminal that was closed stops no daemon."""
        with suppress(OSError):
            self._say(text)

    def run_forever(self) -> int:
        try:
            while not self.stop.is_set():
                self._guarded("this round", self._turn)
                self.stop.wait(min(self.context.settings.daemon.tick_s, _LONGEST_SLEEP_S))
        finally:
            self._leave()
        return self._status

    def run_once(self) -> int:
        """A round, the evaluations that are due, and a round for what follows from them."""
        if not self._take_place():
            self.say("another daemon is at work; nothing to do here")
            return 0
        threading.Thread(target=self._stay_heard_of, daemon=True).start()
        try:
            for work in (self._round, self._run_jobs, self._round, self._tell_everybody):
                self._guarded("this round", work)
        finally:
            self.stop.set()
            self._leave()
        return self._status

    def _turn(self) -> None:
        if self._take_place():
            self._complaints.pop("place", None)
            self._round()
            self._start_worker()
        else:
            self._complain("place", "another daemon is at work; waiting to take over when it stops")

    def _take_place(self) -> bool:
        """Take the daemon's place, or be heard of in it again; False when another daemon has it."""
        note_dead_daemon(self.context, silent_s=self.context.settings.daemon.lease_s, me=self.owner)
        ours = lease.acquire(self.context, self.owner).owner == self.owner
        self._heard_of = time.monotonic()
        return ours

    def _keep_place(self) -> bool:
        """Like :meth:`_take_place`, but only after a third of the time in which a silent daemon loses its place."""
        silent_s = time.monotonic() - self._heard_of
        return silent_s < self.context.settings.daemon.lease_s / 3 or self._take_place()

    def _stay_heard_of(self) -> None:
        while not self.stop.wait(self.context.settings.daemon.lease_s / 3):
            self._guarded("being heard of", self._take_place)

    def _leave(self) -> None:
        if self._worker is not None:
            self._worker.join()
        self._guarded("leaving", lambda: lease.release(self.context, self.owner))

    def _round(self) -> None:
        """Recover first; then every profile on its own, so that one that fails never stops another."""
        self._guarded("reading the settings", self._reload_settings)
        self._guarded("the host's version", partial(host_versions.note, self.context))
        self._guarded("removing old homes", remove_leftovers)
        profiles = [profile.name for profile in host.profiles()]
        for work in (self._recover, self._serve):
            for profile in profiles:
                if self.stop.is_set() or not self._keep_place():
                    return
                self._guarded(f"profile {profile}", partial(self._attend, profile, work))
        for profile in profiles:
            self._guarded(f"watching {profile}", partial(self._look, profile))
        self._guarded("the schedule of proposals", lambda: requests.ask_when_due(self.context))
        self._guarded("notifying", lambda: self._notifier.poke(self.context))

    def _look(self, profile: str) -> None:
        """Whatever a profile's state, also while it is left alone: no file of it changes unseen."""
        for change in guarded.watch(self.context, profile).changes:
            self.say(f"{profile}: {change.relpath} {change.what} without an experiment; probably {change.author}")
        if time.monotonic() >= self._collect_at.get(profile, 0.0):
            self._collect_at[profile] = time.monotonic() + _COLLECT_EVERY_S
            snapshots.collect(self.context, profile)

    def _tell_everybody(self) -> None:
        self._notifier.poke(self.context)
        self._notifier.finish(4 * self.context.settings.notify.timeout_s)

    def _reload_settings(self) -> None:
        self.context = replace(self.context, settings=host.settings())

    def _attend(self, profile: str, work: Callable[[str], None]) -> None:
        """Do ``work``; of a profile that failed a while ago, only what takes a change back that failed."""
        if controls.get(self.context, profile).is_resting:
            if work == self._serve and time.monotonic() >= self._rested_until.get(profile, 0.0):
                self._rested_until[profile] = time.monotonic() + _LONGEST_SLEEP_S
                self._guarded(f"watching the live change of {profile}", partial(self._watch_live, profile))
            return
        try:
            work(profile)
        except Exception as error:  # whatever it is, the other profiles must go on
            noted = controls.note_failure(self.context, profile, error)
            self.say(f"{profile}: {error} (failure {noted.failures}; next try {noted.retry_at})")
            if not isinstance(error, RatchetError):
                log.exception("profile %s", profile)

    def _recover(self, profile: str) -> None:
        with self.context.store.read() as tx:
            cut_short = journal.open_operations(tx, profile)
        if cut_short:
            with self.context.profile_lock(profile):
                for done in apply.settle_open(self.context, profile):
                    self.say(f"{profile}: {done}")

    def _serve(self, profile: str) -> None:
        self._apply_approved(profile)
        self._watch_live(profile)
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
            except ApprovalVoid as void:  # and rejected by that: it will not come again
                self.say(f"{profile}: {void}")

    def _watch_live(self, profile: str) -> None:
        for one in experiments.list_experiments(self.context, profile=profile, state=State.LIVE):
            found = live_window.observe(self.context, one.id)
            if found.verdict is not Verdict.UNDECIDED and not one.live_verdict:
                live_window.settle_verdict(self.context, found)
                self.say(f"{profile}: experiment {one.id}: {found.verdict}: {found.reason}")
            if found.verdict is Verdict.REVERTED:
                reverted = apply.revert(self.context, one.id, DAEMON, found.reason)
                self.say(f"{profile}: experiment {one.id} taken back as {str(reverted.revert_commit_sha)[:10]}")

    def _start_worker(self) -> None:
        """Evaluations take minutes: they run beside the rounds, one job at a time."""
        idle = self._worker is None or not self._worker.is_alive()
        if idle and (jobs.next_due(self.context) or time.monotonic() >= self._plans_at):
            work = partial(self._guarded, "evaluations and plans", self._run_jobs)
            self._worker = threading.Thread(target=work, name="jobs", daemon=True)
            self._worker.start()

    def _run_jobs(self) -> None:
        """Every job that is due, each once: one that cannot even be written down as failed comes again next round."""
        tried: set[int] = set()
        self._guarded("what the gate says", self._settle)
        with workers.kept_warm():
            while not self.stop.is_set() and (job := jobs.next_due(self.context, without=tried)):
                tried.add(job.id)
                self._guarded(f"job {job.id}", partial(self._run_job, job))
                self._guarded("what the gate says", self._settle)
        self._prepare_plans()

    def _prepare_plans(self) -> None:
        """Make the live plans of proposals, which can take seconds: whoever approves one does not wait for that."""
        self._plans_at = time.monotonic() + _PLANS_EVERY_S
        for one in experiments.list_experiments(self.context, state=State.PROPOSED, limit=_PLANNED):
            if not self.stop.is_set():
                self._guarded(f"the live plan of experiment {one.id}", partial(planning.make_plan, self.context, one))

    def _run_job(self, job: Job) -> None:
        proposes = job.kind == requests.KIND
        what = "asking for a proposal" if proposes else f"evaluating experiment {job.experiment_id}"
        self.say(f"{job.profile}: {what} (job {job.id})")
        ended = (proposing if proposes else service).run_job(self.context, job.id, stop=self.stop)
        self.say(f"{ended.profile}: job {ended.id} {ended.state}{': ' + ended.error if ended.error else ''}")

    def _settle(self) -> None:
        for number in settling.settle(self.context):
            self.say(f"experiment {number} of the proposer did not pass the gate and is rejected")

    def _guarded(self, what: str, work: Callable[[], object]) -> None:
        """A daemon that dies of one failure takes nothing back any more: say what happened, and go on."""
        try:
            work()
        except Exception as error:
            self._complain(what, f"{what} failed: {error}")
            if isinstance(error, StoreBehind):  # the file is not the one this process opened: only a new one can go on
                self._status = 1
                self.stop.set()
            if not isinstance(error, RatchetError):
                log.exception("%s", what)
        else:
            self._complaints.pop(what, None)

    def _complain(self, about: str, text: str) -> None:
        """Say it once, and not in every round in which it is still so."""
        if self._complaints.get(about) != text:
            self._complaints[about] = text
            self.say(text)


@contextmanager
def _stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """Set ``stop`` on a signal; a block that does not end soon after is ended with the process."""
    # A handler runs between two instructions of the main thread: it may put into such a queue, but not set an event
    # whose lock that very thread may hold.
    asked: SimpleQueue[bool] = SimpleQueue()
    left = threading.Event()

    def watch() -> None:
        if asked.get():
            stop.set()
            if not left.wait(_STOP_WITHIN_S):
                agent_process.terminate_all()
                os._exit(0)

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: asked.put(True)) for number in numbers]
    threading.Thread(target=watch, name="signals", daemon=True).start()
    try:
        yield
    finally:
        left.set()
        asked.put(False)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def main(*, once: bool = False) -> int:
    """A daemon as a process of its own: log to stderr, work, return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    context = open_context()
    try:
        return run(context, once=once)
    finally:
        context.store.close()
