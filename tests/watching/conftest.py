"""A real profile with files worth guarding, a real database, and real git where a test asks for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from karpathy_self_improve.ratchet import apply, approval, context, events, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.schema.base import metadata
from karpathy_self_improve.schema.watching import guarded_files, guarded_profiles
from karpathy_self_improve.watching import guarded, waiting
from karpathy_self_improve.watching.changes import Change

SOMEBODY = Actor("somebody", "os:somebody")
SKILL = "skills/cooking/soup/SKILL.md"
FILES = {
    "SOUL.md": "# Soul\n\nBe brief. Be kind.\n",
    SKILL: "---\nname: soup\ndescription: How to make soup.\n---\n# Soup\n\nBoil water.\n",
    "memories/MEMORY.md": "The office is in Oslo.",
    "notes.md": "nobody guards this\n",
}
CONFIG = "plugins:\n  enabled: [karpathy-self-improve]\n  entries:\n    karpathy-self-improve: {approval: unsigned%s}\n"


@dataclass
class Watch:
    """One profile under watch."""

    home: Path

    def __post_init__(self) -> None:
        self.context = context.open_context()
        with self.context.store.write() as tx:
            metadata.create_all(tx, tables=[guarded_files, guarded_profiles])

    def look(self) -> list[Change]:
        """One tick: the changes it reports."""
        return list(guarded.watch(self.context, "default").changes)

    def waiting(self) -> list[Change]:
        return waiting.unacknowledged(self.context, "default")

    def acknowledge(self, relpath: str, event_id: int | None = None) -> Change:
        return waiting.acknowledge(self.context, "default", relpath, SOMEBODY, event_id=event_id)

    def write(self, relpath: str, text: str | bytes) -> Path:
        path = self.home / relpath
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def settings(self, text: str) -> None:
        (self.home / "config.yaml").write_text(CONFIG % f", {text}")
        self.context.store.close()
        self.context = context.open_context()

    def later(self) -> None:
        """As if a minute had passed: a change that followed hard upon another one is told of then."""
        with self.context.store.write() as tx:
            tx.exec_driver_sql("UPDATE guarded_files SET seen_at = '2020-01-01T00:00:00.000000+00:00'")

    def events(self, kind: str) -> list[events.Event]:
        with self.context.store.read() as tx:
            return [event for event in events.since(tx, 0, 100_000) if event.kind == kind]

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", str(self.home), *words], capture_output=True, text=True, check=True)
        return done.stdout

    def approved(self, old: str, new: str, relpath: str = "SOUL.md") -> int:
        base = (self.home / relpath).read_bytes()
        candidate = base.replace(old.encode(), new.encode())
        number = experiments.propose(self.context, "default", relpath, candidate, "better", SOMEBODY).id
        approval.approve(self.context, number, SOMEBODY, override_reason="a test")
        return number

    def proposed_new(self, relpath: str, content: bytes) -> int:
        """An approved experiment that makes a file."""
        (self.home / relpath).parent.mkdir(parents=True, exist_ok=True)
        number = experiments.propose(self.context, "default", relpath, content, "new", SOMEBODY).id
        approval.approve(self.context, number, SOMEBODY, override_reason="a test")
        return number

    def apply(self, number: int) -> None:
        apply.apply(self.context, number, SOMEBODY, unwatched=True)


@pytest.fixture
def unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """A profile that was never looked at."""
    home = tmp_path / "home"
    for relpath, text in FILES.items():
        (home / relpath).parent.mkdir(parents=True, exist_ok=True)
        (home / relpath).write_text(text, encoding="utf-8")
    (home / "config.yaml").write_text(CONFIG % "")
    monkeypatch.setenv("HERMES_HOME", str(home))
    watch = Watch(home)
    yield watch
    watch.context.store.close()


@pytest.fixture
def watch(unseen: Watch) -> Watch:
    """A profile that was looked at once, so that its files are known."""
    assert unseen.look() == []
    return unseen


@pytest.fixture
def own_repository(unseen: Watch) -> Watch:
    """The profile is a repository of its user, everything in one commit, and was looked at once."""
    unseen.git("init", "-q")
    unseen.git("add", "SOUL.md", "skills")
    unseen.git("commit", "-q", "-m", "first")
    assert unseen.look() == []
    return unseen
