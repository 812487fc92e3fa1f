"""The schedule asks once for each of its times, and the daemon carries out what was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from karpathy_self_improve import daemon, schema
from karpathy_self_improve.errors import SettingsInvalid
from karpathy_self_improve.proposal import requests
from karpathy_self_improve.settings import parse_settings

THREE = datetime(2026, 11, 20, 3, 0).astimezone()


def due(stage: Any, moment: datetime) -> list[str]:
    return [job.profile for job in requests.ask_when_due(stage.context, moment)]


def test_without_a_schedule_nobody_is_asked(stage: Any) -> None:
    assert due(stage, THREE) == []


def test_each_time_of_the_schedule_asks_once_whoever_looks(stage: Any, raw: Any) -> None:
    stage.configure(proposer={"schedule": "0 3 * * *"})
    assert due(stage, THREE - timedelta(minutes=1)) == []
    assert due(stage, THREE + timedelta(minutes=1)) == ["default"]
    assert due(stage, THREE + timedelta(minutes=2)) == []
    raw("UPDATE jobs SET state = 'finished'")
    assert due(stage, (THREE + timedelta(minutes=3)).astimezone(UTC)) == []
    assert due(stage, THREE + timedelta(days=1, minutes=1)) == ["default"]
    [first, _] = stage.rows(schema.proposal_requests)
    assert datetime.fromisoformat(first["scheduled_for"]) == THREE
    assert (first["actor"], first["relpath"]) == ("daemon", "SOUL.md")


def test_a_time_that_passed_long_ago_is_left_out(stage: Any) -> None:
    stage.configure(proposer={"schedule": "0 3 * * *"})
    assert due(stage, THREE + timedelta(hours=2)) == []


def test_a_request_that_is_open_is_enough(stage: Any) -> None:
    stage.configure(proposer={"schedule": "0 3 * * *"})
    stage.ask()
    assert due(stage, THREE + timedelta(minutes=1)) == []


@pytest.mark.parametrize("schedule", ["sometimes", "* * * *", "61 3 * * *", "* * * * * *", "@daily"])
def test_a_schedule_that_nobody_could_keep_is_refused(schedule: str) -> None:
    with pytest.raises(SettingsInvalid, match=r"proposer\.schedule.*cron expression of five fields"):
        parse_settings({"proposer": {"schedule": schedule}})


def test_a_date_that_never_comes_asks_nobody(stage: Any) -> None:
    stage.configure(proposer={"schedule": "0 3 31 2 *"})
    assert due(stage, THREE) == []


def test_the_daemon_carries_a_request_out(stage: Any) -> None:
    stage.bad()
    job = stage.ask()
    said: list[str] = []
    daemon._Daemon(stage.context, said.append)._run_job(job)
    assert stage.request(job.id).outcome == "proposed"
    assert said == [f"default: asking for a proposal (job {job.id})", f"default: job {job.id} finished"]
