"""Scenarios at a terminal: what docs/scenarios.md shows happens, and what goes wrong is said in a sentence."""

from __future__ import annotations

import json
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

from karpathy_self_improve.evaluation.scenario.files import json_schema

DOCS = Path(__file__).resolve().parents[2] / "docs"
TOKEN = "gh" + "p_" + "aB3dE6gH9kL2" * 3
ENTRY = '{"name": "lamp", "input": "Which lamp?", "checks": [{"type": "exit_ok"}]}'


@pytest.fixture
def folder(unsigned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and a session to remember."""
    sessions = SessionDB(db_path=unsigned / "state.db")
    sessions.create_session("20261120_101500_a1b2c3", "cli")
    sessions.append_message("20261120_101500_a1b2c3", "user", "When was the lighthouse built?")
    sessions.close()
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def examples() -> Iterator[tuple[list[str], list[str]]]:
    """Each command of the page, as its words, and the lines that the page shows for it."""
    page = (DOCS / "scenarios.md").read_text(encoding="utf-8")
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for part in block.split("$ hermes ratchet ")[1:]:
            command, *shown = part.strip().split("\n")
            yield shlex.split(command), shown


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_page_shows_what_happens(ratchet: Any, folder: Path) -> None:
    page = (DOCS / "scenarios.md").read_text(encoding="utf-8")
    file = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert file
    (folder / "scenarios.yaml").write_text(file[1], encoding="utf-8")
    ran = 0
    for words, shown in examples():
        done = ratchet(*words)
        said = flat(f"{done.out} {done.err}")
        assert shown, words
        assert [line for line in shown if flat(line) not in said] == [], said
        ran += 1
    assert ran > 10


def test_the_published_schema_is_the_one_of_the_page(ratchet: Any, unsigned: Path) -> None:
    assert ratchet("scenario", "schema", "--json").document == json_schema()
    assert json.loads((DOCS / "scenario.schema.json").read_text(encoding="utf-8")) == json_schema()


def test_an_exported_file_is_its_owners_and_never_written_over(ratchet: Any, folder: Path) -> None:
    assert ratchet("scenario", "import", "-", stdin=ENTRY).code == 0
    assert ratchet("scenario", "export", "--output", "all.yaml").code == 0
    assert stat.S_IMODE((folder / "all.yaml").stat().st_mode) == 0o600
    again = ratchet("scenario", "export", "--output", "all.yaml", "--form", "jsonl", "--json")
    assert (again.code, again.document["code"]) == (3, "file_there")
    printed = ratchet("scenario", "export", "--form", "jsonl").out
    assert printed == f"{ENTRY}\n"
    taken = ratchet("scenario", "import", "-", "--target", "coder", "--json", stdin=printed).document
    assert (taken["profile"], taken["added"]) == ("coder", [2])


def test_wrong_files_and_places_are_said_and_nothing_is_stored(ratchet: Any, folder: Path) -> None:
    (folder / "latin1.yaml").write_bytes(b"- name: a\n  input: caf\xe9\n")
    for words, says in (
        (("import", "nowhere.yaml"), "cannot be read"),
        (("import", "latin1.yaml"), "Line 2"),
        (("import", "."), "cannot be read"),
        (("import", "nul\0.yaml"), "cannot be read"),
        (("remember", "nobody"), "no session"),
        (("edit", "1"), "what to change"),
        (("edit", "1", "--name", "n"), "no scenario 1"),
        (("restore", "1"), "no scenario 1"),
        (("export", "--target", "nobody"), "nobody"),
    ):
        done = ratchet("scenario", *words, "--json")
        assert done.code == 2, words
        assert says in done.document["error"], words
    for place in ("no/such/folder.yaml", "", "."):
        assert ratchet("scenario", "export", "--output", place).code in (2, 3), place
    assert ratchet("scenario", "list", "--json").document["scenarios"] == []


def test_a_draft_says_so_until_it_can_be_run(ratchet: Any, folder: Path) -> None:
    added = ratchet("scenario", "add", "--name", "d", "--input", "Hi", "--json").document
    assert added["not_run"].startswith("it is a draft")
    assert "a draft, not run" in flat(ratchet("scenario", "list").out)
    rubric = '[{"type": "judge", "rubric": "kind"}]'
    assert "no judge" in ratchet("scenario", "edit", "1", "--checks", rubric, "--json").document["not_run"]
    edited = ratchet("scenario", "edit", "1", "--checks", '[{"type": "exit_ok"}]', "--critical", "yes", "--json")
    assert edited.document == {"scenario_id": 1, "split": "train", "not_run": None, "replaced": []}
    shown = ratchet("scenario", "show", "1", "--json").document["scenario"]
    assert (shown["critical"], shown["not_run"]) == (1, None)


def test_what_was_replaced_in_a_reason_is_said_without_it(ratchet: Any, folder: Path) -> None:
    assert ratchet("new", "--replace", "Be brief.", "Be calm.").code == 0
    done = ratchet("reject", "1", "--reason", f"it says {TOKEN}")
    assert done.code == 0
    assert "github-token in --reason, line 1" in done.err
    assert TOKEN not in f"{done.out}{done.err}{ratchet('history', '1').out}"
    assert "<github-token>" in ratchet("history", "1").out
