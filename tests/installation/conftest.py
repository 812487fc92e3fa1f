"""A fresh machine for the set-up: a Hermes root with two profiles, and a configuration folder of our own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def machine(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hermes root; nothing of ours was set up on it, in neither of its two profiles."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    coder = home / "profiles" / "coder"
    coder.mkdir(parents=True)
    for place in (home, coder):
        (place / "config.yaml").write_text("# mine\nplugins:\n  enabled: []\n", encoding="utf-8")
        (place / "SOUL.md").write_text("# Soul\n\nYou help. Be brief.\n", encoding="utf-8")
    return home
