"""A verdict comes at its look, rests on what was seen until then, and stays."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from karpathy_self_improve.stats.calibration import Verdict, WindowPlan, calibrate
from karpathy_self_improve.stats.fisher import mid_p
from karpathy_self_improve.stats.jeffreys import noninferiority
from karpathy_self_improve.stats.together import JointDecision, MeasureLooks, judge_together, success_looks

PLAN = WindowPlan(n0=20, n_min=5, n=10, n_max=20, alpha=0.025, margin=0.15, confidence=0.95)
C = calibrate(PLAN)


def looks(s0: int, outcomes: Sequence[bool]) -> MeasureLooks:
    return success_looks(PLAN, C, s0, outcomes)


def judge(s0: int, outcomes: Sequence[bool]) -> JointDecision:
    """The verdict where success alone is tested."""
    return judge_together(PLAN, [looks(s0, outcomes)])


def test_nothing_is_looked_at_before_the_first_look() -> None:
    seen, decision = looks(20, [False] * 4), judge(20, [False] * 4)
    assert decision.verdict is Verdict.UNDECIDED
    assert (decision.sessions, seen.mid_p, seen.noninferiority) == (4, (), ())


def test_a_bad_change_is_reverted_at_the_first_look_that_shows_it() -> None:
    decision = judge(18, [False] * 5)
    assert (decision.verdict, decision.sessions, decision.crossed) == (Verdict.REVERTED, 5, ("success",))
    assert looks(18, [False] * 5).mid_p == (mid_p(18, 20, 0, 5),)


def test_later_successes_do_not_undo_a_crossed_boundary() -> None:
    decision = judge(18, [False] * 5 + [True] * 15)
    assert (decision.verdict, decision.sessions) == (Verdict.REVERTED, 5)


def test_a_good_change_is_verified_at_n_and_not_before() -> None:
    assert judge(18, [True] * 9).verdict is Verdict.UNDECIDED
    assert judge(18, [True] * 10).verdict is Verdict.VERIFIED
    assert looks(18, [True] * 10).noninferiority == ((10, noninferiority(18, 20, 10, 10, PLAN.margin)),)


def test_verified_stays_verified_whatever_follows() -> None:
    assert judge(18, [True] * 10 + [False] * 10) == judge(18, [True] * 10)


def test_an_unclear_window_is_extended_once_and_then_inconclusive() -> None:
    unclear = [True, True, True, False, True] * 4
    at_n, at_the_end = judge(18, unclear[:10]), judge(18, unclear)
    assert (at_n.verdict, at_n.unsure) == (Verdict.UNDECIDED, ("success",))
    assert at_the_end.verdict is Verdict.INCONCLUSIVE
    assert judge(18, [*unclear, True, True]) == at_the_end


def test_an_unclear_window_can_be_verified_by_its_extension() -> None:
    window = [False] + [True] * 19
    assert judge(19, window[:10]).verdict is Verdict.UNDECIDED
    assert (judge(19, window).verdict, judge(19, window).sessions) == (Verdict.VERIFIED, 20)


@given(s0=st.integers(0, PLAN.n0), outcomes=st.lists(st.booleans(), max_size=PLAN.n_max + 3), cut=st.integers(0, 23))
def test_more_sessions_never_change_a_verdict(s0: int, outcomes: list[bool], cut: int) -> None:
    earlier, later = looks(s0, outcomes[:cut]).mid_p, looks(s0, outcomes).mid_p
    assert later[: len(earlier)] == earlier
    if judge(s0, outcomes[:cut]).verdict is not Verdict.UNDECIDED:
        assert judge(s0, outcomes) == judge(s0, outcomes[:cut])


@given(s0=st.integers(0, PLAN.n0), outcomes=st.lists(st.booleans(), max_size=PLAN.n_max))
def test_a_boundary_is_crossed_when_a_look_before_the_verdict_says_so(s0: int, outcomes: list[bool]) -> None:
    decision = judge(s0, outcomes)
    rested_on = looks(s0, outcomes).mid_p[: max(0, decision.sessions - PLAN.n_min + 1)]
    assert (decision.verdict is Verdict.REVERTED) == any(value <= C for value in rested_on)
