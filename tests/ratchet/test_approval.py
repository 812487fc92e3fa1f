"""Nobody but a person approves, on a measurement or with a reason, and the approval holds for exactly that."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve import clock
from karpathy_self_improve.errors import (
    ApprovalRefused,
    ApprovalVoid,
    BadInput,
    ChangeRefused,
    GateNotPassed,
    IllegalTransition,
    NotEvaluated,
    ProfileBusy,
    ProfileInFlight,
    ProfilePaused,
    RatchetError,
)
from karpathy_self_improve.evaluation.gating import pairing, reports
from karpathy_self_improve.evaluation.scenario import holdout, scenarios
from karpathy_self_improve.ratchet import apply, approval, context, controls, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.ratchet.faults import Point
from karpathy_self_improve.reviewing.refusals import NoReviewer
from karpathy_self_improve.stats.gate import GateRules

SOMEBODY = Actor("somebody", "os:somebody")
OLD = b"# Soul\n\nBe brief. Be kind.\n"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
NEWER = OLD.replace(b"Be kind.", b"Be kind always.")


@pytest.fixture
def configured(home: Path) -> Iterator[Callable[..., Context]]:
    """``configured(approval="unsigned")``: a context with these settings of ours."""
    (home / "SOUL.md").write_bytes(OLD)
    opened: list[Context] = []

    def configure(**ours: object) -> Context:
        (home / "config.yaml").write_text(json.dumps({"plugins": {"entries": {"karpathy-self-improve": ours}}}))
        opened.append(open_context())
        return opened[-1]

    yield configure
    for one in opened:
        one.store.close()


@pytest.fixture
def here(configured: Callable[..., Context]) -> Context:
    return configured(approval="unsigned")


def proposed(here: Context, content: bytes = NEW) -> int:
    return experiments.propose(here, "default", "SOUL.md", content, "kinder", SOMEBODY).id


def evaluated(here: Context, number: int, **other: Any) -> str:
    """A report on the experiment, or on one with ``other`` bytes, which passed the gate. Returns its hash."""
    with here.store.write() as tx:
        return reports.store(tx, replace(experiments.load(tx, number), **other), passed(tx))


def passed(tx: Any, **other: Any) -> dict[str, Any]:
    """What a report says that passed the gate on what is there today."""
    return {
        "verdict": "passed",
        "scenario_set_hash": scenarios.set_hash(scenarios.train_set(tx, "default")),
        "holdout_version": holdout.version(tx, "default"),
        "holdout_set_hash": scenarios.set_hash(scenarios.holdout_set(tx, "default")),
        "rules": pairing.described(GateRules()),
        **other,
    }


def approve(here: Context, number: int, **options: Any) -> str:
    return approval.approve(here, number, SOMEBODY, **options).state


def applied(here: Context, number: int) -> str:
    return apply.apply(here, number, SOMEBODY, unwatched=True).state


def newest(here: Context, number: int) -> approval.Approval:
    with here.store.read() as tx:
        found = approval.latest(tx, number)
    assert found is not None
    return found


def tamper(here: Context, table: str, statement: str) -> None:
    """What somebody with the file in their hands can do."""
    with sqlite3.connect(here.store.path) as raw:
        raw.execute(f"DROP TRIGGER tr_{table}_no_update")
        raw.execute(statement)
    raw.close()


# --- who


def test_nobody_approves_before_an_operator_chose_how(configured: Callable[..., Context]) -> None:
    here = configured()
    with pytest.raises(NoReviewer, match="reviewer add"):
        approve(here, proposed(here), override_reason="I want to")


def test_no_chat_and_no_tool_shell_of_an_agent_approves(here: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    number = proposed(here)
    evaluated(here, number)
    with pytest.raises(ApprovalRefused, match="agent"):
        approve(here, number, in_chat=True)
    monkeypatch.setenv("HERMES_SESSION_ID", "s1")
    with pytest.raises(ApprovalRefused, match="agent"):
        approve(here, number)
    monkeypatch.delenv("HERMES_SESSION_ID")
    assert approve(here, number) == "approved"


def test_an_unsigned_approval_is_marked_as_one(here: Context) -> None:
    number = proposed(here)
    evaluated(here, number)
    approve(here, number)
    found, step = newest(here, number), experiments.transitions(here, number)[-1]
    assert (found.mode, found.actor, found.principal) == ("unsigned", "somebody", "os:somebody")
    assert (step.reason, step.actor) == ("approved (unsigned)", "somebody")


# --- on what grounds


def test_an_approval_wants_a_finished_evaluation_of_exactly_these_bytes(here: Context) -> None:
    number = proposed(here)
    with pytest.raises(NotEvaluated, match="queued"):
        approve(here, number)
    evaluated(here, number, candidate_sha256="0" * 64)
    evaluated(here, number, base_sha256=None)
    with pytest.raises(NotEvaluated):
        approve(here, number)
    assert experiments.get(here, number).state == "proposed"
    sha256 = evaluated(here, number)
    approve(here, number)
    assert (newest(here, number).report_sha256, newest(here, number).override_reason) == (sha256, None)


def test_what_todays_limits_would_not_let_in_is_not_approved(configured: Callable[..., Context]) -> None:
    number = proposed(configured(approval="unsigned"))
    tighter = configured(approval="unsigned", changes={"max_change_bytes": 5})
    with pytest.raises(ChangeRefused):
        approval.approve(tighter, number, SOMEBODY, override_reason="it is fine")
    assert experiments.get(tighter, number).state == "proposed"


@pytest.mark.parametrize("reason", [None, "", "  \n\t"])
def test_an_override_needs_a_reason(here: Context, reason: str | None) -> None:
    with pytest.raises(NotEvaluated):
        approve(here, proposed(here), override_reason=reason)


def test_the_reason_of_an_override_is_kept_and_audited(here: Context) -> None:
    number = proposed(here)
    approve(here, number, override_reason=" a typing error ")
    assert (newest(here, number).report_sha256, newest(here, number).override_reason) == (None, "a typing error")
    assert experiments.transitions(here, number)[-1].reason == "approved (unsigned): a typing error"
    assert applied(here, number) == "live"


@pytest.mark.parametrize("reason", ["x" * 1_001, "half a \ud83d character"])
def test_a_reason_that_cannot_be_kept_is_refused(here: Context, reason: str) -> None:
    number = proposed(here)
    with pytest.raises(BadInput):
        approve(here, number, override_reason=reason)
    with pytest.raises(BadInput):
        experiments.reject(here, number, SOMEBODY, reason * 10)
    assert experiments.get(here, number).state == "proposed"


# --- in which state


def test_a_paused_profile_gets_nothing_approved(here: Context) -> None:
    number = proposed(here)
    controls.pause(here, "default", SOMEBODY)
    with pytest.raises(ProfilePaused):
        approve(here, number, override_reason="now")
    controls.resume(here, "default", SOMEBODY)
    assert approve(here, number, override_reason="now") == "approved"


def test_a_second_change_waits_and_leaves_no_trace_of_its_approval(here: Context) -> None:
    first, second = proposed(here), proposed(here, NEWER)
    approve(here, first, override_reason="first")
    with pytest.raises(ProfileInFlight):
        approve(here, second, override_reason="second")
    with here.store.read() as tx:
        assert approval.latest(tx, second) is None
        assert tx.exec_driver_sql("SELECT count(*) FROM live_plans").scalar_one() == 1
    experiments.reject(here, first, SOMEBODY, "withdrawn")
    assert approve(here, second, override_reason="second") == "approved"


def test_what_is_no_proposal_any_more_cannot_be_approved(here: Context) -> None:
    number = proposed(here)
    experiments.reject(here, number, SOMEBODY, "no")
    with pytest.raises(IllegalTransition):
        approve(here, number)
    with pytest.raises(IllegalTransition):
        approve(here, number, override_reason="still")


def test_a_persons_decision_ends_the_daemons_back_off(here: Context) -> None:
    first, second = proposed(here), proposed(here, NEWER)
    for decide in (lambda: approve(here, first, override_reason="x"), lambda: reject(here, first)):
        controls.note_failure(here, "default", RuntimeError("git is gone"))
        decide()
        assert controls.get(here, "default").retry_at is None
    assert experiments.get(here, second).state == "proposed"


# --- until when, and for what


def test_an_approval_is_void_when_the_operator_changed_how_to_approve(configured: Callable[..., Context]) -> None:
    here = configured(approval="unsigned")
    number = proposed(here)
    approve(here, number, override_reason="x")
    with pytest.raises(ApprovalVoid, match="not how approvals are given"):
        applied(configured(approval="signed"), number)
    assert experiments.get(here, number).state == "rejected"


def test_an_approval_expires(here: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    number, now = proposed(here), clock.now
    approve(here, number, override_reason="x")
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(days=7, seconds=1))
    with pytest.raises(ApprovalVoid, match="expired"):
        applied(here, number)
    assert "expired" in str(experiments.get(here, number).rejection_reason)


def test_an_approval_holds_for_six_days(here: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    number, now = proposed(here), clock.now
    approve(here, number, override_reason="x")
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(days=6))
    assert applied(here, number) == "live"


def test_a_later_evaluation_leaves_the_approval_as_it_was(here: Context) -> None:
    number = proposed(here)
    evaluated(here, number)
    approve(here, number)
    evaluated(here, number)
    assert applied(here, number) == "live"


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("reports", "UPDATE reports SET document = replace(document, 'passed', 'Passed')"),
        ("reports", "UPDATE reports SET sha256 = 'another'"),
        ("live_plans", "UPDATE live_plans SET document = replace(document, '14.0', '1000.0')"),
        ("approvals", "UPDATE approvals SET relpath = 'skills/x.md'"),
        ("approvals", "UPDATE approvals SET candidate_sha256 = 'another'"),
    ],
)
def test_what_was_changed_behind_an_approval_makes_it_void(here: Context, table: str, statement: str) -> None:
    number = proposed(here)
    evaluated(here, number)
    approve(here, number)
    tamper(here, table, statement)
    with pytest.raises(ApprovalVoid):
        applied(here, number)
    rejected = experiments.get(here, number)
    assert (rejected.state, rejected.rejected_by) == ("rejected", "somebody")
    assert "void" in str(rejected.rejection_reason)
    assert (here.home("default") / "SOUL.md").read_bytes() == OLD


def test_an_approved_state_without_an_approval_is_void(here: Context) -> None:
    number = proposed(here)
    approve(here, number, override_reason="x")
    with sqlite3.connect(here.store.path) as raw:
        raw.execute("DROP TRIGGER tr_approvals_no_delete")
        raw.execute("DELETE FROM approvals")
    raw.close()
    with pytest.raises(ApprovalVoid, match="no approval"):
        applied(here, number)


# --- withdrawn


def reject(here: Context, number: int) -> str:
    return experiments.reject(here, number, SOMEBODY, "withdrawn").state


def test_a_withdrawn_approval_applies_nothing(here: Context) -> None:
    number = proposed(here)
    approve(here, number, override_reason="x")
    rejected = experiments.reject(here, number, SOMEBODY, "changed my mind")
    assert (rejected.state, rejected.rejected_by, rejected.rejection_reason) == (
        "rejected",
        "somebody",
        "changed my mind",
    )
    with pytest.raises(IllegalTransition):
        applied(here, number)


def test_an_approval_cannot_be_withdrawn_in_the_middle_of_its_apply(
    here: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = proposed(here)
    approve(here, number, override_reason="x")
    monkeypatch.setattr(context, "_LOCK_PATIENCE_S", 0.1)
    refused: list[RatchetError] = []

    def withdraw(point: Point) -> None:
        if point is Point.SWAPPED:
            with pytest.raises(ProfileBusy) as raised:
                reject(here, number)
            refused.append(raised.value)

    for module in ("files.guarded_file", "operation", "git.history", "git.index"):
        monkeypatch.setattr(f"karpathy_self_improve.ratchet.{module}.reached", withdraw, raising=False)
    assert applied(here, number) == "live"
    assert len(refused) == 1


def test_an_approval_whose_apply_was_cut_short_is_withdrawn_after_the_recovery(
    here: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = proposed(here)
    approve(here, number, override_reason="x")

    class Killed(BaseException):
        pass

    def die(point: Point) -> None:
        if point is Point.FILE_RECORDED:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("karpathy_self_improve.ratchet.operation.reached", die)
        with pytest.raises(Killed):
            applied(here, number)
    with pytest.raises(ProfileBusy, match="cut short"):
        reject(here, number)
    apply.recover(here)
    assert reject(here, number) == "rejected"
    assert (here.home("default") / "SOUL.md").read_bytes() == OLD


# --- what the gate says


def stored(here: Context, number: int, **other: Any) -> str:
    with here.store.write() as tx:
        return reports.store(tx, experiments.load(tx, number), passed(tx, **other))


@pytest.mark.parametrize("verdict", ["failed", "underpowered", "flaky", "no verdict", "Passed", None, True])
def test_only_what_passed_is_approved_without_a_reason(here: Context, verdict: object) -> None:
    number = proposed(here)
    stored(here, number, verdict=verdict, reasons=[{"words": "It may be chance."}])
    with pytest.raises(GateNotPassed, match=r"It may be chance\. .*--override"):
        approve(here, number)
    assert approve(here, number, override_reason="a typo") == "approved"


@pytest.mark.parametrize(
    "other", [{"holdout_version": 2}, {"scenario_set_hash": "x"}, {"holdout_set_hash": "x"}, {"rules": {}}]
)
def test_what_passed_on_other_scenarios_has_to_be_measured_again(here: Context, other: dict[str, Any]) -> None:
    number = proposed(here)
    stored(here, number, **other)
    with pytest.raises(NotEvaluated, match="changed since"):
        approve(here, number)


def test_an_approval_on_a_report_that_did_not_pass_is_void(here: Context) -> None:
    number = proposed(here)
    stored(here, number)
    approve(here, number)
    failed = stored(here, number, verdict="failed")
    tamper(here, "approvals", f"UPDATE approvals SET report_sha256 = '{failed}'")
    with pytest.raises(ApprovalVoid, match="does not say that it passed the gate"):
        applied(here, number)
