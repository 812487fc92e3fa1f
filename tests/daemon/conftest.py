"""Two real profiles, the host's own store of sessions in each, and real daemon processes to start and to kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hermes_state import SessionDB

from karpathy_self_improve import daemon
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.ratchet import apply, approval, context, controls, experiments
from karpathy_self_improve.ratchet.actor import Actor

ROOT = Path(__file__).resolve().parents[2]
SOMEBODY = Actor("somebody", "os:somebody")
OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"
NEW = OLD + "Never apologise.\n"
WINDOW = {"n0": 12, "n_min": 4, "n": 8, "n_max": 12, "margin": 0.25, "confidence": 0.9, "measures": ["success"]}
PROGRAM = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location(
    "karpathy_self_improve", {str(ROOT / "__init__.py")!r}, submodule_search_locations=[{str(ROOT)!r}])
sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[spec.name])
from karpathy_self_improve import _db, daemon
"""


def wait_for(condition: Callable[[], object], what: str = "") -> None:
    for _ in range(1_500):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited in vain: {what}")


class DaemonProcess:
    """A daemon in a process of its own; what it says goes into a file."""

    def __init__(self, log: Path, before: str, once: bool, variables: dict[str, str]) -> None:
        self.log = log
        program = f"{PROGRAM}\n{before}\nraise SystemExit(daemon.main(once={once}))"
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", program], env={**os.environ, **variables}, stderr=stderr
            )

    @property
    def text(self) -> str:
        return self.log.read_text()

    def says(self, text: str) -> None:
        wait_for(lambda: text in self.text or self.process.poll() is not None, text)
        assert text in self.text, self.text

    def end(self, number: int = signal.SIGTERM, within_s: float = 30.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(within_s)


class Stage:
    """The machine of these tests. The daemon's pauses are short."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.model: dict[str, object] = {}
        self.processes: list[DaemonProcess] = []
        self.opened: list[context.Context] = []
        self.sessions: dict[str, SessionDB] = {}
        self.said: list[str] = []
        self.talks = 0
        for profile in ("default", "clerk"):
            self.root(profile).mkdir(parents=True, exist_ok=True)
            (self.root(profile) / "SOUL.md").write_text(OLD)
        self.settings()
        for profile in ("default", "clerk"):  # without scenarios, evaluations end at once
            scenarios.delete_scenario(self.context, self.scenario(profile=profile), SOMEBODY)

    def root(self, profile: str) -> Path:
        return self.home if profile == "default" else self.home / "profiles" / profile

    def soul(self, profile: str = "default") -> str:
        return (self.root(profile) / "SOUL.md").read_text()

    @property
    def context(self) -> context.Context:
        return self.opened[-1]

    def configure(self, text: str) -> None:
        for profile in ("default", "clerk"):
            (self.root(profile) / "config.yaml").write_text(text)

    def settings(self, daemon: dict[str, object] | None = None, **ours: object) -> None:
        quick = {"tick_s": 0.1, "backoff_s": 100.0, **(daemon or {})}
        signal_ = [{"type": "must_contain", "value": "NEXT"}]
        document = {"approval": "unsigned", "success_checks": signal_, "window": WINDOW, "daemon": quick, **ours}
        plugins = {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": document}}
        self.configure(json.dumps({"model": self.model, "agent": {"api_max_retries": 1}, "plugins": plugins}))
        self.opened.append(context.open_context())

    def scenario(self, name: str = "a scenario", profile: str = "default") -> int:
        checks = [{"type": "must_not_contain", "value": "apologise"}]
        return scenarios.add_scenario(self.context, profile, name, "hello", checks, SOMEBODY).id

    def proposed(self, profile: str = "default", new: str = NEW) -> int:
        return experiments.propose(self.context, profile, "SOUL.md", new.encode(), "why", SOMEBODY).id

    def approved(self, profile: str = "default", new: str = NEW) -> int:
        number = self.proposed(profile, new)
        approval.approve(self.context, number, SOMEBODY, override_reason="a test")
        return number

    def live(self, profile: str = "default", new: str = NEW) -> int:
        number = self.approved(profile, new)
        apply.apply(self.context, number, SOMEBODY, unwatched=True)
        return number

    def failed(self, profile: str = "default") -> int:
        """A live change after which sessions fail, and which the next round takes back."""
        self.talk(12, OLD, profile=profile)
        number = self.live(profile)
        self.talk(4, NEW, "nothing", profile)
        return number

    def talk(self, count: int, soul: str, answer: str = "NEXT", profile: str = "default") -> None:
        """``count`` sessions that met ``soul`` and are over."""
        if profile not in self.sessions:
            self.sessions[profile] = SessionDB(db_path=self.root(profile) / "state.db")
        host = self.sessions[profile]
        for _ in range(count):
            self.talks += 1
            name = f"s{self.talks}"
            host.create_session(name, "cli", model="m", system_prompt=f"{soul.strip()}\n\nYou run on a computer.")
            host.append_message(name, "user", "hello")
            host.append_message(name, "assistant", answer, finish_reason="stop")
            host.end_session(name, "cli_close")

    def experiment(self, number: int) -> experiments.Experiment:
        return experiments.get(self.context, number)

    def state(self, number: int) -> str:
        return self.experiment(number).state

    def control(self, profile: str = "default") -> controls.Control:
        return controls.get(self.context, profile)

    def due_again(self, profile: str = "default") -> None:
        """As if the pause after a failure were over."""
        with self.context.store.write() as tx:
            tx.exec_driver_sql("UPDATE profile_controls SET retry_at = NULL WHERE profile = ?", (profile,))

    def once(self, say: Callable[[str], None] | None = None) -> list[str]:
        """``daemon --once`` in this process. Returns what it said."""
        said: list[str] = []
        assert daemon.run(self.context, once=True, say=say or said.append) == 0
        return said

    def start(self, before: str = "", *, once: bool = False, **variables: str) -> DaemonProcess:
        """A daemon process; ``before`` is what it does first."""
        log = self.home.parent / f"daemon-{len(self.processes)}.log"
        self.processes.append(DaemonProcess(log, before, once, variables))
        return self.processes[-1]


@pytest.fixture
def stage(home: Path) -> Iterator[Stage]:
    made = Stage(home)
    yield made
    for one in made.processes:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
    for sessions in made.sessions.values():
        sessions.close()
    for opened in made.opened:
        opened.store.close()


@pytest.fixture
def until() -> Callable[..., None]:
    """``until(condition)``: wait for it, for half a minute at most."""
    return wait_for
