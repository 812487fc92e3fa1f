"""A log that the real host wrote, while its model failed, is counted for what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

from karpathy_self_improve.demo.scripted_model import Failure, ScriptedModel
from karpathy_self_improve.observation.snapshots import collect
from karpathy_self_improve.ratchet.context import open_context

RECORD = re.compile(r"^[-\d]{10} [:\d]{8},\d{3} (WARNING|ERROR)(?: \[[^\]]+\])? [\w.]+: (.*)$", re.MULTILINE)


def ask(home: Path, question: str) -> str:
    """One turn of a chat. Returns the id of its session, as the host says it."""
    run = subprocess.run(
        [sys.executable, "-P", "-m", "hermes_cli.main", "chat", "-Q", "-q", question],
        env={**os.environ, "HERMES_HOME": str(home)},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return run.stderr.split("session_id:")[1].split()[0]


def test_warnings_errors_and_retries_are_those_of_the_host(home: Path) -> None:
    with ScriptedModel(failure=Failure.ERROR) as model:
        config = {"model": model.model_settings(), "agent": {"api_max_retries": 2}}
        (home / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        session = ask(home, "nobody answers this")
    context = open_context()
    found, again = collect(context, "default"), collect(context, "default")
    context.store.close()
    log = json.loads(found.payload)["log"]
    assert log["sessions"] == {session: {"warnings": 3, "errors": 1}}
    assert found.retries == 1
    assert (again.warn_count, again.error_count, again.retries) == (0, 0, 0)
    # What the host repeats in errors.log is the same set, noise included.
    records = RECORD.findall((home / "logs" / "errors.log").read_text(encoding="utf-8"))
    levels = Counter(level for level, message in records if not message.startswith("check_fn "))
    assert (found.warn_count, found.error_count) == (levels["WARNING"], levels["ERROR"])
    assert len(records) > levels.total()
