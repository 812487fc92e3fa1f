"""The plan of a window is complete, exact, fixed, and computed once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from karpathy_self_improve.ratchet import apply, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.window import host_versions, live_plan, live_window, planning
from karpathy_self_improve.ratchet.window.live_plan import Measure
from karpathy_self_improve.stats import calibration, polya_urn
from karpathy_self_improve.stats.creep import WINDOWS_PER_ANCHOR
from karpathy_self_improve.stats.exceedances import ExceedancePlan, level_rank

SOMEBODY = Actor("somebody", "os:somebody")
OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"
NEW = OLD.replace("Always", "Almost always")
ALL = ["success", "errors", "cost"]


def test_success_errors_and_tokens_share_alpha_and_all_constants_are_in_the_plan(stage: Any) -> None:
    stage.settings(measures=ALL)
    names = stage.talk(12, OLD, tokens=100)
    plan = stage.plan(stage.proposed())
    assert [(test.measure, test.window.alpha) for test in plan.tests] == [
        (Measure.SUCCESS, 0.025),
        (Measure.ERRORS, 0.0125),
        (Measure.TOKENS, 0.0125),
    ]
    assert {(t.window.n0, t.window.n_min, t.window.n, t.window.n_max) for t in plan.tests} == {(12, 4, 8, 12)}
    assert [test.k for test in plan.tests] == [None, level_rank(12), level_rank(12)]
    assert [one.session_id for one in plan.baseline] == names
    assert (plan.margin, plan.confidence, plan.max_days, plan.max_left_out) == (0.25, 0.9, 14.0, 0.2)
    assert (plan.model, plan.host_version) == ("m", "0.19.0")
    assert (plan.anchor, plan.windows_before, plan.badge) == (None, 0, "success, errors and tokens")


def test_its_boundaries_and_what_it_will_catch_are_the_exact_ones(stage: Any) -> None:
    stage.settings(measures=ALL)
    stage.talk(2, OLD, answer="no", tokens=100)
    stage.talk(10, OLD, tokens=100)
    success, errors, _ = stage.plan(stage.proposed()).tests
    assert success.boundary == calibration.calibrate(success.window)
    assert success.rate == 0.85
    for seen, after in zip(success.foresight, (0.85, 0.75, 0.65, 0.45), strict=True):
        exact = calibration.operating_characteristics(success.window, success.boundary, 0.85, after)
        assert (seen.reverted, seen.verified, seen.inconclusive) == pytest.approx(
            (exact.reverted, exact.verified, exact.inconclusive)
        )
    urn = ExceedancePlan(errors.window, level_rank(12), 7)
    assert errors.boundary == polya_urn.calibrate(urn)
    quiet, *_, half = errors.foresight
    assert quiet.reverted == polya_urn.operating_characteristics(urn, errors.boundary).reverted <= 0.0125
    exact = polya_urn.operating_characteristics(urn, errors.boundary, lambda u: u + 0.5 * (1 - u))
    assert (half.harm, half.reverted) == (0.5, exact.reverted)


def test_cost_is_tested_where_it_is_known_of_every_session(stage: Any) -> None:
    stage.settings(measures=ALL)
    stage.talk(12, OLD, tokens=100, dollars=0.01)
    assert stage.plan(stage.proposed()).measures == (Measure.SUCCESS, Measure.ERRORS, Measure.COST)
    stage.talk(1, OLD, tokens=100)
    assert stage.plan(stage.proposed()).measures == (Measure.SUCCESS, Measure.ERRORS, Measure.TOKENS)


def test_what_the_host_never_wrote_down_is_not_tested(stage: Any) -> None:
    stage.settings(measures=ALL)
    stage.talk(12, OLD)
    assert stage.plan(stage.proposed()).measures == (Measure.SUCCESS, Measure.ERRORS)


def test_without_a_signal_of_success_errors_and_cost_alone_are_tested_and_the_badge_says_so(stage: Any) -> None:
    stage.settings(signal=[], measures=ALL)
    stage.talk(12, OLD, answer=None, tokens=100)  # unknown outcomes, which are of use here
    plan = stage.plan(stage.proposed())
    assert (plan.measures, plan.badge) == ((Measure.ERRORS, Measure.TOKENS), "errors and tokens only")
    assert len(plan.baseline) == 12
    assert plan.note == "no success signal configured: errors and tokens are tested"


def test_feedback_on_nearly_all_sessions_is_a_signal_of_success(stage: Any) -> None:
    stage.settings(signal=[], measures=ALL)
    names = stage.talk(12, OLD)
    for name in names[:9]:
        stage.say(name, good=True)
    assert Measure.SUCCESS not in stage.plan(stage.proposed()).measures  # three of twelve are unknown
    stage.say(names[9], good=False)
    plan = stage.plan(stage.proposed())
    assert Measure.SUCCESS in plan.measures
    assert (plan.success_anchor.successes, plan.success_anchor.sessions) == (9, 10)


def test_a_plan_is_the_same_for_whoever_sees_signs_and_approves_it(stage: Any) -> None:
    stage.talk(12, OLD)
    number = stage.proposed()
    shown = stage.plan(number)
    stage.talk(3, OLD, answer="no")
    assert stage.plan(number) == shown
    stage.settings(margin=0.3)
    assert stage.plan(number).margin == 0.3


def test_a_plan_survives_being_stored_byte_for_byte(stage: Any) -> None:
    stage.settings(measures=ALL)
    stage.talk(12, OLD, tokens=100, dollars=0.01)
    plan = stage.plan(stage.proposed())
    assert live_plan.read_document(plan.document()) == plan
    assert live_plan.read_document(plan.document()).document() == plan.document()


def test_nobody_computes_a_boundary_twice(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.settings(measures=ALL)
    stage.talk(12, OLD, tokens=100)
    first = stage.plan(stage.proposed())

    def twice(*_: object, **__: object) -> float:
        raise AssertionError("computed once more")

    for module, name in ((calibration, "calibrate"), (polya_urn, "calibrate")):
        monkeypatch.setattr(module, name, twice)
        monkeypatch.setattr(module, "operating_characteristics", twice)
    stage.talk(1, OLD, tokens=100)
    second = stage.plan(stage.proposed())
    assert [test.boundary for test in second.tests] == [test.boundary for test in first.tests]
    assert second.baseline != first.baseline


def test_a_growing_baseline_keeps_its_boundary_for_a_few_sessions(stage: Any) -> None:
    stage.settings(n0=60, n=30, n_max=60)
    stage.talk(33, OLD)
    assert len(stage.plan(stage.proposed()).baseline) == 30
    stage.talk(1, OLD)
    assert len(stage.plan(stage.proposed()).baseline) == 30
    stage.talk(26, OLD)
    assert len(stage.plan(stage.proposed()).baseline) == 60


def test_a_request_never_waits_for_a_large_window(stage: Any) -> None:
    stage.settings(n0=160, n=80, n_max=100)
    stage.talk(12, OLD)
    number = stage.proposed()
    with pytest.raises(planning.PlanNotReady, match="daemon"):
        live_window.check_prepared(stage.context, number)
    stage.plan(number)
    live_window.check_prepared(stage.context, number)


def test_sessions_of_the_seed_are_those_of_nobodys_choosing(stage: Any) -> None:
    stage.talk(12, OLD)
    one, other = stage.proposed(), stage.proposed()
    assert stage.plan(one).seed == stage.plan(one).seed != stage.plan(other).seed


# --- the anchor, and what a chain of changes may lose together


def test_every_window_takes_its_share_of_one_margin_whatever_its_verdict(stage: Any) -> None:
    names = stage.talk(12, OLD)
    first = stage.live()
    apply.revert(stage.context, first, SOMEBODY, "changed my mind")
    stage.talk(12, OLD, answer="no")
    plan = stage.plan(stage.proposed())
    assert plan.windows_before == 1
    assert plan.margin_left == pytest.approx(0.25 * (1 - 1 / WINDOWS_PER_ANCHOR))
    assert [one.session_id for one in plan.anchor] == names  # the first baseline, not today's failures
    assert plan.anchor_experiment is None


def test_a_step_that_is_no_worse_than_the_last_one_is_not_verified_when_it_is_worse_than_the_anchor(stage: Any) -> None:
    stage.settings(n0=12, n=12, n_max=12)
    stage.talk(12, OLD)
    apply.revert(stage.context, stage.live(), SOMEBODY, "only to have an anchor")
    stage.talk(7, OLD)
    stage.talk(5, OLD, answer="no")
    number = stage.live()
    stage.talk(7, NEW)
    stage.talk(5, NEW, answer="no")
    found = stage.observe(number)
    assert found.verdict == "inconclusive"
    assert dict(found.looks[0].noninferiority)[12] < 0.5


def test_a_verified_version_shown_to_be_better_becomes_the_anchor(stage: Any) -> None:
    stage.talk(6, OLD)
    stage.talk(6, OLD, answer="no")
    number = stage.live()
    names = stage.talk(8, NEW)
    assert stage.settled(number).verdict == "verified"
    plan = stage.plan(stage.proposed(new=NEW + "Be kind.\n"))
    assert (plan.anchor_experiment, plan.windows_before, plan.margin_left) == (number, 0, 0.25)
    assert [one.session_id for one in plan.anchor] == names


def test_another_model_or_host_version_starts_anew(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.talk(12, OLD)
    apply.revert(stage.context, stage.live(), SOMEBODY, "changed my mind")
    stage.talk(12, OLD, model="newer")
    plan = stage.plan(stage.proposed())
    assert (plan.model, plan.windows_before, plan.anchor) == ("newer", 0, None)
    assert plan.left_out == {"another model": 12}
    monkeypatch.setattr("karpathy_self_improve.host.version", lambda: "0.20.0")
    plan = stage.plan(stage.proposed())
    assert (plan.host_version, plan.tests) == ("0.20.0", ())  # no session on it yet
    stage.talk(12, OLD, model="newer")
    plan = stage.plan(stage.proposed())
    assert (len(plan.baseline), plan.windows_before) == (12, 0)


def test_the_hosts_version_is_noted_once_for_each_change(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("1", "1", "2", "1"):
        monkeypatch.setattr("karpathy_self_improve.host.version", lambda v=version: v)
        host_versions.note(stage.context)
        host_versions.note(stage.context)
    with stage.context.store.read() as tx:
        seen = host_versions.load(tx)
    assert [version for _, version in seen.seen] == ["1", "2", "1"]
    assert [seen.at(moment) for moment, _ in seen.seen] == ["1", "2", "1"]


def test_sessions_that_prompted_the_proposal_are_not_its_baseline(stage: Any) -> None:
    """They were chosen because they went badly: whatever comes next will look better."""
    names = stage.talk(13, OLD)
    made = experiments.propose(
        stage.context, "default", "SOUL.md", NEW.encode(), f"after session {names[12]}", SOMEBODY
    )
    plan = stage.plan(made.id)
    assert [one.session_id for one in plan.baseline] == names[:12]
    assert plan.left_out == {"it prompted the proposal": 1}


def test_a_plan_of_another_version_of_this_program_is_refused_in_a_sentence(stage: Any) -> None:
    with pytest.raises(live_window.NoEvidence, match="another version"):
        live_plan.read_document(json.dumps({"n": 8, "window": None}))
