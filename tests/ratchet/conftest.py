"""Stages for the ratchet: a profile with real files, real git and a real database, in both kinds of repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import apply, approval, context, events, experiments, journal
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.audit import trail

SOMEBODY = Actor("somebody", "os:somebody")
OLD = b"# Soul\r\n\r\nBe brief. Be kind.\r\nA byte that is no UTF-8: \xff"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
CONFIG = "plugins:\n  enabled: [karpathy-self-improve]\n  entries:\n    karpathy-self-improve: "


@dataclass
class Stage:
    """One throw-away Hermes root that is its own profile, with helpers that ask git and the database directly."""

    home: Path
    own: bool

    def __post_init__(self) -> None:
        self.context = context.open_context()

    @property
    def git_dir(self) -> Path:
        return self.home / ".git" if self.own else self.home / "ratchet" / "git" / "default.git"

    def file(self, relpath: str = "SOUL.md") -> Path:
        return self.home / relpath

    def git(self, *words: str, check: bool = True) -> str:
        """The user's own git, in the repository that keeps this profile's history."""
        return self.git_bytes(*words, check=check).decode()

    def git_bytes(self, *words: str, check: bool = True) -> bytes:
        place = ["-C", str(self.home)] if self.own else [f"--git-dir={self.git_dir}"]
        done = subprocess.run(["git", *place, *words], capture_output=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"git {words}: {done.stderr.decode()}")
        return done.stdout

    def commit(self, *relpaths: str) -> None:
        """The user commits files of theirs."""
        self.git("add", *relpaths)
        self.git("commit", "-q", "-m", "mine")

    def settings(self, text: str) -> None:
        """The operator sets our settings, as one line of YAML flow."""
        (self.home / "config.yaml").write_text(f"{CONFIG}{{approval: unsigned{', ' if text else ''}{text}}}\n")
        self.context.store.close()
        self.context = context.open_context()

    def proposed(self, candidate: bytes = NEW, relpath: str = "SOUL.md") -> int:
        return experiments.propose(self.context, "default", relpath, candidate, "kinder", SOMEBODY).id

    def approved(self, candidate: bytes = NEW, relpath: str = "SOUL.md") -> int:
        number = self.proposed(candidate, relpath)
        approval.approve(self.context, number, SOMEBODY, override_reason="a test")
        return number

    def live(self, candidate: bytes = NEW, relpath: str = "SOUL.md") -> int:
        number = self.approved(candidate, relpath)
        self.apply(number)
        return number

    def apply(self, number: int) -> str:
        return apply.apply(self.context, number, SOMEBODY, unwatched=True).state

    def revert(self, number: int) -> str:
        return apply.revert(self.context, number, SOMEBODY, "taken back").state

    def run(self, kind: str, number: int) -> str:
        return self.apply(number) if kind == "apply" else self.revert(number)

    def recover(self) -> list[str]:
        return apply.recover(self.context)

    def experiment(self, number: int) -> experiments.Experiment:
        return experiments.get(self.context, number)

    def open_operations(self) -> list[journal.Operation]:
        with self.context.store.read() as tx:
            return journal.open_operations(tx)

    def events(self, kind: str) -> list[events.Event]:
        with self.context.store.read() as tx:
            return [event for event in events.since(tx, 0, 10_000) if event.kind == kind]

    def blob(self, sha256: str) -> bytes:
        with self.context.store.read() as tx:
            return bytes(tx.exec_driver_sql("SELECT content FROM blobs WHERE sha256 = ?", (sha256,)).scalar_one())

    def our_commits(self) -> list[str]:
        """Subjects of our commits on the branch, newest first, without the record of a file as it was found."""
        log = self.git("log", "--format=%an%x09%s", check=False).splitlines()
        subjects = [line.split("\t")[1] for line in log if line.startswith("Hermes Ratchet\t")]
        return [subject for subject in subjects if not subject.startswith("Record ")]

    def committed(self, relpath: str = "SOUL.md") -> bytes | None:
        """The file as the branch has it."""
        place = ["-C", str(self.home)] if self.own else [f"--git-dir={self.git_dir}"]
        done = subprocess.run(["git", *place, "cat-file", "blob", f"HEAD:{relpath}"], capture_output=True, check=False)
        return None if done.returncode else done.stdout

    def staged(self, relpath: str = "SOUL.md") -> bytes | None:
        """The file as the user's index has it."""
        listed = self.git("ls-files", "-s", "--", relpath)
        return self.git_bytes("cat-file", "blob", listed.split()[1]) if listed else None

    def content(self, relpath: str = "SOUL.md") -> bytes | None:
        path = self.file(relpath)
        return path.read_bytes() if path.exists() else None

    def leftovers(self) -> list[str]:
        """What no operation may leave behind."""
        found = [*self.home.rglob(".ratchet-*"), *self.git_dir.glob("ratchet-*"), *self.git_dir.rglob("*.lock")]
        return [str(path) for path in found]

    def check_consistent(self, number: int, old: bytes | None, new: bytes | None, relpath: str = "SOUL.md") -> str:
        """File, branch, index, journal and state all tell the same story, and it is one with an end. Returns it."""
        state = self.experiment(number).state
        expected = new if state == "live" else old
        commits = {"approved": 0, "live": 1, "reverted": 2}[state]
        assert self.content(relpath) == expected
        assert len(self.our_commits()) == commits, self.our_commits()
        if commits or not self.own:
            assert self.committed(relpath) == expected
        if self.own:
            assert self.git("status", "--porcelain", "--untracked-files=no") == ""
        assert self.open_operations() == []
        assert self.leftovers() == []
        assert trail.verify(self.context).ok
        return state


