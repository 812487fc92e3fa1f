"""A live window in plain sentences: what it will catch and miss, how long it takes, what it saw, what comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from ... import clock
from ...stats.calibration import Verdict
from ..context import Context
from ..states import State
from . import findings, restarts
from .foretelling import foretell
from .live_window import WindowStatus
from .memberships import NOT_ELIGIBLE
from .wording import count, days, percent, reasons

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Explanation:
    """Each part is a list of sentences. ``badge`` says in a few words what the verdict rests on."""

    badge: str
    planned: tuple[str, ...]
    evidence: tuple[str, ...]
    left_out: tuple[str, ...]
    serving: tuple[str, ...]
    next: tuple[str, ...]


def explain(context: Context, found: WindowStatus) -> Explanation:
    """Everything a person needs to know about a window."""
    return Explanation(
        badge=badge(found),
        planned=foretell(found.plan),
        evidence=tuple(_evidence(found)),
        left_out=tuple(_left_out(found)),
        serving=restarts.advice(context, found.experiment, found.members),
        next=tuple(_next(found)),
    )


def badge(found: WindowStatus) -> str:
    """What a verdict rests on; a person's word where that is all it rests on."""
    if found.accepted_by_a_person:
        return "accepted by a person"
    return f"{found.plan.badge}, advisory" if not found.plan.replay.trustworthy else found.plan.badge


def _evidence(found: WindowStatus) -> Iterable[str]:
    plan, decision = found.plan, found.decision
    yield f"{_VERDICTS[found.verdict]}: {found.reason}."
    if decision is None or not found.figures:
        return
    looks = f"{plan.n} and {plan.n_max}" if plan.n != plan.n_max else str(plan.n)
    yield f"{count(found.counted, 'session')} counted; looks for a verdict at {looks}."
    if told := sum(member.feedback is not None for member in found.members):
        they = "it" if told == 1 else "they"
        yield f"Of {count(told, 'session')} a person said how {they} went: that outweighs checks."
    for test, look in zip(plan.tests, found.looks, strict=True):
        seen = findings.found(plan, test, found.figures)
        if look.mid_p:
            now = look.mid_p[min(len(look.mid_p), len(found.figures) - plan.n_min + 1) - 1]
            yield f"{seen}: mid-p {now:.4f}, taken back at {look.boundary:.4f} or less."
        else:
            yield f"{seen}: no look before session {plan.n_min}."


_VERDICTS = {
    Verdict.UNDECIDED: "Undecided",
    Verdict.VERIFIED: "Verified",
    Verdict.REVERTED: "Taken back",
    Verdict.INCONCLUSIVE: "Inconclusive",
}


def _left_out(found: WindowStatus) -> Iterable[str]:
    if found.left_out:
        eligible = found.counted + len(found.left_out)
        why = Counter(member.reason for member in found.left_out)
        limit = f"; above {percent(found.plan.max_left_out)} nothing is verified"
        were = "was" if len(found.left_out) == 1 else "were"
        left_out = f"{len(found.left_out)} of {count(eligible, 'session')} it is about {were} left out"
        yield f"{left_out}: {reasons(why)}{limit}."
    others = Counter(m.reason.removeprefix(NOT_ELIGIBLE) for m in found.members if not m.eligible)
    if others:
        are = "is" if others.total() == 1 else "are"
        yield f"{count(others.total(), 'session')} {are} no part of the window: {reasons(others)}."


def _next(found: WindowStatus) -> Iterable[str]:
    experiment, number = found.experiment, found.experiment.id
    if experiment.state != State.LIVE:
        return
    if experiment.manual_conflict_detected:
        yield (
            f"{experiment.target_relpath} was edited by hand since, so it is not taken back by itself. Undo or move "
            f"that edit, then: hermes ratchet revert {number}"
        )
    if found.asks:
        yield f'A person decides: hermes ratchet decide {number} keep --reason "...", or revert in place of keep.'
        yield "A second window because the first was unclear would break its error rate, so there is none."
    elif found.verdict is Verdict.UNDECIDED:
        yield _days_left(found)


def _days_left(found: WindowStatus) -> str:
    plan, ends_at = found.plan, found.ends_at
    left = max((ends_at - clock.now()) / _DAY, 0.0) if ends_at else plan.max_days
    end = f"In {days(ceil(left))} the window ends as inconclusive."
    if found.sessions_left is None:
        return f"Nothing is tested, so nothing can verify it. {end}"
    more = count(found.sessions_left, "more session")
    rate = _rate(found, left)
    if not rate:
        return f"{more} until the next chance to verify. {end}"
    wait = ceil(found.sessions_left / rate)
    return f"{more}, about {days(wait)} at this traffic, until it may be verified. {end}"


def _rate(found: WindowStatus, left: float) -> float | None:
    """Counted sessions a day: those of this window once it is a day old, before that what the plan expects."""
    passed = found.plan.max_days - left
    return found.counted / passed if passed >= 1 and found.counted else found.plan.per_day
