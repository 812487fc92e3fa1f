"""Where a live window stands: its plan, its sessions, what the tests say of them, and what follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ... import clock
from ...stats.calibration import Verdict
from ...stats.together import JointDecision, MeasureLooks
from ..experiments import Experiment
from ..states import State
from .live_plan import Figures, LivePlan, Measure, counted
from .memberships import Membership


@dataclass(frozen=True)
class WindowStatus:
    """Everything there is to say about a window so far.

    ``decision`` is None when the plan tests nothing. ``contaminated`` says what else changed meanwhile. What persons
    said after ``newest_word`` is not in it.
    """

    experiment: Experiment
    plan: LivePlan
    decision: JointDecision | None
    looks: tuple[MeasureLooks, ...]
    members: tuple[Membership, ...]
    verdict: Verdict
    reason: str
    contaminated: str | None = None
    newest_word: int = field(default=0, repr=False)

    @property
    def counted(self) -> int:
        return sum(m.counted for m in self.members)

    @property
    def sessions_left(self) -> int | None:
        """Sessions to count until the next chance to verify; None when no window waits for any."""
        if self.experiment.state != State.LIVE or self.verdict is not Verdict.UNDECIDED or not self.plan.tests:
            return None
        return (self.plan.n if self.counted < self.plan.n else self.plan.n_max) - self.counted

    @property
    def left_out(self) -> tuple[Membership, ...]:
        """Sessions the window is about that could not be counted."""
        return tuple(m for m in self.members if m.eligible and not m.counted)

    @property
    def too_many_left_out(self) -> bool:
        return len(self.left_out) > self.plan.max_left_out * (len(self.left_out) + self.counted)

    @property
    def errors(self) -> int:
        return sum(m.errors or 0 for m in self.members if m.met)

    @property
    def figures(self) -> tuple[Figures, ...]:
        """The sessions the verdict rests on, oldest first."""
        found = tuple(m.figures for m in self.members if m.counted)
        return found[: self.decision.sessions] if self.decision else found

    @property
    def score(self) -> float | None:
        """The share of successes among them; None where success is not tested."""
        if Measure.SUCCESS not in self.plan.measures or not self.figures:
            return None
        found = counted(self.figures)
        return found.successes / found.sessions

    @property
    def asks(self) -> bool:
        """Whether a person has to decide: hermes ratchet decide."""
        return self.experiment.state == State.LIVE and self.experiment.live_verdict == Verdict.INCONCLUSIVE

    @property
    def accepted_by_a_person(self) -> bool:
        """Whether the change stays because a person said so, and not because of its window."""
        decided = self.experiment.live_verdict == Verdict.INCONCLUSIVE
        return decided and self.experiment.verified_at is not None

    @property
    def ends_at(self) -> datetime | None:
        """When the window ends undecided; None before the change went live."""
        applied_at = self.experiment.applied_at
        return clock.parse(applied_at) + timedelta(days=self.plan.max_days) if applied_at else None
