"""Processes that want the same thing at the same moment: one of them does it, the others learn what happened."""

from __future__ import annotations

import pytest

OLD = b"# Soul\r\n\r\nBe brief. Be kind.\r\nA byte that is no UTF-8: \xff"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")


@pytest.mark.parametrize("kind", ["apply", "revert"])
@pytest.mark.parametrize("own", [True, False], ids=["own", "ours"])
def test_six_processes_make_one_commit(prepared, processes, own, kind):
    stage, number = prepared(own, kind)
    ended = processes(*({"do": kind, "id": number} for _ in range(6)))
    assert {one["answer"] for one in ended} == {"live" if kind == "apply" else "reverted"}
    assert stage.check_consistent(number, OLD, NEW) == ended[0]["answer"]
    assert len(stage.events(f"experiment.{ended[0]['answer']}")) == 1


@pytest.mark.parametrize("turn", range(4))
def test_apply_and_revert_at_once_end_in_one_of_both(prepared, processes, turn):
    stage, number = prepared(turn % 2 == 0, "apply")
    ended = processes({"do": "apply", "id": number}, {"do": "revert", "id": number})
    state = stage.check_consistent(number, OLD, NEW)
    assert ended[0]["answer"] == "live"
    assert state == ("reverted" if ended[1]["answer"] == "reverted" else "live")


@pytest.mark.parametrize("turn", range(4))
def test_recovery_leaves_a_running_apply_alone(prepared, processes, turn):
    stage, number = prepared(turn % 2 == 0, "apply")
    jobs = [{"do": "recover"}, {"do": "apply", "id": number}, {"do": "recover"}, {"do": "recover"}]
    ended = processes(*jobs)
    assert [one["answer"] for one in ended] == ["", "live", "", ""]
    assert stage.check_consistent(number, OLD, NEW) == "live"


@pytest.mark.parametrize("point", ["swapped", "ref-moved"])
def test_several_recoveries_and_an_apply_after_a_kill_agree(prepared, processes, point):
    stage, number = prepared(True, "apply")
    processes({"do": "apply", "id": number, "kill_at": point})
    ended = processes({"do": "recover"}, {"do": "apply", "id": number}, {"do": "recover"}, {"do": "recover"})
    assert ended[1]["answer"] == "live"
    assert sum(bool(ended[position]["answer"]) for position in (0, 2, 3)) <= 1
    assert stage.check_consistent(number, OLD, NEW) == "live"


@pytest.mark.parametrize("turn", range(4))
def test_apply_and_reject_at_once_end_in_one_of_both(prepared, processes, turn):
    stage, number = prepared(turn % 2 == 0, "apply")
    ended = processes({"do": "reject", "id": number}, {"do": "apply", "id": number})
    check_one_of_both(stage, number, *(one["answer"] for one in ended))


@pytest.mark.parametrize("point", ["planned", "swapped", "ref-moved"])
def test_nobody_rejects_what_is_being_applied(prepared, processes, point):
    stage, number = prepared(True, "apply")
    processes({"do": "apply", "id": number, "kill_at": point})
    (refused,) = processes({"do": "reject", "id": number})
    assert refused["answer"].startswith("ProfileBusy: ")
    stage.recover()
    assert stage.check_consistent(number, OLD, NEW) == ("live" if point == "ref-moved" else "approved")


def check_one_of_both(stage, number, rejected, applied):
    assert stage.open_operations() == []
    if rejected == "rejected":
        assert applied.startswith("IllegalTransition")
        assert stage.content() == OLD
        assert stage.our_commits() == []
    else:
        assert rejected.startswith(("IllegalTransition", "ProfileBusy"))
        assert applied == "live"
        stage.check_consistent(number, OLD, NEW)
