"""Random lives of changes, with a person's edits and kills in between, always end where a plain model says."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from karpathy_self_improve._db import driver
from karpathy_self_improve.errors import FileDrifted, IllegalTransition, ProfileBusy, ProfileInFlight
from karpathy_self_improve.ratchet import apply, approval, context, experiments, journal, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.audit import trail
from karpathy_self_improve.ratchet.faults import Point
from karpathy_self_improve.ratchet.states import IN_FLIGHT, State

ME = Actor("somebody", "os:somebody")
SOUL, SKILL = "SOUL.md", "skills/x/SKILL.md"
HEAD = b"\r\n"
SENTENCES = st.sampled_from([b"Be kind.", b"Be brief.", b"Ask first.", b"Never shout.", b"Be \xff kind."])
TARGETS = st.sampled_from([SOUL, SOUL, SKILL])
POINTS = st.sampled_from(sorted(set(Point) - {Point.LINKED, Point.RENAMED}))  # those are for poorer file systems
WHICH = st.sampled_from([0, 0, 0, 1, 2])
CONFIG = "plugins:\n  entries:\n    karpathy-self-improve: {approval: unsigned}\n"
NEXT = {"apply": State.LIVE, "revert": State.REVERTED}


@dataclass
class Change:
    """What the model knows of one experiment."""

    target: str
    base: bytes | None
    candidate: bytes
    state: State = State.PROPOSED


@dataclass
class CutShort:
    """An operation that a kill may have left at any point; it will have happened, or not."""

    number: int
    kind: str
    edited: bool = False


@dataclass
class Model:
    """Files, changes and how many commits of ours there are."""

    files: dict[str, bytes | None] = field(default_factory=lambda: {SOUL: HEAD + b"Be kind.", SKILL: None})
    changes: dict[int, Change] = field(default_factory=dict)
    commits: int = 0
    cut: CutShort | None = None

    def in_flight(self) -> bool:
        return any(change.state in IN_FLIGHT for change in self.changes.values())

    def done(self, number: int, kind: str) -> None:
        change = self.changes[number]
        change.state = NEXT[kind]
        self.files[change.target] = change.candidate if kind == "apply" else change.base
        self.commits += 1


class Lives(RuleBasedStateMachine):
    """One profile with two files. Real services, real git, real SQLite, and real kills in forked processes.

    Only verifying is done directly on the state: what it takes to be verified is the live window's business.
    """

    own = False

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="ratchet-lives-")).resolve()
        (self.home / "config.yaml").write_text(CONFIG)
        self.before = os.environ.get("HERMES_HOME")
        os.environ["HERMES_HOME"] = str(self.home)
        self.model, self.commits_seen = Model(), 0
        self.path(SOUL).write_bytes(self.model.files[SOUL])
        if self.own:
            for words in (["init", "-q"], ["add", SOUL], ["commit", "-q", "-m", "first"]):
                subprocess.run(["git", "-C", str(self.home), *words], check=True)
        self.context = context.open_context()

    def teardown(self) -> None:
        if self.model.cut:
            self.recover()
        verdict, commits = trail.verify(self.context), self.our_commits()
        self.context.store.close()
        os.environ["HERMES_HOME"] = self.before
        shutil.rmtree(self.home)
        assert verdict.breaks == ()
        assert commits == self.model.commits

    def path(self, target: str) -> Path:
        return self.home / target

    def content(self, target: str) -> bytes | None:
        return self.path(target).read_bytes() if self.path(target).exists() else None

    def number(self, which: int) -> int:
        """The experiment that is approved or live, if there is one, then the others, newest first."""
        changes = self.model.changes
        known = sorted(changes, key=lambda number: (changes[number].state in IN_FLIGHT, number), reverse=True)
        return known[which % len(known)]

    def our_commits(self) -> int:
        git_dir = self.home / ".git" if self.own else self.home / "ratchet" / "git" / "default.git"
        command = ["git", f"--git-dir={git_dir}", "rev-list", "--count", "--grep=^Ratchet-Operation", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True)
        return int(done.stdout or 0)

    @precondition(lambda self: not self.model.cut)
    @rule(file=TARGETS, sentence=SENTENCES)
    def propose(self, file: str, sentence: bytes) -> None:
        base = self.model.files[file]
        candidate = HEAD + sentence
        if candidate == base:
            return
        made = experiments.propose(self.context, "default", file, candidate, "another sentence", ME)
        self.model.changes[made.id] = Change(file, base, candidate)

    @precondition(lambda self: not self.model.in_flight() and not self.model.cut)
    @rule(file=TARGETS, sentence=SENTENCES)
    def take_on(self, file: str, sentence: bytes) -> None:
        """A change that goes straight to its approval, so that much happens in few steps."""
        before = len(self.model.changes)
        self.propose(file, sentence)
        if len(self.model.changes) > before:
            self.do_approve(max(self.model.changes))

    @precondition(lambda self: self.model.changes)
    @rule(which=WHICH)
    def approve(self, which: int) -> None:
        self.do_approve(self.number(which))

    def do_approve(self, number: int) -> None:
        change = self.model.changes[number]
        refusal = None if change.state is State.PROPOSED else IllegalTransition
        if refusal is None and self.model.in_flight():
            refusal = ProfileInFlight
        if refusal:
            with pytest.raises(refusal):
                approval.approve(self.context, number, ME, override_reason="a test")
        else:
            approval.approve(self.context, number, ME, override_reason="a test")
            change.state = State.APPROVED

    @precondition(lambda self: self.model.changes)
    @rule(which=WHICH)
    def reject(self, which: int) -> None:
        number = self.number(which)
        change, cut = self.model.changes[number], self.model.cut
        refusal = None if change.state in (State.PROPOSED, State.APPROVED) else IllegalTransition
        if cut and cut.number == number:
            refusal = ProfileBusy
        if refusal:
            with pytest.raises(refusal):
                experiments.reject(self.context, number, ME, "no")
        else:
            experiments.reject(self.context, number, ME, "no")
            change.state = State.REJECTED

    @precondition(lambda self: self.model.changes)
    @rule(which=WHICH)
    def apply(self, which: int) -> None:
        self.carry_out("apply", self.number(which), {State.APPROVED})

    @precondition(lambda self: self.model.changes)
    @rule(which=WHICH)
    def revert(self, which: int) -> None:
        self.carry_out("revert", self.number(which), {State.LIVE, State.VERIFIED})

    def carry_out(self, kind: str, number: int, allowed: set[State]) -> None:
        try:
            state: State | type[Exception] = State(self.call(kind, number))
        except (IllegalTransition, FileDrifted) as refused:
            state = type(refused)
        if self.model.cut:
            self.settled()
        change = self.model.changes[number]
        if change.state is NEXT[kind]:
            assert state is NEXT[kind]
        elif change.state not in allowed:
            assert state is IllegalTransition
        elif self.model.files[change.target] != (change.base if kind == "apply" else change.candidate):
            assert state is FileDrifted
        else:
            assert state is NEXT[kind]
            self.model.done(number, kind)

    def call(self, kind: str, number: int) -> str:
        if kind == "apply":
            return apply.apply(self.context, number, ME, unwatched=True).state
        return apply.revert(self.context, number, ME, "taken back").state

    @precondition(lambda self: self.model.changes)
    @rule(which=WHICH)
    def verify(self, which: int) -> None:
        number = self.number(which)
        change, cut = self.model.changes[number], self.model.cut
        if cut and cut.number == number:
            return
        if change.state is State.LIVE:
            self.move_to_verified(number)
            change.state = State.VERIFIED
        else:
            with pytest.raises(IllegalTransition):
                self.move_to_verified(number)

    def move_to_verified(self, number: int) -> None:
        with self.context.store.write() as tx:
            states.move(tx, number, State.VERIFIED, ME, "looks good")

    @rule(file=TARGETS, sentence=st.one_of(st.none(), SENTENCES))
    def edit_by_hand(self, file: str, sentence: bytes | None) -> None:
        """Also while an operation is cut short, whichever version of the file it left."""
        self.write(file, None if sentence is None else HEAD + b"I say " + sentence)

    @precondition(lambda self: self.model.in_flight() and not self.model.cut)
    @rule()
    def undo_by_hand(self) -> None:
        """The person takes back what stands in the way of the next step."""
        change = self.model.changes[self.number(0)]
        self.write(change.target, change.base if change.state is State.APPROVED else change.candidate)

    def write(self, file: str, content: bytes | None) -> None:
        if self.model.cut and self.content(file) == content:
            return  # nobody can tell that this was done, and it is not for the person to say which version this is
        if content is None:
            self.path(file).unlink(missing_ok=True)
        else:
            self.path(file).parent.mkdir(parents=True, exist_ok=True)
            self.path(file).write_bytes(content)
        self.model.files[file] = content
        if self.model.cut and self.model.changes[self.model.cut.number].target == file:
            self.model.cut.edited = True

    @precondition(lambda self: self.model.in_flight() and not self.model.cut)
    @rule(point=POINTS)
    def kill(self, point: Point) -> None:
        """A process dies at a point of the apply or revert that comes next."""
        number = self.number(0)
        change = self.model.changes[number]
        kind = "apply" if change.state is State.APPROVED else "revert"
        killed = self.in_a_process_killed_at(point, lambda: self.call(kind, number))
        if self.open_operations():
            assert killed
            self.model.cut = CutShort(number, kind)
        elif experiments.get(self.context, number).state == NEXT[kind]:
            self.model.done(number, kind)

    @precondition(lambda self: self.model.cut)
    @rule(point=POINTS)
    def kill_the_recovery(self, point: Point) -> None:
        """Recovery may die as well, and be started again."""
        self.in_a_process_killed_at(point, lambda: apply.recover(self.context))
        if not self.open_operations():
            self.settled()

    def in_a_process_killed_at(self, point: Point, work: Callable[[], object]) -> bool:
        child = os.fork()
        if not child:
            os.environ["RATCHET_KILL_AT"] = point.value
            try:
                self.context = context.open_context()
                work()
            finally:
                os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    def open_operations(self) -> list[journal.Operation]:
        with self.context.store.read() as tx:
            return journal.open_operations(tx)

    @precondition(lambda self: self.model.cut)
    @rule()
    def recover(self) -> None:
        assert len(apply.recover(self.context)) == 1
        self.settled()

    def settled(self) -> None:
        """What was cut short has happened wholly or not at all; what a person wrote meanwhile stands."""
        cut, self.model.cut = self.model.cut, None
        assert cut is not None
        change = self.model.changes[cut.number]
        now = self.model.files[change.target] if cut.edited else None
        taken = {step.to_state for step in experiments.transitions(self.context, cut.number)}
        if NEXT[cut.kind] in taken:
            self.model.done(cut.number, cut.kind)
        if cut.edited and not self.went_on_from(now, change, cut.kind):
            self.model.files[change.target] = now

    def went_on_from(self, now: bytes | None, change: Change, kind: str) -> bool:
        """What the person wrote was the very version that the operation starts from, and it was done after that."""
        start, end = (change.base, change.candidate) if kind == "apply" else (change.candidate, change.base)
        return change.state is NEXT[kind] and now == start and self.content(change.target) == end

    @invariant()
    def states_are_the_models(self) -> None:
        with self.context.store.read() as tx:
            rows = driver(tx).execute("SELECT id, state FROM experiments").fetchall()
        assert dict(rows) == {number: change.state for number, change in self.model.changes.items()}

    @invariant()
    def files_and_commits_are_the_models(self) -> None:
        if self.model.cut:
            return
        assert {target: self.content(target) for target in (SOUL, SKILL)} == self.model.files
        assert list(self.home.rglob(".ratchet-*")) == []
        if self.model.commits != self.commits_seen:  # asking git takes longer than most steps
            self.commits_seen = self.our_commits()
            assert self.commits_seen == self.model.commits


class LivesInARepository(Lives):
    """The same in a profile that is a repository of its user."""

    own = True


def live(machine: type[Lives], examples: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    options = settings(
        max_examples=examples,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=checks,
        database=None,
        phases=(Phase.generate, Phase.shrink),
    )
    run_state_machine_as_test(machine, settings=options)


@pytest.mark.parametrize("machine", [Lives, LivesInARepository])
def test_a_thousand_steps(machine):
    live(machine, 10)


@pytest.mark.soak
@pytest.mark.parametrize("machine", [Lives, LivesInARepository])
def test_fifty_thousand_steps(machine):
    live(machine, 500)
