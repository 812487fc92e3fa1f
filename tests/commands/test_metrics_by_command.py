"""`metrics` shows what was collected of a profile, and what its sessions usually bring along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

RECORD = "2026-11-20 10:24:2{},943 {} agent.tools: something\n"


@pytest.fixture
def history(unsigned: Path, ratchet: Any) -> None:
    """Three windows of the profile ``default``, each with one session more; the last one with errors."""
    (unsigned / "logs").mkdir()
    store = SessionDB(db_path=unsigned / "state.db")
    for number, levels in enumerate([(), ("WARNING",), ("ERROR", "ERROR", "WARNING")]):
        name = f"20261120_10150{number}_a1b2c3"
        store.create_session(name, "cli")
        store.end_session(name, "cli_close")
        with (unsigned / "logs" / "agent.log").open("a", encoding="utf-8") as log:
            log.writelines(RECORD.format(number, level) for level in levels)
        assert ratchet("metrics", "default", "--collect").code == 0
    store.close()


def test_windows_and_usual_rates(ratchet: Any, history: None) -> None:
    document = ratchet("metrics", "default", "--json").document
    assert [row["error_count"] for row in document["metrics"]] == [2, 0, 0]
    usual = document["baselines"]["default"]
    assert (usual["windows"], usual["sessions"], usual["errors"], usual["warnings"]) == (1, 1, 0.0, 1.0)
    assert len(ratchet("metrics", "default", "--limit", "2", "--json").document["metrics"]) == 2


def test_a_person_sees_them_beside_each_other(ratchet: Any, history: None) -> None:
    said = ratchet("metrics").out
    assert "default, per session" in said
    newest, before = (line.split() for line in said.splitlines() if "newest window" in line or "before it" in line)
    assert newest[:5] == ["newest", "window", "1", "2.00", "1.00"]
    assert before[:6] == ["1", "before", "it", "1", "0.00", "1.00"]
    assert "agent.tools: 2 errors, 1 warnings" in said


def test_nothing_yet_and_nonsense_are_said(ratchet: Any, unsigned: Path) -> None:
    assert "Nothing was collected yet" in ratchet("metrics").out
    assert ratchet("metrics", "coder", "--json").document == {"metrics": [], "baselines": {}}
    assert (ratchet("metrics", "stranger").code, ratchet("metrics", "--collect").code) == (2, 2)
    assert ratchet("metrics", "default", "--limit", "0").code == 2
