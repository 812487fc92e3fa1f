"""The throw-away Hermes home of the demonstration: two profiles with real files, and nothing of the user's own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .scripted_judge import MODEL as JUDGE_MODEL
from .scripted_model import CONTEXT_LENGTH, MODEL
from .scripted_proposer import MODEL as PROPOSER_MODEL

PLUGIN = "karpathy-self-improve"
PACKAGE_ROOT = Path(__file__).resolve().parents[1]

COACH_SOUL = """# Coach

You are a patient coach for small daily habits. You answer in plain words.

- Look at what the person already does before you suggest anything new.
- Always end answers with the line: NEXT: <one concrete step>.
"""

CLERK_SOUL = """# Clerk

You are the clerk of a small workshop. You write letters and keep the papers in order.

- Keep to the facts the person gave you.
- Always end answers with the line: NEXT: <one concrete step>.
"""


@dataclass(frozen=True)
class DemoProfile:
    """One profile of the demonstration: its file, and the questions its people ask."""

    name: str
    soul: str
    questions: tuple[str, ...]


PROFILES = (
    DemoProfile(
        "default",
        COACH_SOUL,
        (
            "How do I start running again?",
            "I never read any more. What could I do?",
            "My evenings are gone before I notice. Any idea?",
            "How can I drink more water at work?",
        ),
    ),
    DemoProfile(
        "clerk",
        CLERK_SOUL,
        (
            "Please write a reminder for one of our open invoices.",
            "What do we say to a customer who asks for a discount?",
            "Two invoices have the same number. What now?",
            "Sort these invoices: March, January, February.",
        ),
    ),
)

BASELINE_SESSIONS, LIVE_SESSIONS_AT_MOST = 12, 12
"""A window small enough to watch; a real one is larger."""


def _settings() -> dict[str, object]:
    return {
        "approval": "unsigned",
        "success_checks": [
            {"type": "must_contain", "value": "NEXT:"},
            {"type": "must_not_contain", "value": "I cannot help"},
        ],
        "evaluation": {"repeats": 2},
        "window": {
            "n0": BASELINE_SESSIONS,
            "n_min": 4,
            "n": 8,
            "n_max": LIVE_SESSIONS_AT_MOST,
            "margin": 0.4,
            "confidence": 0.9,
        },
        "daemon": {"tick_s": 0.5},
    }


def _config(base_url: str) -> dict[str, object]:
    return {
        "model": {
            "default": MODEL,
            "provider": "custom",
            "base_url": base_url,
            "api_key": "scripted",
            "context_length": CONTEXT_LENGTH,
        },
        "auxiliary": {
            task: {"provider": "custom", "model": name, "base_url": base_url, "api_key": "scripted"}
            for task, name in {"ratchet_judge": JUDGE_MODEL, "ratchet_proposer": PROPOSER_MODEL}.items()
        },
        "plugins": {"enabled": [PLUGIN], "entries": {PLUGIN: _settings()}},
    }


@dataclass(frozen=True)
class DemoHome:
    """Where the demonstration lives, and how to start the host in it."""

    root: Path

    def home(self, profile: str) -> Path:
        return self.root if profile == "default" else self.root / "profiles" / profile

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables for the host's processes: this home, and no trace of the user's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HERMES_", "RATCHET_"))}
        return {**kept, "HERMES_HOME": str(self.root), "HOME": str(self.root.parent / "user"), "PYTHONSAFEPATH": "1"}

    def command(self, *words: str) -> list[str]:
        """``hermes ...`` with the interpreter that runs this demonstration."""
        return [sys.executable, "-m", "hermes_cli.main", *words]


@contextmanager
def throw_away_home(base_url: str, *, keep: bool = False) -> Iterator[DemoHome]:
    """Build the home, make this process use it, and remove it in the end unless ``keep``."""
    import yaml

    folder = Path(tempfile.mkdtemp(prefix="ratchet-demo-")).resolve()
    home = DemoHome(folder / "hermes")
    (folder / "user").mkdir()
    config = yaml.safe_dump(_config(base_url), sort_keys=False)
    for profile in PROFILES:
        place = home.home(profile.name)
        (place / "plugins").mkdir(parents=True)
        (place / "plugins" / PLUGIN).symlink_to(PACKAGE_ROOT, target_is_directory=True)  # the dashboard needs it
        (place / "SOUL.md").write_text(profile.soul, encoding="utf-8")
        (place / "config.yaml").write_text(config, encoding="utf-8")
    os.environ.update(home.environment)
    try:
        yield home
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
