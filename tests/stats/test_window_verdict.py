"""A verdict comes at its look, rests on what was seen until then, and stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from karpathy_self_improve.stats.calibration import Verdict, WindowPlan, calibrate, judge
from karpathy_self_improve.stats.fisher import mid_p
from karpathy_self_improve.stats.jeffreys import noninferiority

PLAN = WindowPlan(n0=20, n_min=5, n=10, n_max=20, alpha=0.025, margin=0.15, confidence=0.95)
C = calibrate(PLAN)


def test_nothing_is_looked_at_before_the_first_look() -> None:
    decision = judge(PLAN, C, 20, [False] * 4)
    assert decision.verdict is Verdict.UNDECIDED
    assert (decision.sessions, decision.mid_p, decision.noninferiority) == (4, (), None)


def test_a_bad_change_is_reverted_at_the_first_look_that_shows_it() -> None:
    decision = judge(PLAN, C, 18, [False] * 5)
    assert decision.verdict is Verdict.REVERTED
    assert decision.crossed_at == 5
    assert decision.mid_p == (mid_p(18, 20, 0, 5),)


def test_later_successes_do_not_undo_a_crossed_boundary() -> None:
    decision = judge(PLAN, C, 18, [False] * 5 + [True] * 15)
    assert decision.verdict is Verdict.REVERTED
    assert (decision.sessions, decision.successes) == (5, 0)


def test_a_good_change_is_verified_at_n_and_not_before() -> None:
    assert judge(PLAN, C, 18, [True] * 9).verdict is Verdict.UNDECIDED
    decision = judge(PLAN, C, 18, [True] * 10)
    assert decision.verdict is Verdict.VERIFIED
    assert decision.noninferiority == noninferiority(18, 20, 10, 10, PLAN.margin)


def test_verified_stays_verified_whatever_follows() -> None:
    assert judge(PLAN, C, 18, [True] * 10 + [False] * 10) == judge(PLAN, C, 18, [True] * 10)


def test_an_unclear_window_is_extended_once_and_then_inconclusive() -> None:
    unclear = [True, True, True, False, True] * 4
    at_n, at_the_end = judge(PLAN, C, 18, unclear[:10]), judge(PLAN, C, 18, unclear)
    assert at_n.verdict is Verdict.UNDECIDED
    assert at_n.noninferiority is not None
    assert at_n.noninferiority < PLAN.confidence
    assert at_the_end.verdict is Verdict.INCONCLUSIVE
    assert judge(PLAN, C, 18, [*unclear, True, True]) == at_the_end


def test_an_unclear_window_can_be_verified_by_its_extension() -> None:
    window = [False] + [True] * 19
    assert judge(PLAN, C, 19, window[:10]).verdict is Verdict.UNDECIDED
    assert judge(PLAN, C, 19, window).verdict is Verdict.VERIFIED
    assert judge(PLAN, C, 19, window).sessions == 20


@given(s0=st.integers(0, PLAN.n0), outcomes=st.lists(st.booleans(), max_size=PLAN.n_max + 3), cut=st.integers(0, 23))
def test_more_sessions_never_change_a_verdict(s0: int, outcomes: list[bool], cut: int) -> None:
    earlier, later = judge(PLAN, C, s0, outcomes[:cut]), judge(PLAN, C, s0, outcomes)
    assert later.mid_p[: len(earlier.mid_p)] == earlier.mid_p
    if earlier.verdict is not Verdict.UNDECIDED:
        assert later == earlier


@given(s0=st.integers(0, PLAN.n0), outcomes=st.lists(st.booleans(), max_size=PLAN.n_max))
def test_the_numbers_shown_are_those_of_the_rule(s0: int, outcomes: list[bool]) -> None:
    decision = judge(PLAN, C, s0, outcomes)
    assert decision.successes == sum(outcomes[: decision.sessions])
    assert len(decision.mid_p) == max(0, decision.sessions - PLAN.n_min + 1)
    assert (decision.verdict is Verdict.REVERTED) == any(value <= C for value in decision.mid_p)
    assert decision.crossed_at == (decision.sessions if decision.verdict is Verdict.REVERTED else None)
