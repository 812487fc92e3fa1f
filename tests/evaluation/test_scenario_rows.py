"""Scenarios are stored only when whole, one of a name, and never lose what they once measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from karpathy_self_improve.errors import BadInput, Conflict, RatchetError, UnknownProfile, UnknownScenario
from karpathy_self_improve.evaluation.scenario import scenarios, starters, templates
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context

SOMEBODY = Actor("somebody", "os:somebody")
CHECK = {"type": "must_contain", "value": "NEXT"}


@pytest.fixture
def here(home: Any) -> Iterator[Context]:
    opened = open_context()
    yield opened
    opened.store.close()


def add(here: Context, **fields: Any) -> scenarios.Scenario:
    given = {"profile": "default", "name": "ends well", "input_text": "hello", "checks": [CHECK], **fields}
    return scenarios.add_scenario(here, actor=SOMEBODY, **given)


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"checks": [CHECK, {"type": "must_hope", "value": "x"}]}, BadInput, "Check 2"),
        ({"checks": [{"type": "regex", "value": "("}]}, BadInput, "Check 1"),
        ({"checks": [{"type": "must_contain", "value": ""}]}, BadInput, "Check 1"),
        ({"checks": [{"type": "must_contain", "value": "x", "wich": 1}]}, BadInput, "wich"),
        ({"checks": [{"type": "max_tokens", "value": "many"}]}, BadInput, "Check 1"),
        ({"checks": "not JSON"}, BadInput, "JSON list"),
        ({"checks": [CHECK] * 51}, BadInput, "50 checks"),
        ({"checks": [{"type": "must_contain", "value": "half a \ud83d character"}]}, BadInput, "Check 1"),
        ({"checks": [{"type": "json_schema", "value": {"title": "half a \ud83d"}}]}, BadInput, "Unicode"),
        ({"input_text": "half a \ud83d character"}, BadInput, "Unicode"),
        ({"input_text": "x" * 20_001}, BadInput, "20000"),
        ({"input_text": "a@b.cc " * 2_857}, BadInput, "20000"),  # as it would be kept
        ({"checks": [{"type": "judge", "rubric": "a@b.cc " * 571}]}, BadInput, "Check 1"),
        ({"name": "  "}, BadInput, "name"),
        ({"name": "two\nlines"}, BadInput, "name"),
        ({"name": "x" * 201}, BadInput, "name"),
        ({"profile": "nobody"}, UnknownProfile, "nobody"),
    ],
)
def test_a_wrong_scenario_is_refused_and_nothing_of_it_is_stored(
    here: Context, wrong: dict[str, Any], error: type[RatchetError], says: str
) -> None:
    with pytest.raises(error, match=says):
        add(here, **wrong)
    with here.store.read() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM scenarios").scalar_one() == 0
        assert tx.exec_driver_sql("SELECT count(*) FROM events").scalar_one() == 0


def test_checks_come_as_a_list_or_as_json_and_are_kept_whole(here: Context) -> None:
    listed = add(here, checks=[CHECK])
    written = add(here, name="the same", checks=json.dumps([CHECK]))
    assert json.loads(listed.checks) == json.loads(written.checks) == [{**CHECK, "ignore_case": False}]


def test_a_name_is_used_once_per_profile_until_it_is_deleted(here: Context) -> None:
    first = add(here)
    with pytest.raises(Conflict, match="ends well"):
        add(here, name=" ends well ")
    scenarios.delete_scenario(here, first.id, SOMEBODY)
    again = add(here)
    assert again.id != first.id
    assert [one.id for one in scenarios.list_scenarios(here)] == [again.id]
    with pytest.raises(UnknownScenario):
        scenarios.delete_scenario(here, first.id, SOMEBODY)
    with pytest.raises(UnknownScenario):
        scenarios.get_scenario(here, first.id)


def test_a_held_out_scenario_is_known_by_name_only_and_runs_in_no_evaluation(here: Context) -> None:
    hidden = add(here, name="the exam", input_text="the question", holdout=True)
    assert (hidden.input, hidden.checks) == ("the question", json.dumps([{**CHECK, "ignore_case": False}]))
    assert scenarios.list_scenarios(here) == []
    for shown in (*scenarios.list_scenarios(here, include_holdout=True), scenarios.get_scenario(here, hidden.id)):
        assert (shown.name, shown.input, shown.checks) == ("the exam", "", "")
    with here.store.read() as tx:
        assert scenarios.train_set(tx, "default") == []
        events = tx.exec_driver_sql("SELECT group_concat(payload) FROM events").scalar_one()
    assert "question" not in events


def test_a_profile_that_never_had_a_scenario_gets_starter_ones_once(here: Context) -> None:
    (here.home("default") / "SOUL.md").write_text("Always end answers with the line: NEXT: <one step>.\n")
    made = starters.ensure_starters(here, "default")
    assert {one.source for one in made} == {templates.SOURCE}
    assert "starter: SOUL.md, closing line" in {one.name for one in made}
    assert starters.ensure_starters(here, "default") == []
    for one in made:
        scenarios.delete_scenario(here, one.id, SOMEBODY)
    assert starters.ensure_starters(here, "default") == []


def test_a_soul_that_is_a_link_gives_the_general_starters(here: Context) -> None:
    soul = here.home("default") / "SOUL.md"
    soul.rename(soul.with_name("elsewhere.md"))
    soul.symlink_to("elsewhere.md")
    assert len(starters.ensure_starters(here, "default")) == len(templates.GENERAL)


def test_any_edit_of_the_set_changes_its_hash(here: Context) -> None:
    first, second = add(here), add(here, name="another", input_text="bye")
    hashes = {scenarios.set_hash(chosen) for chosen in ([first], [second], [first, second], [])}
    assert len(hashes) == 4