def _new_home(home: Path, own: bool) -> None:
    home.mkdir()
    (home / "config.yaml").write_text(f"{CONFIG}{{approval: unsigned}}\n")
    (home / "SOUL.md").write_bytes(OLD)
    if own:
        for words in (["init", "-q"], ["add", "SOUL.md"], ["commit", "-q", "-m", "first"]):
            subprocess.run(["git", "-C", str(home), *words], check=True)
        (home / ".git" / "info" / "exclude").write_text("/ratchet/\n/config.yaml\n")


def _stage(home: Path, own: bool, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("HERMES_HOME", str(home))
    return Stage(home, own)


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A profile without a repository: its history is kept in one of ours."""
    _new_home(tmp_path / "plain", own=False)
    stage = _stage(tmp_path / "plain", False, monkeypatch)
    yield stage
    stage.context.store.close()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A profile that is a repository of its user, with SOUL.md committed."""
    _new_home(tmp_path / "own", own=True)
    stage = _stage(tmp_path / "own", True, monkeypatch)
    yield stage
    stage.context.store.close()


@pytest.fixture(params=["plain", "own"])
def either(request: pytest.FixtureRequest) -> Stage:
    """Both kinds, one after the other."""
    stage: Stage = request.getfixturevalue(request.param)
    return stage


MakeStage = Callable[..., Stage]


@pytest.fixture(scope="session")
def _templates(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[object, ...], tuple[Path, int]]:
    return {}


@pytest.fixture
def prepared(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    _templates: dict[tuple[object, ...], tuple[Path, int]],
) -> Iterator[Callable[..., tuple[Stage, int]]]:
    """``prepared(own, kind, relpath, old, new)``: a stage whose experiment waits for its apply, or its revert.

    Made once and copied from then on.
    """
    opened: list[Stage] = []

    def make(own: bool, kind: str, relpath: str = "SOUL.md", old: bytes | None = OLD, new: bytes = NEW) -> Any:
        key = (own, kind, relpath, old, new)
        if key not in _templates:
            template = tmp_path_factory.mktemp("template") / "home"
            _new_home(template, own)
            if old is not None:
                (template / relpath).write_bytes(old)
            stage = _stage(template, own, monkeypatch)
            number = stage.approved(new, relpath) if kind == "apply" else stage.live(new, relpath)
            stage.context.store.close()
            _templates[key] = template, number
        template, number = _templates[key]
        home = tmp_path / f"copy{len(opened)}"
        shutil.copytree(template, home)
        opened.append(_stage(home, own, monkeypatch))
        return opened[-1], number

    yield make
    for stage in opened:
        stage.context.store.close()


Crash = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def _crash_server() -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("crash_server.py")
    with subprocess.Popen(
        [sys.executable, "-P", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield server
        assert server.stdin is not None
        server.stdin.close()


@pytest.fixture
def processes(_crash_server: subprocess.Popen[str]) -> Crash:
    """``processes(job, ...)``: real processes that start at the same moment; how each ended, in order.

    A job is ``{"do": "apply" | "revert" | "reject" | "recover", "id": ...}``, with ``kill_at`` naming a fault point.
    """

    def run(*jobs: dict[str, Any]) -> list[dict[str, Any]]:
        assert _crash_server.stdin is not None
        assert _crash_server.stdout is not None
        for job in jobs:
            env = {"HERMES_HOME": os.environ["HERMES_HOME"], "PATH": os.environ["PATH"]}
            job["env"] = {**env, "RATCHET_KILL_AT": job.get("kill_at", "")}
        print(json.dumps(jobs), file=_crash_server.stdin, flush=True)
        answers: list[dict[str, Any]] = json.loads(_crash_server.stdout.readline())
        return answers

    return run
