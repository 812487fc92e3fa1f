"""`--json` gives one document on stdout, whatever the command and however it ends."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.commands import documents, setting_up
from karpathy_self_improve.ratchet import lease
from karpathy_self_improve.ratchet.context import Context

KEYS = {
    "init": (("--approval", "unsigned"), {"steps", "approval", "reviewers"}),
    "doctor": ((), {"ok", "findings"}),
    "install-service": ((), {"path", "changed", "commands", "pinned"}),
    "uninstall": (("--leave-live",), {"removed", "kept"}),
    "demo": ((), {"ok"}),
    "new": (("--target", "coder", "--replace", "hello", "good day"), {"experiment_id", "state"}),
    "propose": ((), {"skipped", "reason", "outcome", "experiment_id", "job", "drafts"}),
    "status": ((), {"approval", "reviewers", "auto_apply", "daemon", "jobs", "profiles", "external_changes"}),
    "list": ((), {"experiments", "next_before"}),
    "show": (("1",), {"experiment", "report", "approval", "transitions"}),
    "diff": (("1",), {"experiment_id", "diff"}),
    "history": (("1",), {"experiment_id", "transitions"}),
    "live": (
        ("1",),
        {"experiment_id", "state", "verdict", "reason", "counted", "errors", "decision", "plan", "sessions"},
    ),
    "approve": (("2", "--override", "why not"), {"ok", "experiment_id", "state"}),
    "reject": (("2",), {"ok", "experiment_id", "state"}),
    "apply": (("1",), {"ok", "experiment_id", "state", "apply_commit_sha"}),
    "verify": (("1",), {"error", "code"}),
    "revert": (("1",), {"ok", "experiment_id", "state", "revert_commit_sha"}),
    "decide": (("1", "keep", "--reason", "it reads better"), {"error", "code"}),
    "reviewer list": ((), {"reviewers", "fingerprint", "pinned", "trouble"}),
    "reviewer add": (("ana",), {"error", "code"}),
    "reviewer remove": (("ana",), {"error", "code"}),
    "reviewer rotate": ((), {"error", "code"}),
    "reviewer reset": (("ana",), {"error", "code"}),
    "evaluate": (("2", "--queue"), {"job"}),
    "good": (("20260101_000000_abcdef",), {"error", "code"}),
    "bad": ((), {"error", "code"}),
    "metrics": (("default", "--collect"), {"metrics", "baselines"}),
    "results": (("1",), {"results"}),
    "label": (("1", "pass"), {"error", "code"}),
    "scenario list": ((), {"scenarios"}),
    "scenario add": (("--name", "n", "--input", "i"), {"scenario_id"}),
    "scenario edit": (("1", "--name", "n"), {"scenario_id", "split", "not_run", "replaced"}),
    "scenario remember": (("20260101_000000_abcdef",), {"error", "code"}),
    "scenario restore": (("1",), {"ok", "scenario_id"}),
    "scenario import": (("-",), {"error", "code"}),
    "scenario export": ((), {"profile", "scenarios", "left_out", "path", "text"}),
    "scenario schema": ((), {"properties", "$defs", "required"}),
    "scenario templates": ((), {"profile", "templates", "added"}),
    "scenario lint": ((), {"ok", "profile", "looked_at", "locked", "findings"}),
    "scenario show": (("1",), {"scenario"}),
    "scenario unlock": ((), {"error", "code"}),
    "scenario delete": (("1",), {"ok", "scenario_id"}),
    "scenario holdout": (
        (),
        {"profile", "version", "since", "scenarios", "confirmations", "planned", "reveals"},
    ),
    "scenario rotate": ((), {"error", "code"}),
    "pause": (("coder",), {"ok", "profile", "paused"}),
    "resume": (("coder",), {"ok", "profile", "paused"}),
    "changes": ((), {"changes"}),
    "acknowledge": (("default", "SOUL.md"), {"error", "code"}),
    "notify": ((), {"targets"}),
    "audit verify": ((), {"ok", "checked", "head", "breaks", "witnesses", "contents", "unread", "notes"}),
    "jobs": ((), {"jobs"}),
    "daemon": (("--once",), {"ok", "exit_code"}),
    "serve": (("--host", "192.0.2.1"), {"error", "code"}),
}


@pytest.fixture
def arranged(ratchet: Any, unsigned: Path, watched: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An approved experiment 1, a proposed experiment 2, a scenario, and a configuration folder of our own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    ratchet("new", "--replace", "Be brief.", "Be very brief.")
    ratchet("approve", "1", "--override", "a typo")
    ratchet("new", "--target", "coder", "--replace", "Be brief.", "Be very brief.")
    ratchet("scenario", "add", "--name", "first", "--input", "Hello?", "--checks", '[{"type": "exit_ok"}]')


def test_every_command_is_here(command_names: set[str]) -> None:
    assert KEYS.keys() == command_names == documents.DOCUMENTS.keys()


@pytest.mark.parametrize("name", KEYS)
def test_one_document_with_stable_keys(
    ratchet: Any, arranged: None, context: Context, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words, keys = KEYS[name]
    if name == "demo":  # without git it ends before anything is started
        monkeypatch.setenv("PATH", str(tmp_path))
    if name.startswith("reviewer ") and name != "reviewer list":  # they would ask on the terminal of whoever tests
        monkeypatch.setenv("HERMES_SESSION_ID", "20261120_102425_8e2e58")
    if name == "uninstall":
        lease.release(context, "a test's daemon")
    if name in ("verify", "revert"):
        ratchet("apply", "1")
    done = ratchet(*name.split(), *words, "--json")
    assert done.document.keys() >= keys, done.document
    if "error" not in done.document and name != "scenario schema":  # that document is a JSON Schema
        assert done.document.keys() <= documents.DOCUMENTS[name].keys(), done.document


def test_the_demonstrations_last_line_is_its_document() -> None:
    assert setting_up._last_line('words\n{"audit_ok": true}\n') == {"audit_ok": True}
    assert setting_up._last_line("words\n") is None
    assert setting_up._last_line("") is None


def test_a_broken_file_of_settings_is_an_error_document(ratchet: Any, home: Path) -> None:
    (home / "config.yaml").write_text(
        "plugins: {entries: {karpathy-self-improve: {approval: maybe}}}\n", encoding="utf-8"
    )
    done = ratchet("status", "--json")
    assert (done.code, done.document["code"]) == (2, "settings_invalid")
    assert "approval" in done.document["error"]


def test_a_damaged_database_is_an_error_document(ratchet: Any, home: Path) -> None:
    (home / "ratchet").mkdir(mode=0o700)
    (home / "ratchet" / "ratchet.db").write_bytes(b"this is no database at all, " * 40)
    done = ratchet("list", "--json")
    assert (done.code, done.document["code"]) == (1, "store_corrupt")


def test_a_machine_without_git_is_an_error_document(
    ratchet: Any, unsigned: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert shutil.which("git")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = ratchet("new", "--replace", "Be brief.", "Be very brief.", "--json")
    assert (done.code, done.document["code"]) == (1, "git_unavailable")
    assert os.environ["PATH"] == str(tmp_path)
