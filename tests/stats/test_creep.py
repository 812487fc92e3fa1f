"""Changes that each lose a little are judged against one anchor and one margin, and cannot lose more together."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from karpathy_self_improve.stats.calibration import Verdict, WindowPlan, calibrate, operating_characteristics
from karpathy_self_improve.stats.creep import WINDOWS_PER_ANCHOR, Anchor, MarginBudget, is_better
from karpathy_self_improve.stats.jeffreys import noninferiority
from karpathy_self_improve.stats.together import JointDecision, judge_together, success_looks

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PLAN = WindowPlan(n0=20, n_min=5, n=10, n_max=20, alpha=0.025, margin=0.15, confidence=0.95)
TINY = WindowPlan(n0=4, n_min=2, n=4, n_max=6, alpha=0.1, margin=0.3, confidence=0.7)
C = calibrate(PLAN)


@pytest.fixture
def creep(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("_creep")


def judge(
    plan: WindowPlan, c: float, s0: int, outcomes: Sequence[bool], *, anchor: Anchor | None = None
) -> JointDecision:
    """The verdict where success alone is tested."""
    return judge_together(plan, [success_looks(plan, c, s0, outcomes, anchor=anchor)])


def test_verification_is_judged_against_the_anchor() -> None:
    window, sunken = [True] * 7 + [False] * 3, 12
    own, anchored = (success_looks(PLAN, C, sunken, window, anchor=one) for one in (None, Anchor(57, 60)))
    assert own.noninferiority == ((10, noninferiority(12, 20, 7, 10, PLAN.margin)),)
    assert anchored.noninferiority == ((10, noninferiority(57, 60, 7, 10, PLAN.margin)),)


def test_a_chain_that_sank_already_is_no_longer_verified() -> None:
    window = [True] * 8 + [False] * 2
    assert judge(PLAN, C, 13, window).verdict is Verdict.VERIFIED
    assert judge(PLAN, C, 13, window, anchor=Anchor(57, 60)).verdict is Verdict.UNDECIDED


def test_taking_back_still_compares_with_the_baseline() -> None:
    window = [False] * 5
    assert judge(PLAN, C, 18, window, anchor=Anchor(1, 60)).crossed == ("success",)
    assert judge(PLAN, C, 2, window, anchor=Anchor(60, 60)).crossed == ()


def test_the_baseline_is_its_own_anchor_unless_one_is_given() -> None:
    window = [True] * 9 + [False]
    assert judge(PLAN, C, 17, window) == judge(PLAN, C, 17, window, anchor=Anchor(17, 20))


def test_figures_for_an_anchor_equal_judging_every_possible_window() -> None:
    c, anchor, ends = calibrate(TINY), Anchor(4, 5), dict.fromkeys(Verdict, 0.0)
    for baseline, window in product(product([True, False], repeat=4), product([True, False], repeat=6)):
        weight = 0.8 ** sum(baseline) * 0.2 ** (4 - sum(baseline)) * 0.6 ** sum(window) * 0.4 ** (6 - sum(window))
        ends[judge(TINY, c, sum(baseline), window, anchor=anchor).verdict] += weight
    exact = operating_characteristics(TINY, c, 0.8, 0.6, anchor=anchor)
    assert exact.verified == pytest.approx(ends[Verdict.VERIFIED], abs=1e-12)
    assert exact.reverted == pytest.approx(ends[Verdict.REVERTED], abs=1e-12)
    assert exact.verified != pytest.approx(operating_characteristics(TINY, c, 0.8, 0.6).verified, abs=1e-3)


def test_every_window_takes_its_share_of_the_margin_whatever_its_verdict() -> None:
    budget = MarginBudget(Anchor(54, 60), 0.15)
    assert (budget.used, budget.available) == (0.0, 0.15)
    lost, kept = budget.after(None, 0.95), budget.after(Anchor(27, 30), 0.95)
    assert lost == kept
    assert lost.available == pytest.approx(0.15 * (1 - 1 / WINDOWS_PER_ANCHOR))


def test_the_whole_budget_is_one_margin() -> None:
    budget = MarginBudget(Anchor(54, 60), 0.15)
    for _ in range(WINDOWS_PER_ANCHOR + 5):
        assert budget.used + budget.available == pytest.approx(0.15)
        budget = budget.after(Anchor(54, 60), 0.95)
    assert (budget.used, budget.available) == (0.15, 0.0)


def test_a_version_shown_to_be_better_becomes_the_anchor_with_a_budget_of_its_own() -> None:
    worn = MarginBudget(Anchor(40, 60), 0.15, windows=9)
    assert worn.after(Anchor(58, 60), 0.95) == MarginBudget(Anchor(58, 60), 0.15)


def test_a_luckier_version_does_not_become_the_anchor() -> None:
    budget = MarginBudget(Anchor(54, 60), 0.15)
    assert budget.after(Anchor(28, 30), 0.95).anchor == Anchor(54, 60)
    assert not is_better(Anchor(54, 60), Anchor(57, 60), 0.95)


def test_a_worse_version_never_becomes_the_anchor() -> None:
    budget = MarginBudget(Anchor(54, 60), 0.15)
    assert budget.after(Anchor(45, 60), 0.95).anchor == Anchor(54, 60)


@pytest.mark.parametrize("start", [1.0, 0.95, 0.9])
def test_the_promise_holds_against_the_worst_proposer_there_is(creep: ModuleType, start: float) -> None:
    assert creep.worst_expected_loss(PLAN, start, PLAN.n0) <= MarginBudget(Anchor(18, 20), PLAN.margin).promised


def test_the_promise_holds_for_exceedances_too(creep: ModuleType) -> None:
    assert creep.worst_expected_rise(PLAN) <= PLAN.margin


def test_a_budget_that_lasts_twice_as_long_would_break_the_promise(
    creep: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("karpathy_self_improve.stats.creep.WINDOWS_PER_ANCHOR", 2 * WINDOWS_PER_ANCHOR)
    monkeypatch.setattr(creep, "WINDOWS_PER_ANCHOR", 2 * WINDOWS_PER_ANCHOR)
    creep._thresholds.cache_clear()
    assert creep.worst_expected_loss(PLAN, 0.9, PLAN.n0) > PLAN.margin
    creep._thresholds.cache_clear()


def test_chains_of_small_losses_stay_within_the_promise_only_with_an_anchor(creep: ModuleType) -> None:
    default = WindowPlan(n0=60, n_min=5, n=30, n_max=60, alpha=0.025, margin=0.15, confidence=0.95)
    anchored, adrift = (
        np.array([0.9 - chain.rate for chain in creep.chains(default, 30, 12, -0.05, 0.9, anchored=a, seed=3)])
        for a in (True, False)
    )
    assert anchored.mean() <= 0.15
    assert adrift.mean() > 0.2


@pytest.mark.parametrize("counts", [(-1, 5), (6, 5), (0, 0)])
def test_impossible_anchors_are_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="anchor needs"):
        Anchor(*counts)


@pytest.mark.parametrize(("margin", "windows"), [(0.0, 0), (1.0, 0), (0.15, -1)])
def test_impossible_budgets_are_refused(margin: float, windows: int) -> None:
    with pytest.raises(ValueError, match="budget needs"):
        MarginBudget(Anchor(5, 6), margin, windows)


def test_the_benchmark_explains_itself() -> None:
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "window.py", "--help"], capture_output=True, text=True, check=True
    )
    assert "--quick" in run.stdout
    assert "obvious rules" in run.stdout
