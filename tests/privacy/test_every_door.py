"""A secret that comes in through any door of the services stands in no file of ours afterwards, and in no log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hermes_state import SessionDB

from karpathy_self_improve.errors import BadInput, ChangeRefused
from karpathy_self_improve.evaluation import exports, jobs
from karpathy_self_improve.evaluation.scenario import files as scenario_files
from karpathy_self_improve.evaluation.scenario import from_session, scenarios
from karpathy_self_improve.ratchet import apply, approval, controls, experiments, feedback, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.ratchet.states import State

ADA = Actor("ada", "os:ada")
TOKEN = "gh" + "p_" + "aB3dE6gH9kL2" * 3
SAID = f"it printed {TOKEN} twice"
UNSIGNED = "plugins:\n  entries:\n    karpathy-self-improve: {approval: unsigned}\n"
SOUL = "# Soul\n\nYou help. Be brief.\n\n- Say hello.\n"
EXIT_OK = [{"type": "exit_ok"}]


@pytest.fixture
def here(home: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Context]:
    """A home with one session, whose request holds the token, and one proposal."""
    caplog.set_level(logging.DEBUG)
    (home / "config.yaml").write_text(UNSIGNED)
    (home / "SOUL.md").write_text(SOUL)
    sessions = SessionDB(db_path=home / "state.db")
    sessions.create_session("s1", "cli")
    sessions.append_message("s1", "user", SAID)
    sessions.close()
    opened = open_context()
    experiments.propose(opened, "default", "SOUL.md", soul("Be kind.").encode(), "why", ADA)
    yield opened
    opened.store.close()


def soul(words: str) -> str:
    return SOUL.replace("Be brief.", words)


def add_scenario(here: Context) -> None:
    rubric = {"type": "judge", "rubric": SAID}
    made = scenarios.add_scenario(here, "default", SAID, SAID, [rubric], ADA)
    scenarios.edit_scenario(here, made.id, ADA, name=f"{SAID}!", input_text=f"{SAID}!", checks=[rubric, *EXIT_OK])


def add_check(here: Context) -> None:
    for check in ("must_contain", "must_not_contain", "regex", "tool_used"):
        with pytest.raises(BadInput):
            scenarios.add_scenario(here, "default", "n", "i", [{"type": check, "value": TOKEN}], ADA)
    with pytest.raises(BadInput):
        scenarios.add_scenario(here, "default", "n", "i", [{"type": "json_schema", "value": {"const": TOKEN}}], ADA)


def import_file(here: Context) -> None:
    entry = {"name": SAID, "input": SAID, "checks": [{"type": "judge", "rubric": SAID}]}
    scenario_files.import_scenarios(here, "default", json.dumps(entry), ADA)
    scenario_files.import_scenarios(here, "default", f"- name: other\n  input: |\n    About\n    {SAID}\n", ADA)


def remember_session(here: Context) -> None:
    from_session.draft_from_session(here, "default", "s1", SAID, ADA)


def say_of_a_session(here: Context) -> None:
    feedback.give(here, "default", "s1", False, SAID, ADA)


def propose(here: Context) -> None:
    for candidate, why in ((soul(f"Say {TOKEN}."), "why"), (soul("Be calm."), SAID)):
        with pytest.raises(ChangeRefused):
            experiments.propose(here, "default", "SOUL.md", candidate.encode(), why, ADA)


def reject(here: Context) -> None:
    again = experiments.propose(here, "default", "SOUL.md", soul("Be calm.").encode(), "why", ADA)
    experiments.reject(here, again.id, ADA, SAID)


def approve_and_revert(here: Context) -> None:
    approval.approve(here, 1, ADA, override_reason=SAID)
    apply.apply(here, 1, ADA, unwatched=True)
    apply.revert(here, 1, ADA, SAID)


def pause(here: Context) -> None:
    controls.pause(here, "default", ADA, SAID)


def fail(here: Context) -> None:
    controls.note_failure(here, "default", RuntimeError(SAID))
    with here.store.write() as tx:
        jobs.retry_later(tx, jobs.load(tx, 1), SAID)
    with here.store.write() as tx:
        jobs.end_failed(tx, jobs.load(tx, 1), SAID)


DOORS: tuple[Callable[[Context], None], ...] = (
    add_scenario,
    add_check,
    import_file,
    remember_session,
    say_of_a_session,
    propose,
    reject,
    approve_and_revert,
    fail,
    pause,
)


def test_a_secret_through_any_door_is_kept_nowhere(here: Context, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    for door in DOORS:
        door(here)
        handed_out = [
            *map(str, exports.experiments(here)),
            *map(str, exports.transitions(here)),
            scenario_files.export_scenarios(here, "default", ADA).text,
        ]
        assert [text for text in handed_out if TOKEN in text] == [], door.__name__
        assert TOKEN not in caplog.text, door.__name__
        assert files_with_the_token(home) <= {"state.db", "state.db-wal"}, door.__name__


def test_rows_from_before_anybody_looked_are_handed_out_without_it(here: Context) -> None:
    with here.store.write() as tx:
        states.move(tx, 1, State.REJECTED, ADA, SAID)
    assert TOKEN not in str(list(exports.transitions(here)))


def files_with_the_token(home: Path) -> set[str]:
    """Also the write-ahead log, as the store is still open; the host's own store of sessions is not ours to change."""
    files = (file for file in home.rglob("*") if file.is_file())
    return {file.name for file in files if TOKEN.encode() in file.read_bytes()}
