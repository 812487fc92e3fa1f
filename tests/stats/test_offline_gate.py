"""The gate lets nothing through that is not shown on train and again on held-out, and says why in figures and names."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karpathy_self_improve.stats.comparison import Method, Precision, Split, compare
from karpathy_self_improve.stats.flips import flip_rate
from karpathy_self_improve.stats.gate import (
    VERDICTS,
    Cause,
    Decision,
    Evidence,
    GateRules,
    GateVerdict,
    decide,
    unasked,
)
from karpathy_self_improve.stats.pairs import Pair

QUICK = Precision(resamples=0)
RULES = GateRules(planned=1, max_flip_rate=0.05, precision=QUICK)
CALM = flip_rate([Pair("t0", (True,) * 3, (True,) * 3)])
WIN, LOSS, TIE, HARD, MUTE = "+-=0?"
ARMS: dict[str, tuple[tuple[bool | None, ...], tuple[bool | None, ...]]] = {
    WIN: ((False, False, True), (True, True, True)),
    LOSS: ((True, True, True), (True, False, None)),
    TIE: ((True, None, True), (True, True, True)),
    HARD: ((False, False, False), (False, False, False)),
    MUTE: ((True, True, True), (None, None, None)),
}
unhurried = settings(deadline=None, max_examples=80)
outcomes = st.text(alphabet=WIN + LOSS + TIE + HARD + MUTE, max_size=14)


def pairs(prefix: str, what: str) -> tuple[Pair, ...]:
    return tuple(Pair(f"{prefix}{number}", *ARMS[one]) for number, one in enumerate(what))


def asked(
    train: str, holdout: str | None = None, *, critical: Sequence[str] = (), earlier: Sequence[float] = ()
) -> Evidence:
    confirmation = None if holdout is None else pairs("h", holdout)
    return Evidence(pairs("t", train), confirmation, frozenset(critical), tuple(earlier), CALM)


def causes(decision: Decision) -> list[Cause]:
    return [reason.cause for reason in decision.reasons]


def test_a_clear_gain_is_screened_then_confirmed_then_passes() -> None:
    first = decide(asked("+++++=="), RULES)
    assert (first.verdict, first.screened, first.holdout) == (GateVerdict.NO_VERDICT, True, None)
    assert causes(first) == [Cause.NOT_CONFIRMED_YET]
    second = decide(asked("+++++==", "+++++=="), RULES)
    assert (second.verdict, causes(second)) == (GateVerdict.PASSED, [Cause.CONFIRMED])
    assert second.holdout is not None
    assert second.holdout.p == second.adjusted_p == second.reasons[0].value == 1 / 32
    assert second.chance_of_a_false_pass == second.reasons[0].limit == 0.05


def test_a_gain_on_train_alone_fails() -> None:
    decision = decide(asked("++++++++", "++++---00"), RULES)
    assert (decision.verdict, decision.screened) == (GateVerdict.FAILED, True)
    assert causes(decision) == [Cause.NOT_CONVINCING]
    assert decision.reasons[0].split is Split.HOLDOUT


def test_what_train_does_not_show_is_never_confirmed() -> None:
    decision = decide(asked("+++--=0", "+++++++"), RULES)
    assert (decision.verdict, decision.screened) == (GateVerdict.FAILED, False)
    assert (decision.holdout, decision.adjusted_p) == (None, None)


@unhurried
@given(outcomes, outcomes, st.lists(st.floats(0, 1), max_size=4))
def test_nothing_passes_without_a_gain_shown_on_both_splits(train: str, holdout: str, earlier: list[float]) -> None:
    decision = decide(asked(train, holdout, earlier=earlier), RULES)
    if decision.verdict is GateVerdict.PASSED:
        assert decision.holdout is not None
        assert decision.adjusted_p is not None
        assert decision.train.difference is not None
        assert decision.holdout.difference is not None
        assert min(decision.train.difference, decision.holdout.difference) > 0
        assert decision.train.p <= 0.1
        assert decision.adjusted_p <= 0.05 + 1e-12


def test_no_difference_never_passes_however_lax_the_rules() -> None:
    lax = GateRules(screen=0.49, alpha=0.49, planned=1, max_flip_rate=1.0, precision=QUICK)
    for what in ("+" * 6 + "0=" * 10, "0" * 20):
        same = tuple(replace(pair, candidate=pair.baseline) for pair in pairs("t", what))
        decision = decide(Evidence(same, None, frozenset(), (), CALM), lax)
        assert (decision.verdict, causes(decision)) == (GateVerdict.FAILED, [Cause.NO_GAIN])
        assert decision.reasons[0].value == 0


def test_no_p_value_convinces_of_a_gain_that_is_not_there() -> None:
    found = compare(pairs("t", "++++++"), Split.TRAIN, 0.1, QUICK)
    assert found.convincing
    assert not replace(found, difference=0.0).convincing


def test_wins_ties_and_losses_are_named_and_silent_scenarios_left_out() -> None:
    found = decide(asked("+-=?+"), RULES).train
    assert (found.wins, found.ties, found.losses, found.left_out) == (("t0", "t4"), ("t2",), ("t1",), ("t3",))
    assert found.scenarios == 4
    assert found.difference == pytest.approx((2 / 3 + 2 / 3 - 1 / 2 + 0) / 4)


@unhurried
@given(outcomes, st.integers(1, 4))
def test_silent_scenarios_change_no_figure(train: str, silent: int) -> None:
    without, with_them = (compare(pairs("t", what), Split.TRAIN, 0.1, QUICK) for what in (train, train + "?" * silent))
    assert with_them.left_out[len(without.left_out) :] == tuple(f"t{len(train) + i}" for i in range(silent))
    worse = {"left_out": (), "silent": without.silent, "worst_p": without.worst_p}
    assert replace(with_them, **worse) == replace(without, left_out=())
    assert with_them.worst_p >= without.worst_p >= without.p
    assert with_them.silent.candidate == without.silent.candidate + 3 * silent


def test_without_a_single_pair_there_is_no_verdict() -> None:
    for evidence in (asked(""), asked("???"), asked("++++++", "??")):
        decision = decide(evidence, RULES)
        assert (decision.verdict, causes(decision)) == (GateVerdict.NO_VERDICT, [Cause.NO_PAIR])


@unhurried
@given(outcomes.filter(lambda what: set(what) - {MUTE}), st.sampled_from([0.1, 0.05, 0.0125]))
def test_underpowered_means_that_the_best_candidate_could_not_have_convinced(train: str, level: float) -> None:
    found = compare(pairs("t", train), Split.TRAIN, level, QUICK)
    flawless = tuple(replace(pair, candidate=(True,)) for pair in pairs("t", train) if pair.measured)
    best = compare(flawless, Split.TRAIN, level, QUICK)
    assert best.p == found.best_p <= found.p
    assert best.convincing is not found.underpowered
    if found.underpowered and found.scenarios_needed is not None:
        assert found.scenarios < found.scenarios_needed
        share = sum(pair.winnable for pair in flawless) / len(flawless)
        assert 0.5 ** (share * found.scenarios_needed) <= level


@pytest.mark.parametrize(
    ("train", "holdout", "there", "needed"),
    [
        ("+++", None, 3, 4),
        ("++========", None, 10, 20),
        ("+++=======", None, 10, 14),
        ("++++++", "++++", 4, 5),
        ("=====", None, 5, None),
    ],
)
def test_too_few_scenarios_are_underpowered_and_told_how_many_would_do(
    train: str, holdout: str | None, there: int, needed: int | None
) -> None:
    decision = decide(asked(train, holdout), RULES)
    assert (decision.verdict, causes(decision)) == (GateVerdict.UNDERPOWERED, [Cause.COULD_NOT_CONVINCE])
    assert (decision.reasons[0].value, decision.reasons[0].limit) == (there, needed)


def test_a_loss_is_called_one_even_where_no_gain_could_have_been_shown() -> None:
    decision = decide(asked("--="), RULES)
    assert decision.train.underpowered
    assert (decision.verdict, causes(decision)) == (GateVerdict.FAILED, [Cause.NO_GAIN])


@pytest.mark.parametrize(
    ("train", "holdout", "critical", "split"),
    [
        ("+" * 9 + "-", None, "t9", Split.TRAIN),
        ("+" * 9 + "-", "+" * 9, "t9", Split.TRAIN),
        ("+" * 9, "+" * 9 + "-", "h9", Split.HOLDOUT),
    ],
)
def test_only_a_critical_scenario_blocks_by_itself(
    train: str, holdout: str | None, critical: str, split: Split
) -> None:
    decision = decide(asked(train, holdout, critical=[critical, "t0"]), RULES)
    assert decision.verdict is GateVerdict.BLOCKED
    assert (decision.reasons[0].cause, decision.reasons[0].split) == (Cause.CRITICAL_WORSE, split)
    assert decision.reasons[0].scenarios == (critical,)
    assert decide(asked(train, holdout, critical=["t0"]), RULES).verdict is not GateVerdict.BLOCKED


def test_a_blocked_confirmation_still_counts_for_later_candidates() -> None:
    decision = decide(asked("+" * 9, "+" * 9 + "-", critical=["h9"]), RULES)
    assert decision.holdout is not None
    assert decision.adjusted_p == decision.holdout.worst_p


def test_a_critical_scenario_that_gave_no_result_is_not_unharmed() -> None:
    for evidence, names in [
        (asked("+" * 9 + "?", critical=["t9"]), ("t9",)),
        (asked("+" * 9, "+" * 9 + "?", critical=["h9", "gone"]), ("h9", "gone")),
    ]:
        decision = decide(evidence, RULES)
        assert (decision.verdict, causes(decision)) == (GateVerdict.NO_VERDICT, [Cause.CRITICAL_WITHOUT_RESULT])
        assert decision.reasons[0].scenarios == names


# --- what gave no result


def without(pairs: Sequence[Pair], share: float, rng: random.Random) -> tuple[Pair, ...]:
    """The same runs where the candidate brings about that so many of those that fail give no result."""
    return tuple(
        replace(pair, candidate=tuple(None if run is False and rng.random() < share else run for run in pair.candidate))
        for pair in pairs
    )


def alike(prefix: str, count: int, rng: random.Random) -> list[Pair]:
    """Both arms pass equally often."""
    shares = [rng.choice((0.05, 0.1, 0.2, 0.5, 0.8, 0.9)) for _ in range(count)]
    arms = ([tuple(rng.random() < share for _ in range(3)) for _ in range(2)] for share in shares)
    return [Pair(f"{prefix}{number}", *both) for number, both in enumerate(arms)]


@pytest.mark.parametrize("count", [10, 20, 40])
def test_a_candidate_that_gives_no_result_where_it_would_lose_passes_no_oftener(count: int) -> None:
    rng = random.Random(count)
    passed = 0
    for _ in range(200):
        train, holdout = (without(alike(prefix, count, rng), 0.6, rng) for prefix in "th")
        passed += decide(Evidence(train, holdout, frozenset(), (), CALM), RULES).verdict is GateVerdict.PASSED
    assert passed <= 0.02 * 200


def test_a_gain_that_rests_on_missing_results_gets_no_verdict_and_the_runs_are_counted() -> None:
    lost = [Pair(f"h{6 + number}", (True,) * 3, (True, None, None)) for number in range(4)]
    evidence = replace(asked("+" * 6), holdout=(*pairs("h", "+" * 6), *lost))
    decision = decide(evidence, RULES)
    assert (decision.verdict, causes(decision)) == (GateVerdict.NO_VERDICT, [Cause.TOO_MANY_SILENT])
    [reason] = decision.reasons
    assert reason.silent is not None
    assert (reason.split, reason.silent.candidate, reason.silent.baseline) == (Split.HOLDOUT, 8, 0)
    assert decision.holdout is not None
    assert (decision.holdout.p, decision.holdout.losses) == (1 / 64, ())  # what was measured is shown as it is
    assert decision.adjusted_p == decision.holdout.worst_p == reason.value
    assert decision.holdout.worst_p > RULES.alpha
    harmless = replace(evidence, holdout=(*pairs("h", "+" * 9), lost[-1]))
    assert decide(harmless, RULES).verdict is GateVerdict.PASSED


@unhurried
@given(outcomes, st.data())
def test_no_result_never_helps_a_candidate_that_would_have_failed(train: str, data: st.DataObject) -> None:
    before = pairs("t", train)
    share, rng = data.draw(st.floats(0, 1)), data.draw(st.randoms(use_true_random=False))
    honest = compare(before, Split.TRAIN, 0.1, QUICK)
    assert compare(without(before, share, rng), Split.TRAIN, 0.1, QUICK).worst_p == honest.worst_p


@pytest.mark.parametrize("candidate", [(True, None, True), (True, True, None), (None, None, None)])
def test_a_critical_scenario_needs_every_run_of_the_candidate(candidate: tuple[bool | None, ...]) -> None:
    evidence = asked("+" * 9, "+" * 9)
    assert evidence.holdout is not None
    silent = (*evidence.holdout, Pair("h9", (False, True, True), candidate))
    decision = decide(replace(evidence, holdout=silent, critical=frozenset({"h9"})), RULES)
    assert (decision.verdict, causes(decision)) == (GateVerdict.NO_VERDICT, [Cause.CRITICAL_WITHOUT_RESULT])
    assert decide(replace(evidence, holdout=silent), RULES).verdict is GateVerdict.PASSED


def test_what_was_decided_is_not_decided_anew_at_another_level() -> None:
    evidence = replace(asked("+" * 9, "+++++=0"), decided_at=0.05 / 3)  # p = 1/32
    assert decide(evidence, RULES).verdict is GateVerdict.FAILED
    assert decide(replace(evidence, decided_at=None), RULES).verdict is GateVerdict.PASSED


def test_scenarios_that_disagree_with_themselves_gate_nothing_and_are_named() -> None:
    runs = [
        Pair("t1", (True, False, True), (True, False, True)),
        *(Pair(f"t{i}", (True,) * 3, (True,) * 3) for i in (2, 3)),
    ]
    evidence = replace(asked("+" * 9, "+" * 9), flips=flip_rate(runs))
    decision = decide(evidence, RULES)
    assert (decision.verdict, decision.screened, decision.holdout) == (GateVerdict.FLAKY, False, None)
    assert (decision.reasons[0].scenarios, decision.reasons[0].limit) == (("t1",), 0.05)
    assert decide(evidence, replace(RULES, max_flip_rate=0.2)).verdict is GateVerdict.PASSED


def test_without_an_aa_run_nothing_passes() -> None:
    decision = decide(replace(asked("+" * 9, "+" * 9), flips=None), RULES)
    assert (decision.verdict, causes(decision)) == (GateVerdict.NO_VERDICT, [Cause.NOT_TRIED_AGAINST_ITSELF])


def test_the_gravest_cause_gives_the_verdict_and_the_others_are_kept() -> None:
    decision = decide(replace(asked("++--", critical=["t2"]), flips=None), RULES)
    assert decision.verdict is GateVerdict.BLOCKED
    assert causes(decision) == [Cause.CRITICAL_WORSE, Cause.NOT_TRIED_AGAINST_ITSELF, Cause.COULD_NOT_CONVINCE]


def test_candidates_confirmed_before_raise_the_bar() -> None:
    evidence = asked("+" * 9, "++++++==00")  # p = 1/64
    assert decide(evidence, RULES).verdict is GateVerdict.PASSED
    bars = [decide(replace(evidence, earlier=(0.5,) * k), RULES) for k in (2, 3)]
    assert [bar.verdict for bar in bars] == [GateVerdict.PASSED, GateVerdict.FAILED]
    assert [bar.adjusted_p for bar in bars] == pytest.approx([3 / 64, 4 / 64])
    assert bars[1].reasons[0].limit == pytest.approx(0.0125)
    assert bars[1].chance_of_a_false_pass == pytest.approx(0.05 * (1 + 1 / 2 + 1 / 3 + 1 / 4))


def test_a_plan_for_several_confirmations_sets_the_bar_from_the_first() -> None:
    planned = replace(RULES, planned=4)
    decision = decide(asked("+" * 9, "++++++==00"), planned)
    assert (decision.verdict, decision.adjusted_p) == (GateVerdict.FAILED, 4 / 64)
    assert decision.chance_of_a_false_pass == 0.05
    assert decide(asked("+" * 9, "+" * 7), planned).verdict is GateVerdict.PASSED


@unhurried
@given(outcomes, outcomes, st.randoms(use_true_random=False))
def test_the_order_of_scenarios_changes_no_verdict_and_no_figure(train: str, holdout: str, rng: random.Random) -> None:
    evidence = asked(train, holdout, critical=["t1", "h1"])
    assert evidence.holdout is not None
    shuffled = replace(
        evidence,
        train=tuple(rng.sample(evidence.train, len(train))),
        holdout=tuple(rng.sample(evidence.holdout, len(holdout))),
    )
    rules = GateRules(precision=Precision(resamples=50))
    first, second = decide(evidence, rules), decide(shuffled, rules)
    assert (first.verdict, causes(first), first.adjusted_p) == (second.verdict, causes(second), second.adjusted_p)
    assert (first.train.p, first.train.interval) == (second.train.p, second.train.interval)


@unhurried
@given(outcomes, st.data())
def test_one_more_pass_of_the_candidate_never_harms_it(train: str, data: st.DataObject) -> None:
    before = pairs("t", train)
    places = [(i, j) for i, pair in enumerate(before) for j, run in enumerate(pair.candidate) if run is False]
    if places:
        i, j = data.draw(st.sampled_from(places))
        runs = before[i].candidate
        better = replace(before[i], candidate=(*runs[:j], True, *runs[j + 1 :]))
        after = (*before[:i], better, *before[i + 1 :])
        assert compare(after, Split.TRAIN, 0.1, QUICK).p <= compare(before, Split.TRAIN, 0.1, QUICK).p


def test_one_repeat_is_judged_by_mcnemar_and_more_by_permutation() -> None:
    once = [Pair(str(i), (i > 5,), (i > 0,)) for i in range(9)]
    found = compare(once, Split.TRAIN, 0.1, QUICK)
    assert (found.method, found.p) == (Method.MCNEMAR, 1 / 32)
    assert compare(pairs("t", "++"), Split.TRAIN, 0.1, QUICK).method is Method.PERMUTATION


def test_the_interval_holds_the_difference_and_is_the_same_every_time() -> None:
    evidence = asked("++++++-==", "+++++++--=")
    decision = decide(evidence)
    assert decision == decide(evidence)
    for found in (decision.train, decision.holdout):
        assert found is not None
        assert found.interval is not None
        assert found.difference is not None
        assert found.interval.low < found.difference < found.interval.high


def test_every_cause_has_a_verdict_and_only_one_passes() -> None:
    assert VERDICTS.keys() == set(Cause)
    assert [cause for cause, verdict in VERDICTS.items() if verdict is GateVerdict.PASSED] == [list(Cause)[-1]]


def test_a_scenario_in_both_splits_is_refused() -> None:
    with pytest.raises(ValueError, match="in one of the splits"):
        Evidence(pairs("t", "++"), pairs("t", "+"), frozenset(), (), CALM)


@pytest.mark.parametrize(
    "wrong", [{"alpha": 0.2}, {"screen": 0.5}, {"planned": 0}, {"max_flip_rate": -0.1}, {"alpha": 0.0}]
)
def test_impossible_rules_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="impossible rules"):
        replace(RULES, **wrong)


@pytest.mark.parametrize(
    ("asked_before", "usable", "earlier", "cause", "limit"),
    [
        (0, 6, (), None, None),
        (0, 5, (), Cause.COULD_NOT_CONVINCE, 6),
        (2, 6, (0.001, 0.4), None, None),
        (3, 60, (0.4, 0.4, 0.4), Cause.HELD_OUT_USED_UP, 3),
    ],
)
def test_a_confirmation_that_could_tell_nothing_is_not_begun(
    asked_before: int, usable: int, earlier: tuple[float, ...], cause: Cause | None, limit: int | None
) -> None:
    rules = GateRules(planned=3, precision=QUICK)
    screened = decide(asked("+" * 9), rules)
    found = unasked(screened, asked_before, usable, earlier, rules)
    assert (found and found.reasons[0].cause, found and found.reasons[0].limit) == (cause, limit)
    if found:
        assert found.verdict in (GateVerdict.UNDERPOWERED, GateVerdict.NO_VERDICT)
