"""`hermes ratchet live` says what a window will catch before anybody approves; `decide` ends one that cannot tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.ratchet.window import live_window


@pytest.fixture
def baseline(unsigned: Path) -> Path:
    """Twelve good sessions on the version before."""
    window = {"n0": 12, "n_min": 4, "n": 8, "n_max": 12, "measures": ["success"]}
    ours = {"approval": "unsigned", "success_checks": [{"type": "must_contain", "value": "NEXT"}], "window": window}
    document = {"plugins": {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": ours}}}
    (unsigned / "config.yaml").write_text(json.dumps(document), encoding="utf-8")
    store = SessionDB(db_path=unsigned / "state.db")
    prompt = (unsigned / "SOUL.md").read_text(encoding="utf-8").strip()
    for n in range(12):
        store.create_session(f"s{n}", "cli", model="m", system_prompt=f"{prompt}\n\nYou run on a computer.")
        store.append_message(f"s{n}", "user", "hello")
        store.append_message(f"s{n}", "assistant", "NEXT", finish_reason="stop")
        store.end_session(f"s{n}", "cli_close")
    store.close()
    return unsigned


@pytest.fixture
def undecided(ratchet: Any, baseline: Path, watched: None) -> None:
    """Experiment 1 is live, and its window ended with no verdict."""
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    assert ratchet("approve", "1", "--override", "a test").code == 0
    assert ratchet("apply", "1").code == 0
    context: Context = open_context()
    with context.store.write() as tx:
        tx.exec_driver_sql("UPDATE experiments SET applied_at = '2026-01-01T00:00:00.000000+00:00'")
    live_window.settle_verdict(context, live_window.observe(context, 1))
    context.store.close()


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_proposal_says_what_its_window_would_catch_and_miss(ratchet: Any, baseline: Path) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    done = ratchet("live", "1")
    assert done.code == 0, done.err
    assert "What it will catch and miss" in done.out
    assert "is more often missed than caught" in flat(done.out)
    assert ratchet("live", "1", "--json").document["state"] == "proposed"


def test_applying_says_what_must_restart(ratchet: Any, baseline: Path, watched: None) -> None:
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    ratchet("approve", "1", "--override", "a test")
    assert "Nothing has to restart: every new session of 'default' reads SOUL.md" in flat(ratchet("apply", "1").out)


def test_an_undecided_window_exits_4_and_says_how_to_decide(ratchet: Any, undecided: None) -> None:
    done = ratchet("live", "1")
    assert done.code == 4
    assert "Inconclusive: undecided after 14 days." in done.out
    assert 'hermes ratchet decide 1 keep --reason "..."' in flat(done.out)
    assert "hermes ratchet decide 1" in ratchet("show", "1").out
    assert "a person decides: hermes ratchet live 1" in flat(ratchet("status").out)


def test_deciding_keeps_it_as_accepted_by_a_person(ratchet: Any, undecided: None) -> None:
    assert ratchet("decide", "1", "keep").code == 2  # without a reason
    done = ratchet("decide", "1", "keep", "--reason", "it reads better")
    assert done.code == 0, done.err
    assert "Experiment 1 stays: accepted by a person." in done.out
    assert "inconclusive, accepted by a person" in ratchet("show", "1").out
    assert ratchet("decide", "1", "revert", "--reason", "no, wait").code == 3


def test_deciding_can_take_it_back(ratchet: Any, undecided: None, baseline: Path) -> None:
    done = ratchet("decide", "1", "revert", "--reason", "too curt", "--json").document
    assert (done["state"], bool(done["revert_commit_sha"])) == ("reverted", True)
    assert "Be brief." in (baseline / "SOUL.md").read_text(encoding="utf-8")
