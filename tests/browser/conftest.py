"""A real Chromium, and the host's real dashboard on one home with a reviewer, for all tests that look at pages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB
from playwright.sync_api import Browser, Page, expect, sync_playwright

from karpathy_self_improve import schema
from karpathy_self_improve.ratchet import apply, approval, experiments, lease
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.ratchet.window import live_window
from karpathy_self_improve.reviewing import changes, keys
from karpathy_self_improve.reviewing.challenges import Signed

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "karpathy-self-improve"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = ("--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--disable-component-update")
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
SOMEBODY = Actor("somebody", "os:somebody")
PASSPHRASE = "maple orbit cactus violin ladder quartz"
SOUL = "# Soul\n\nYou answer briefly.\n\nAlways end answers with the line: NEXT.\n"
WINDOW = {"n0": 12, "n_min": 4, "n": 8, "n_max": 12, "margin": 0.25, "confidence": 0.9, "measures": ["success"]}
SETTINGS = {"success_checks": [{"type": "must_contain", "value": "NEXT"}], "window": WINDOW}

Serve = Callable[..., AbstractContextManager[re.Match[str]]]


def _installed() -> str | None:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(ON_MACOS) if ON_MACOS.exists() else None)


@pytest.fixture(scope="session")
def chromium(debian_package: Callable[[str, Callable[[], object]], None]) -> str:
    """The browser's command; on a Debian machine without one, and as root, it is installed first."""
    debian_package("chromium", _installed)
    found = _installed()
    if found is None:
        pytest.fail("No Chromium is here. Install it (Debian: the package chromium) and run the tests again.")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for a whole module; no longer, for Playwright leaves a running event loop to whoever comes next."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, args=list(FLAGS), chromium_sandbox=os.geteuid() != 0
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def shared_page(browser: Browser) -> Page:
    tab = browser.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    return tab


@pytest.fixture
def page(shared_page: Page) -> Iterator[Page]:
    """The one tab of a module, in which our page is opened once; whatever its scripts throw fails the test."""
    with _unharmed(shared_page):
        yield shared_page
    shared_page.unroute_all()


@pytest.fixture
def fresh_page(browser: Browser) -> Iterator[Page]:
    """A tab of its own, for what happens when our page opens."""
    tab = browser.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    with _unharmed(tab):
        yield tab
    tab.close()


@contextmanager
def _unharmed(tab: Page) -> Iterator[None]:
    thrown: list[str] = []

    def heard(error: object) -> None:
        thrown.append(str(error))

    tab.on("pageerror", heard)
    yield
    tab.remove_listener("pageerror", heard)
    assert thrown == []


