"""What verification compares with: the best verified version since the model or the host changed, and its budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..._db import driver
from ...errors import NoEvidence, StoreCorrupt
from ...stats.calibration import Verdict
from ...stats.creep import MarginBudget
from .. import experiments
from ..experiments import Experiment
from . import live_plan, memberships, settlements
from .live_plan import Figures, LivePlan, Measure

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Standing:
    """The anchor of the next window: its sessions, the experiment they belong to, and the windows judged against it.

    ``sessions`` is None before the first window: then its baseline becomes the anchor.
    """

    sessions: tuple[Figures, ...] | None = None
    experiment: int | None = None
    windows: int = 0


@dataclass(frozen=True)
class Kind:
    """What must be equal for sessions to be comparable: model, host version, who is concerned, what success is."""

    model: str | None
    host_version: str
    scope: str
    success_checks: str

    @classmethod
    def of(cls, plan: LivePlan) -> Kind:
        return cls(plan.model, plan.host_version, plan.scope, plan.success_checks)


def standing(tx: Connection, profile: str, kind: Kind) -> Standing:
    """Where the budget of ``kind`` stands, after all windows of the profile since its model or host last changed."""
    for experiment, plan in _windows(tx, profile):
        if (plan.model, plan.host_version) != (kind.model, kind.host_version):
            break
        if Kind.of(plan) == kind and plan.tests:
            return _after(tx, experiment, plan)
    return Standing()


def _windows(tx: Connection, profile: str) -> list[tuple[Experiment, LivePlan]]:
    """The changes of a profile that ever went live, newest first, with the plans of their windows."""
    query = "SELECT id FROM experiments WHERE profile = ? AND applied_at IS NOT NULL ORDER BY applied_at DESC, id DESC"
    found = []
    for (number,) in driver(tx).execute(query, (profile,)).fetchall():
        try:
            found.append((experiments.load(tx, number), live_plan.load_plan(tx, number)))
        except (NoEvidence, StoreCorrupt):  # written by another version, or by nobody who may: it says nothing here
            break
    return found


def _after(tx: Connection, experiment: Experiment, plan: LivePlan) -> Standing:
    """The window took its share of the margin; verified and shown to be better, its version is the new anchor."""
    before = plan.baseline if plan.anchor is None else plan.anchor
    same = Standing(before, plan.anchor_experiment, plan.windows_before + 1)
    if experiment.live_verdict != Verdict.VERIFIED or Measure.SUCCESS not in plan.measures:
        return same
    settled = settlements.load(tx, experiment.id)
    until = settled.newest_word if settled else None
    sessions = tuple(m.figures for m in memberships.members(tx, experiment, until) if m.counted)
    sessions = sessions[: settled.sessions if settled and settled.sessions else plan.n_max]
    version = live_plan.counted(sessions)
    budget = MarginBudget(plan.success_anchor, plan.margin, plan.windows_before).after(version, plan.confidence)
    return Standing(sessions, experiment.id, 0) if budget.anchor == version and budget.windows == 0 else same
