"""The whole loop on the real host: one good change verified, one bad change taken back, byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
def test_good_change_is_verified_and_bad_change_is_taken_back(tmp_path: Path) -> None:
    """The demonstration ends with exit status 0 only if both files are byte for byte what their state says."""
    real_home = tmp_path / "real"
    (real_home / ".hermes").mkdir(parents=True)
    (real_home / ".hermes" / "SOUL.md").write_text("mine\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "karpathy_self_improve.demo", "--headless"],
        env={**os.environ, "HOME": str(real_home), "HERMES_HOME": "", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    good, bad = summary["experiments"]
    assert summary["audit_ok"] is True
    assert (good["state"], good["verdict"], good["revert_commit_sha"]) == ("verified", "verified", None)
    assert (bad["state"], bad["verdict"]) == ("reverted", "reverted")
    assert (good["gate"], bad["gate"]) == ("passed", "blocked by a critical scenario")
    assert len({good["apply_commit_sha"], bad["apply_commit_sha"], bad["revert_commit_sha"]}) == 3
    assert _files(real_home) == [".hermes/SOUL.md"], "the demonstration touched a real home"
    assert list(tmp_path.glob("ratchet-*")) == [], "the throw-away home is still there"


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
