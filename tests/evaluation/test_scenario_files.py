"""A file of scenarios is taken in whole or not at all, and what was written can be read again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from karpathy_self_improve.errors import BadInput, Conflict, RatchetError
from karpathy_self_improve.evaluation.scenario import documents, files, placement, scenarios
from karpathy_self_improve.evaluation.scenario.files import Form, HoldoutLocked, Imported, Split
from karpathy_self_improve.evaluation.scenario.placement import SplitNotDisjoint
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context

ADA = Actor("ada", "os:ada")
TOKEN = "gh" + "p_" + "aB3dE6gH9kL2" * 3
FILE = """\
# Two scenarios.
- name: greets
  input: |
    Say hello.
    Then stop.
  checks:
    - {type: must_contain, value: hello, ignore_case: true}
    - type: max_tokens
      value: 40
- name: 2026-01-31
  input: no
  critical: true
"""


@pytest.fixture
def here(home: Path) -> Iterator[Context]:
    made = open_context()
    yield made
    made.store.close()


def taken_in(here: Context, document: str, split: Split = Split.TRAIN) -> Imported:
    return files.import_scenarios(here, "default", document, ADA, split)


def stored(here: Context) -> list[tuple[str, str, Any, int, int]]:
    with here.store.read() as tx:
        rows = tx.exec_driver_sql("SELECT name, input, checks, holdout, critical FROM scenarios ORDER BY id")
        return [(name, asked, json.loads(checks), out, critical) for name, asked, checks, out, critical in rows]


def test_a_file_becomes_scenarios_and_the_same_file_again_nothing(here: Context) -> None:
    first = taken_in(here, FILE)
    assert [(one.name, one.source) for one in first.added] == [("greets", "file"), ("2026-01-31", "file")]
    assert [row[1] for row in stored(here)] == ["Say hello.\nThen stop.\n", "no"]
    again = taken_in(here, FILE.replace("name: greets", "name: greets again"))
    assert again.added == ()
    assert [(one.line, one.scenario_id) for one in again.skipped] == [(2, 1), (10, 2)]


def test_what_stands_twice_in_a_file_is_added_once(here: Context) -> None:
    line = json.dumps({"name": "one", "input": "Say hello.", "checks": [{"type": "exit_ok"}]})
    found = taken_in(here, f"{line}\n\n{line}\n")
    assert len(found.added) == 1
    assert [(one.line, one.scenario_id) for one in found.skipped] == [(3, None)]


@pytest.mark.parametrize("form", Form)
def test_what_is_exported_can_be_imported_and_is_the_same(here: Context, form: Form, home: Path) -> None:
    taken_in(here, FILE)
    written = files.export_scenarios(here, "default", ADA, form)
    before = stored(here)
    with here.store.write() as tx:
        tx.exec_driver_sql("UPDATE scenarios SET deleted_at = created_at")
    taken_in(here, written.text)
    assert stored(here)[2:] == before
    assert files.export_scenarios(here, "default", ADA, form) == written


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(texts, texts, st.sampled_from(Form))
@example("one\ttwo\nthree\n\n", "\u202e\U000e0001\x9b\x85", Form.YAML)
@example("one\ttwo\nthree", "\u202e\U000e0001\x9b\u2028", Form.JSONL)
def test_any_text_survives_being_written_and_hides_nothing(asked: str, value: str, form: Form) -> None:
    entry = {"name": "n", "input": asked, "checks": [{"type": "must_contain", "value": value}]}
    written = files._written([entry, entry], form)
    assert [one.value for one in documents.read(written)] == [entry, entry]
    assert written.replace("\n", "").replace("\t", "").isprintable()


def test_held_out_scenarios_stay_at_home(here: Context) -> None:
    taken_in(here, FILE)
    taken_in(here, "- {name: exam, input: Which lamp?, checks: [{type: exit_ok}], split: holdout}")
    shown = files.export_scenarios(here, "default", ADA)
    assert (shown.scenarios, shown.left_out) == (2, 1)
    assert "lamp" not in shown.text
    with pytest.raises(HoldoutLocked):
        files.export_scenarios(here, "default", ADA, holdout=True)


def test_the_split_is_what_the_file_or_the_person_says(here: Context) -> None:
    body = "checks: [{type: exit_ok}]"
    taken_in(here, f"- {{name: a, input: Where is the lighthouse?, {body}}}", Split.HOLDOUT)
    taken_in(here, f"- {{name: b, input: Where's the lighthouse?!, {body}}}", Split.AUTO)
    taken_in(here, "- {name: c, input: Where is a lighthouse?}", Split.AUTO)
    assert [row[3] for row in stored(here)] == [1, 1, 0]  # a draft is on no side yet


WRONG = [
    ("- name: a\n  input: b\n  chekcs: []", "Line 3: chekcs"),
    ("- name: a\n", "Line 1: input: Field required"),
    ("- name: a\n  input: 12\n", "Line 2: input"),
    ("- name: a\n  input: b\n  split: exam\n", "Line 3: split"),
    ("- {name: a, input: b}\n- just words", "Line 2: a scenario is a mapping"),
    ("- name: a\n  input: b\n  checks:\n  - type: exit_ok\n  - type: regex\n    value: '('", "Line 5: Check 2"),
    ('{"name": "a", "input": "b"}\n{"name": "c", "input": ""}', "Line 2: input"),
    ('{"name": "a", "input": "b"}\n{"name": "a", "input": "c"}', "Line 2: Profile 'default' has a scenario"),
    ('{"name": "a", "input": "b", "split": "holdout"}', "Line 1: A held-out scenario needs checks"),
    ('{"name": "a", "name": "b"}', "Line 1 .* twice"),
    ("{" + ",".join(f'"{n:x}":1' for n in range(80_000)) + ',"1387f":2}', "Line 1 .* twice"),
    ('{"name": NaN}', "Line 1 .* NaN"),
    ("- name: a\n  name: b", "Line 2: the key 'name' stands there twice"),
    ("- &a [*a, *a]", "Line 1: anchors"),
    ("- !!python/object/apply:os.system ['true']", "Line 1: tags"),
    ("- a\n---\n- b", "Line 2: a second document"),
    ("- [[", "Line 2 is not YAML"),
    ("- " + "[" * 50, "Line 1: nested too deeply"),
    ('{"a":' * 5_000, "Line 1 is nested too deeply"),
    ("- ? [a]\n  : b", "Line 1: a key must be a word"),
    ("- " + "9" * 5_000, "Line 1: .* no number"),
    ("- a\n" * 501, "Line 501: at most 500"),
    ("x" * 1_000_001, "1,000,001 characters"),
    ("- \x00", "is not YAML"),
    ("name: a", "must be a list"),
    ("", "no scenarios"),
    ("[]", "no scenarios"),
]


def test_a_wrong_or_hostile_file_is_refused_by_its_line_and_nothing_is_stored(here: Context) -> None:
    for document, says in WRONG:
        with pytest.raises(RatchetError, match=says):
            taken_in(here, document)
    assert stored(here) == []


def test_nobody_who_writes_has_to_wait_while_a_file_is_compared(here: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(*given: Any) -> None:
        monkeypatch.setattr(scenarios, "check_apart", placement.check_apart)
        scenarios.add_scenario(here, "default", "other", "Sing a song.", [], ADA)

    monkeypatch.setattr(scenarios, "check_apart", meanwhile)
    taken_in(here, FILE)
    assert [row[0] for row in stored(here)] == ["other", "greets", "2026-01-31"]


def test_what_others_add_while_a_file_is_compared_is_compared_as_well(
    here: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "checks: [{type: exit_ok}]"
    planned, rounds = files._planned, []

    def overtaken(*given: Any) -> Any:
        found = planned(*given)
        rounds.append(found)
        if len(rounds) == 1:
            taken_in(here, f"- {{name: exam, input: Where is the lighthouse?, {body}}}", Split.HOLDOUT)
        return found

    monkeypatch.setattr(files, "_planned", overtaken)
    with pytest.raises(SplitNotDisjoint, match="Line 1"):
        taken_in(here, f"- {{name: a, input: Where is the lighthouse?!, {body}}}")
    assert [row[0] for row in stored(here)] == ["exam"]


def test_a_profile_keeps_so_many_scenarios_and_no_more(here: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios, "MAX_SCENARIOS", 2)
    taken_in(here, FILE)
    with pytest.raises(Conflict, match="Line 1: Profile 'default' has 2 scenarios"):
        taken_in(here, "- {name: a, input: b}")
    with pytest.raises(Conflict, match="has 2 scenarios"):
        scenarios.add_scenario(here, "default", "a", "b", [], ADA)


def test_one_wrong_scenario_keeps_all_others_out(here: Context) -> None:
    taken_in(here, "- {name: taken, input: b}")
    with pytest.raises(Conflict, match="Line 13: Profile 'default' has a scenario named 'taken'"):
        taken_in(here, f"{FILE}- {{name: taken, input: other}}\n")
    assert len(stored(here)) == 1


def test_secrets_are_replaced_and_said_or_refused_where_a_placeholder_would_never_match(here: Context) -> None:
    found = taken_in(here, f"- name: a\n  input: Log in with {TOKEN}.\n")
    assert [(one.part, one.type) for one in found.replaced] == [("input of the scenario on line 1", "github-token")]
    with pytest.raises(BadInput, match=r"Line 3: Check 1 .*github-token") as refused:
        taken_in(here, f"- name: b\n  input: b\n  checks: [{{type: must_not_contain, value: {TOKEN}}}]")
    assert TOKEN not in str(refused.value)
    assert TOKEN not in files.export_scenarios(here, "default", ADA).text


def test_a_row_from_before_texts_were_cleaned_is_exported_clean(here: Context) -> None:
    taken_in(here, "- {name: a, input: b}")
    with here.store.write() as tx:
        tx.exec_driver_sql("UPDATE scenarios SET input = ?", (f"Log in with {TOKEN}.",))
    assert "<github-token>" in files.export_scenarios(here, "default", ADA).text


def test_the_published_schema_takes_what_is_imported_and_refuses_what_is_not(here: Context) -> None:
    schema = files.json_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for entry in documents.read(FILE):
        assert validator.is_valid(entry.value)
    for wrong in (
        {"name": "a"},
        {"name": "a", "input": "b", "chekcs": []},
        {"name": "a", "input": "b", "checks": [{}]},
    ):
        assert not validator.is_valid(wrong)


def test_restoring_what_was_deleted_keeps_the_splits_apart(here: Context) -> None:
    made = taken_in(here, "- {name: a, input: Where is the lighthouse?, checks: [{type: exit_ok}]}").added[0]
    scenarios.delete_scenario(here, made.id, ADA)
    assert replace(scenarios.restore_scenario(here, made.id, ADA), updated_at=made.updated_at) == made
    assert scenarios.restore_scenario(here, made.id, ADA).deleted_at is None
    scenarios.delete_scenario(here, made.id, ADA)
    twin = "- {name: b, input: Where is the lighthouse now?, checks: [{type: exit_ok}]}"
    taken_in(here, twin, Split.HOLDOUT)
    with pytest.raises(SplitNotDisjoint):
        scenarios.restore_scenario(here, made.id, ADA)