@pytest.fixture(scope="session")
def serve() -> Serve:
    """``with serve(home, pattern, *words) as found``: a hermes command, up once it has said ``pattern``."""

    @contextmanager
    def started(home: Path, pattern: str, *words: str) -> Iterator[re.Match[str]]:
        log = home / f"{words[0]}.out"
        env = {**os.environ, "HERMES_HOME": str(home)}
        command = [sys.executable, "-P", "-m", "hermes_cli.main", *words]
        with log.open("wb") as out:
            server = subprocess.Popen(command, env=env, cwd=home, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while not (found := re.search(pattern, log.read_text(errors="replace"))):
                assert server.poll() is None, log.read_text(errors="replace")
                assert time.monotonic() < deadline, log.read_text(errors="replace")
                time.sleep(0.1)
            yield found
        finally:
            server.terminate()
            server.wait(timeout=30)

    return started


class House:
    """A home with the reviewer ana, served by the host's dashboard; each test takes a profile of its own in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.address = ""
        self.context: Context
        self.key: keys.SigningKey

    def profile(self, name: str) -> Path:
        """A new profile with a SOUL.md."""
        place = self.root / "profiles" / name
        place.mkdir(parents=True)
        (place / "SOUL.md").write_text(SOUL, encoding="utf-8")
        (place / "config.yaml").write_text(_config(), encoding="utf-8")
        return place

    def proposed(self, profile: str, rationale: str = "answers ran long", new: str = "very briefly") -> int:
        """A proposal, in a profile that is made if it is not there."""
        if not (self.root / "profiles" / profile).exists():
            self.profile(profile)
        base = experiments.current_file(self.context, profile, "SOUL.md").content
        candidate = experiments.replaced_text(base, "briefly", new)
        return experiments.propose(self.context, profile, "SOUL.md", candidate, rationale, SOMEBODY).id

    def approved(self, profile: str) -> int:
        number = self.proposed(profile)
        asked = approval.ask(self.context, number, self.key.public_key, SOMEBODY, override_reason="a test")
        signed = Signed(asked.payload, self.key.sign(asked.payload.message()))
        approval.approve(self.context, number, SOMEBODY, override_reason="a test", signed=signed)
        return number

    def live(self, profile: str) -> int:
        number = self.approved(profile)
        apply.apply(self.context, number, SOMEBODY, unwatched=True)
        return number

    def inconclusive(self, profile: str) -> int:
        """A live change whose window could not tell: three of twelve sessions went wrong."""
        self.profile(profile)
        self.talk(profile, ["NEXT"] * 12)
        number = self.live(profile)
        self.talk(profile, ["NEXT", "NEXT", "NEXT", "no"] * 3)
        live_window.settle_verdict(self.context, live_window.observe(self.context, number))
        return number

    def talk(self, profile: str, answers: list[str]) -> None:
        """One real session for each answer, with the SOUL.md of today."""
        home = self.root / "profiles" / profile
        soul = (home / "SOUL.md").read_text(encoding="utf-8")
        store = SessionDB(db_path=home / "state.db")
        for number, answer in enumerate(answers):
            name = f"{hashlib.sha256(soul.encode()).hexdigest()[:6]}-{number}"
            store.create_session(name, "cli", model="m", system_prompt=f"{soul.strip()}\n\nYou run on a computer.")
            store.append_message(name, "user", "hello")
            store.append_message(name, "assistant", answer, finish_reason="stop")
            store.end_session(name, "cli_close")
        store.close()

    def scenario(self, profile: str, name: str, **values: Any) -> int:
        with self.context.store.write() as tx:
            return _insert(tx, schema.scenarios, profile=profile, name=name, input="Say hello", checks="[]", **values)

    def report(
        self, number: int, scenario: int = 1, runs: dict[str, int] | None = None, verdict: str = "passed"
    ) -> None:
        """As if an evaluation of a proposal had finished with this verdict."""
        with self.context.store.write() as tx:
            _report(tx, experiments.load(tx, number), scenario, runs or {}, verdict)

    def said(self, number: int, **said: Any) -> None:
        """As if a proposer model had made a proposal, and said this of it."""
        with self.context.store.write() as tx:
            request = _insert(
                tx, schema.proposal_requests, job_id=tx.exec_driver_sql("SELECT max(id) FROM jobs").scalar()
            )
            draft = {"request_id": request, "experiment_id": number, "status": "proposed", "attempt": 1, **said}
            _insert(tx, schema.proposal_drafts, **draft)

    def measured(
        self, profile: str, answer: str = "Good day.", rationale: str = "It is polite.", why: str = "they ran long"
    ) -> int:
        """A proposal with a stored report: one scenario fixed, two runs in each arm, a judge who said why."""
        number = self.proposed(profile, why)
        scenario = self.scenario(profile, "greets")
        with self.context.store.write() as tx:
            runs = {
                arm: _insert(tx, schema.eval_runs, experiment_id=number, arm=arm) for arm in ("baseline", "candidate")
            }
            for (arm, run), repeat in ((one, n) for one in runs.items() for n in range(2)):
                passed = int(arm == "candidate")
                _insert(
                    tx,
                    schema.scenario_results,
                    eval_run_id=run,
                    experiment_id=number,
                    scenario_id=scenario,
                    arm=arm,
                    repeat=repeat,
                    pass_fail=passed,
                    no_result_reason=None,
                    check_results=json.dumps([["judge", "pass" if passed else "fail", "the rubric"]]),
                    judge_model="the-judge",
                    judge_rationale=rationale,
                    scenario_snapshot=json.dumps({"name": "greets", "input": "Say hello", "checks": []}),
                    transcript=json.dumps({"answer": answer}),
                )
        self.report(number, scenario, runs)
        return number


def _insert(tx: Any, table: Any, **values: Any) -> int:
    """A row; what is not given and may not be null gets the first value that is allowed."""
    usual = {"split": "train", "state": "finished", "created_at": "2026-11-20T10:00:00.000000+00:00", "repeats": 2}
    row = {
        column.name: usual.get(column.name, "x")
        for column in table.columns
        if not column.nullable and column.name != "id" and column.server_default is None
    }
    return int(tx.execute(table.insert().values({**row, **values})).lastrowid)


def _report(tx: Any, found: experiments.Experiment, scenario: int, runs: dict[str, int], verdict: str) -> None:
    none = {"value": None, "limit": None}
    counts = {"scenarios": 1, "wins": 1, "ties": 0, "losses": 0, "without_result": 0}
    chance = {"p": 0.5, "level": 0.1, "best_p": 0.5, "scenarios_needed": None}
    judge = {"model": "the-judge", "votes": 12, "spoiled": 1, "agreement_with_itself": 0.9}
    document = {
        "verdict": "improved",
        "baseline_score": 0.0,
        "candidate_score": 1.0,
        "scenarios": [
            {"scenario_id": scenario, "name": "greets", "baseline": 0.0, "candidate": 1.0, "change": "fixed"}
        ],
        "runs": runs,
        "reasons": [{"cause": "x", "split": "train", "scenarios": [], "count": 0, "words": "A gain on train."} | none],
        "train": {**counts, "difference": 1.0, "interval": None, "method": "exact", **chance, "detectable": 0.25},
        "judge": {**judge, "labels": {"labels": 0, "needed": 30, "kappa": None}},
    }
    text = json.dumps(document)
    hashes = {"base_sha256": found.base_sha256, "candidate_sha256": found.candidate_sha256}
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    _insert(tx, schema.reports, experiment_id=found.id, **hashes, sha256=sha256, document=text)
    figures = {"evaluation_status": "finished", "baseline_score": 0.0, "offline_score": 1.0, "verdict": verdict}
    table = schema.experiments
    tx.execute(table.update().where(table.c.id == found.id).values(figures))


def _config() -> str:
    return json.dumps({"plugins": {"enabled": [PLUGIN], "entries": {PLUGIN: SETTINGS}}})


@pytest.fixture(scope="session")
def served_house(tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> Iterator[House]:
    root = tmp_path_factory.mktemp("house") / "hermes"
    (root / "plugins").mkdir(parents=True)
    (root / "plugins" / PLUGIN).symlink_to(ROOT)
    (root / "config.yaml").write_text(_config(), encoding="utf-8")
    (root / "SOUL.md").write_text(SOUL, encoding="utf-8")
    words = ("dashboard", "--no-open", "--port", "0")
    with serve(root, r"HERMES_DASHBOARD_READY port=(\d+)", *words) as found:
        house = House(root)
        house.address = f"http://127.0.0.1:{found[1]}/self-improve"
        yield house


@pytest.fixture
def house(served_house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The shared home, with the services opened on it and a daemon that was heard of just now."""
    monkeypatch.setenv("HERMES_HOME", str(served_house.root))
    served_house.context = context = open_context()
    if not hasattr(served_house, "key"):
        _, served_house.key = keys.create(context.data / "keys", "ana", PASSPHRASE)
        changes.set_up(context.store, served_house.key, "ana", "os:ana")
    lease.acquire(context, "a test's daemon")
    yield served_house
    context.store.close()
