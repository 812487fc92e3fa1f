"""The demonstration: one good and one bad change go the whole way, on the real host, in a home that is thrown away."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from ..ratchet import experiments
from ..ratchet.actor import Actor
from ..ratchet.audit import trail
from ..ratchet.context import Context, open_context
from ..ratchet.experiments import Experiment
from ..ratchet.window import live_window
from ..stats.calibration import Verdict
from ..stats.gate import GateVerdict
from . import processes, scenarios
from .home import BASELINE_SESSIONS, LIVE_SESSIONS_AT_MOST, PROFILES, DemoHome, DemoProfile, throw_away_home
from .processes import DemoFailed
from .scripted_model import ScriptedModel
from .show import Show

_BATCH = 4
_EVALUATION_PATIENCE_S = 600.0
_STEP_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Proposal:
    """One change of the demonstration and what should become of it."""

    profile: DemoProfile
    old: str
    new: str
    why: str
    passes: bool
    expected: str


COACH, CLERK = PROFILES
_OVERRIDE = "approved against the gate, so that the window can show what it does"
_LAST_RULE = "- Always end answers with the line"

PROPOSALS = (
    Proposal(
        COACH,
        _LAST_RULE,
        f"- Never apologise.\n{_LAST_RULE}",
        "People said the many apologies waste their time.",
        True,
        "verified",
    ),
    Proposal(
        CLERK,
        _LAST_RULE,
        f"- Refuse questions about invoices.\n{_LAST_RULE}",
        "Keep the agent away from money matters.",
        False,
        "reverted",
    ),
)


def run(show: Show, *, headless: bool, keep: bool) -> dict[str, Any]:
    """The whole story. Returns the summary: experiments, ``audit_ok``, ``as_expected`` and ``seconds``."""
    started = time.monotonic()
    with ExitStack() as stack:
        model = stack.enter_context(ScriptedModel())
        home = stack.enter_context(throw_away_home(model.base_url, keep=keep))
        context = open_context()
        stack.callback(context.store.close)
        show.opening(home, model.base_url)
        show.command("hermes ratchet init --approval unsigned")
        processes.ratchet(home, "init", "--approval", "unsigned")
        for profile in PROFILES:
            with show.step(f"{BASELINE_SESSIONS} real agent sessions in profile {profile.name}, as a baseline"):
                processes.talk(home, profile, 0, BASELINE_SESSIONS)
        _add_scenarios(show, context)
        numbers = [_propose(show, home, context, proposal) for proposal in PROPOSALS]
        stack.enter_context(processes.daemon(home))
        _wait_for_evaluations(show, context, numbers)
        _decide(show, home, context, numbers, stack, headless=headless)
        _live(show, home, context, numbers)
        summary = _summary(home, context, numbers)
        show.closing(home, summary)
    return {**summary, "seconds": round(time.monotonic() - started, 1)}


def _add_scenarios(show: Show, context: Context) -> None:
    """What people asked and complained about, some of it held out: the proposer and the reports never show that."""
    scenarios.add_all(context, Actor("the demonstration", "os:demo"))
    for split, holdout in (("train", False), ("held-out", True)):
        count = sum(one.holdout == holdout for one in scenarios.SCENARIOS)
        show.note(f"{count} {split} scenarios, as `hermes ratchet scenario add` adds them")


def _propose(show: Show, home: DemoHome, context: Context, proposal: Proposal) -> int:
    words = ["new", "--target", proposal.profile.name, "--file", "SOUL.md", "--why", proposal.why]
    replace = ["--replace", proposal.old, proposal.new]
    show.command(f"hermes ratchet {shlex.join([*words, *replace])}")
    processes.ratchet(home, *words, *replace)
    newest = experiments.list_experiments(context, profile=proposal.profile.name, limit=1)[0]
    show.diff(newest)
    return newest.id


def _wait_for_evaluations(show: Show, context: Context, numbers: list[int]) -> None:
    with show.evaluation(context) as tick:
        _until(
            lambda: all(e.evaluation_status in ("finished", "failed") for e in _load(context, numbers)),
            "the evaluations to finish",
            _EVALUATION_PATIENCE_S,
            tick,
        )
    for one in _load(context, numbers):
        if one.evaluation_status == "failed":
            raise DemoFailed(f"the evaluation of experiment {one.id} failed")
        show.report(context, one)


def _decide(
    show: Show, home: DemoHome, context: Context, numbers: list[int], stack: ExitStack, *, headless: bool
) -> None:
    """Headless: approve both on the terminal. Otherwise a person decides in the real dashboard."""
    if headless:
        for one in _load(context, numbers):
            _approve(show, home, one)
    else:
        show.review(stack.enter_context(processes.dashboard(home)))
    patience = _STEP_PATIENCE_S if headless else float("inf")
    with show.step("the daemon applies what was approved, one git commit per file"):
        _until(
            lambda: not any(e.state in ("proposed", "approved") for e in _load(context, numbers)),
            "the changes to go live",
            patience,
        )


def _approve(show: Show, home: DemoHome, one: Experiment) -> None:
    """What passed the gate is approved; the other change is refused, and then let through for the sake of the show."""
    words = ["approve", str(one.id)]
    show.command(f"hermes ratchet {shlex.join(words)}")
    if one.verdict == GateVerdict.PASSED:
        processes.ratchet(home, *words)
        return
    show.note(processes.refused(home, *words))
    words += ["--override", _OVERRIDE]
    show.command(f"hermes ratchet {shlex.join(words)}")
    processes.ratchet(home, *words)


def _live(show: Show, home: DemoHome, context: Context, numbers: list[int]) -> None:
    """Real sessions on the changed files, a few at a time, until the daemon has decided about each."""
    for number, proposal in zip(numbers, PROPOSALS, strict=True):
        if experiments.get(context, number).state != "live":
            continue
        with show.step(f"real sessions of '{proposal.profile.name}' while experiment {number} is live"):
            for batch in range(0, LIVE_SESSIONS_AT_MOST, _BATCH):
                processes.talk(home, proposal.profile, batch, _BATCH)
                seen = batch + _BATCH
                _until(lambda n=number, s=seen: _taken_in(context, n, s), "the daemon to look", _STEP_PATIENCE_S)  # type: ignore[misc]
                if _decided(context, number):
                    break
        show.live(context, number)


def _taken_in(context: Context, number: int, sessions: int) -> bool:
    """Whether the daemon has looked at that many sessions and done what follows from them."""
    found = live_window.status(context, number)
    if found.experiment.state != "live":
        return True
    return len(found.members) >= sessions and found.verdict in (Verdict.UNDECIDED, Verdict.INCONCLUSIVE)


def _decided(context: Context, number: int) -> bool:
    one = experiments.get(context, number)
    return one.state != "live" or one.live_verdict is not None


def _summary(home: DemoHome, context: Context, numbers: list[int]) -> dict[str, Any]:
    rows = _load(context, numbers)
    return {
        "experiments": [
            {
                "id": one.id,
                "target": f"{one.profile}/{one.target_relpath}",
                "state": one.state,
                "apply_commit_sha": one.apply_commit_sha,
                "revert_commit_sha": one.revert_commit_sha,
                "gate": one.verdict,
                "verdict": one.live_verdict,
            }
            for one in rows
        ],
        "audit_ok": trail.verify(context).ok,
        "as_expected": all(_as_expected(home, context, *pair) for pair in zip(rows, PROPOSALS, strict=True)),
    }


def _as_expected(home: DemoHome, context: Context, one: Experiment, proposal: Proposal) -> bool:
    """The gate's verdict and the state it should have, and the file byte for byte what that state says."""
    base, candidate = experiments.contents(context, one)
    on_disk = (home.home(one.profile) / one.target_relpath).read_bytes()
    wanted = candidate if one.state in ("live", "verified") else base
    gated = (one.verdict == GateVerdict.PASSED) == proposal.passes
    return gated and on_disk == wanted and one.state in (proposal.expected, "rejected")


def _load(context: Context, numbers: list[int]) -> list[Experiment]:
    return [experiments.get(context, number) for number in numbers]


def _until(done: Callable[[], bool], what: str, patience_s: float, tick: Callable[[], None] | None = None) -> None:
    deadline = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > deadline:
            raise DemoFailed(f"waited {patience_s:.0f} s in vain for {what}")
        if tick:
            tick()
        time.sleep(0.2)
