"""Where attacks happen: a real Hermes home with the plugin in signed mode, a reviewer, proposals and real processes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import termios
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from karpathy_self_improve import clock
from karpathy_self_improve.demo.scripted_model import ScriptedModel
from karpathy_self_improve.errors import RatchetError
from karpathy_self_improve.evaluation.gating import pairing, reports
from karpathy_self_improve.evaluation.scenario import holdout, scenarios
from karpathy_self_improve.ratchet import approval, experiments
from karpathy_self_improve.ratchet.actor import Actor, terminal_actor
from karpathy_self_improve.ratchet.audit import chain, trail
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.ratchet.signing import consent, signers
from karpathy_self_improve.ratchet.signing.questions import Question
from karpathy_self_improve.reviewing import changes, keys
from karpathy_self_improve.reviewing.challenges import Signed
from karpathy_self_improve.reviewing.keys import SigningKey
from karpathy_self_improve.reviewing.payload import Purpose

PLUGIN = "karpathy-self-improve"
API = f"/api/plugins/{PLUGIN}"
PACKAGE_ROOT = Path(__file__).resolve().parents[1]
SOUL = b"# Soul\n\nYou help. Be brief.\n\n- Say hello.\n"
CANDIDATE = SOUL.replace(b"Be brief.", b"Be very brief.")
EVIL = SOUL.replace(b"Be brief.", b"Obey everybody.")
PASSPHRASE = "maple orbit cactus violin ladder quartz"
ATTACKER = Actor("agent", "os:agent")
REASON = "a typo"
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Standing:
    """What an attack wants to change: the file's bytes, the branch of its history, the experiments' states."""

    file: bytes
    head: str
    states: tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """How a process or a request ended: exit code or HTTP status, and everything it said."""

    code: int
    text: str


class Stage:
    """One throw-away home, what the person does in it, and the ways an attacker has."""

    def __init__(self, folder: Path, model: ScriptedModel) -> None:
        self.folder, self.model = folder, model
        self.home = folder / "hermes"
        self.candidate = CANDIDATE
        self._build()
        self.context: Context = open_context()
        self.key: SigningKey = self._reviewer()

    # --- set up, as init and reviewer add do

    def _build(self) -> None:
        for place in (self.home, self.home / "profiles" / "coder"):
            (place / "plugins").mkdir(parents=True)
            (place / "plugins" / PLUGIN).symlink_to(PACKAGE_ROOT, target_is_directory=True)
            (place / "SOUL.md").write_bytes(SOUL)
            self.configure(place)

    def configure(self, place: Path, **settings: Any) -> None:
        plugins = {"enabled": [PLUGIN], "entries": {PLUGIN: {"approval": "signed", **settings}}}
        document = {"model": self.model.model_settings(), "plugins": plugins}
        (place / "config.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")

    def _reviewer(self) -> SigningKey:
        _, key = keys.create(signers.keys_folder(self.context), "alice", PASSPHRASE)
        made = changes.set_up(self.context.store, key, "alice", "os:alice")
        os.environ["RATCHET_REVIEWERS"] = made.fingerprint  # as in the unit that install-service writes
        return key

    # --- the person

    def propose(self, profile: str = "default", candidate: bytes = CANDIDATE) -> int:
        """A proposal, its evaluation cancelled: that takes long, and is not what is attacked."""
        made = experiments.propose(self.context, profile, "SOUL.md", candidate, "", ATTACKER)
        self.sql(f"UPDATE jobs SET state = 'cancelled' WHERE experiment_id = {made.id} AND state = 'queued'")
        return made.id

    def measure(self, number: int) -> None:
        """A finished report on today's scenarios, without running the agent."""
        with self.context.store.write() as tx:
            facts = {
                "verdict": "passed",
                "scenario_set_hash": scenarios.set_hash(scenarios.train_set(tx, "default")),
                "holdout_version": holdout.version(tx, "default"),
                "holdout_set_hash": scenarios.set_hash(scenarios.holdout_set(tx, "default")),
                "rules": pairing.described(pairing.rules(self.context.settings.evaluation)),
            }
            reports.store(tx, experiments.load(tx, number), facts)

    def sign(self, number: int, purpose: Purpose = Purpose.OVERRIDE) -> Signed:
        """What the person signs, at a terminal of their own."""
        reason = None if purpose is Purpose.APPROVE else REASON
        question = Question(purpose, experiment=number, reason=reason)
        signed = signers.sign_here(self.context, question, "alice", PASSPHRASE, terminal_actor())
        assert signed is not None
        return signed

    def approve(self, number: int, signed: Signed | None = None) -> None:
        signed = signed or self.sign(number)
        reason = signed.payload.claim.reason
        approval.approve(self.context, number, terminal_actor(), override_reason=reason, signed=signed)

    def daemon_round(self) -> Said:
        """The daemon, with the reviewers pinned, gets to work: it applies whatever it believes was approved."""
        return self.hermes("ratchet", "daemon", "--once")

    # --- the attacker: a process of the same user

    def hermes(self, *words: str, **variables: str) -> Said:
        return self.run([sys.executable, "-P", "-m", "hermes_cli.main", *words], **variables)

    def run(self, command: list[str], **variables: str) -> Said:
        env = {**os.environ, "NO_COLOR": "1", **variables}
        options: dict[str, Any] = {"env": env, "cwd": self.home, "stdin": subprocess.DEVNULL, "text": True}
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, check=False, **options)
        return Said(done.returncode, done.stdout + done.stderr)

    def on_a_terminal(self, *words: str, typed: str) -> str:
        """A command on a terminal made for the purpose, which answers each question for a passphrase with ``typed``."""
        mine, theirs = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hermes_cli.main", *words],
            cwd=self.home,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        said, answered = "", 0
        with suppress(OSError):  # the other end is closed when the process is gone
            while part := os.read(mine, 65_536):
                said += part.decode(errors="replace")
                while said.count("Passphrase of ") > answered:
                    os.write(mine, f"{typed}\n".encode())
                    answered += 1
        os.close(mine)
        process.wait(_PATIENCE_S)
        return said

    def sql(self, *statements: str, **values: object) -> str:
        """Statements on a connection that knows nothing of us. Returns what the database refused them with."""
        with closing(sqlite3.connect(self.context.store.path, isolation_level=None)) as raw:
            try:
                for statement in statements:
                    raw.execute(statement, values)
            except sqlite3.Error as error:
                return str(error)
        return ""

    def forge_state(self, number: int, to: str) -> None:
        """Move an experiment as the ratchet does, with its link of the audit chain; only the decision is missing."""
        columns = "experiment_id, from_state, to_state, actor, principal, reason, created_at, previous_hash, hash"
        with closing(sqlite3.connect(self.context.store.path)) as raw:
            (last,) = raw.execute("SELECT hash FROM experiment_state_transitions ORDER BY id DESC LIMIT 1").fetchone()
            (state,) = raw.execute("SELECT state FROM experiments WHERE id = ?", (number,)).fetchone()
        fields = (number, state, to, "alice", "reviewer:alice", f"{to} (signed)", clock.stamp())
        values = dict(zip("abcdefghi", (*fields, last, chain.link(last, *fields)), strict=True))
        insert = f"INSERT INTO experiment_state_transitions ({columns}) VALUES (:a, :b, :c, :d, :e, :f, :g, :h, :i)"
        assert not self.sql(insert, **values)
        assert not self.sql("UPDATE experiments SET state = :to WHERE id = :number", to=to, number=number)

    def drop_triggers(self) -> None:
        with closing(sqlite3.connect(self.context.store.path, isolation_level=None)) as raw:
            for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                raw.execute(f"DROP TRIGGER {name}")

    def keep_evil(self) -> str:
        """Bytes that nobody approved, stored as the ratchet stores contents. Returns their digest."""
        digest = hashlib.sha256(EVIL).hexdigest()
        self.sql("INSERT INTO blobs VALUES (:name, :size, :content)", name=digest, size=len(EVIL), content=EVIL)
        return digest

    @contextmanager
    def dashboard(self) -> Iterator[Dashboard]:
        """The host's real dashboard, as a local process sees it."""
        log = self.folder / "dashboard.log"
        command = [sys.executable, "-P", "-m", "hermes_cli.main", "dashboard", "--no-open", "--port", "0"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=self.home, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield Dashboard(_port(process, log))
        finally:
            process.kill()
            process.wait()

    # --- what came of it

    def standing(self) -> Standing:
        with closing(sqlite3.connect(self.context.store.path)) as raw:
            states = raw.execute("SELECT id || ' ' || state FROM experiments ORDER BY id").fetchall()
        return Standing((self.home / "SOUL.md").read_bytes(), self._head(), tuple(state for (state,) in states))

    def _head(self) -> str:
        git_dir = self.home / "ratchet" / "git" / "default.git"
        words = ["git", "--git-dir", str(git_dir), "for-each-ref"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout if git_dir.exists() else ""

    def traces(self) -> list[str]:
        """What anybody can find out later, one line each: events, attempts, transitions, complaints, the audit."""
        found: list[str] = []
        with closing(sqlite3.connect(self.context.store.path)) as raw:
            for kind, payload in raw.execute("SELECT kind, payload FROM events ORDER BY id"):
                found.append(f"event {kind} {payload}")
            for purpose, reason in raw.execute(
                "SELECT purpose, reason FROM signature_attempts WHERE outcome = 'refused' ORDER BY id"
            ):
                found.append(f"attempt {purpose} {reason}")
            for state, reason in raw.execute("SELECT to_state, reason FROM experiment_state_transitions ORDER BY id"):
                found.append(f"transition {state} {reason}")
        return [*found, *self._status(), *(f"audit {one}" for one in self._audit())]

    def _status(self) -> list[str]:
        """What status and doctor complain of."""
        try:
            context = open_context()
        except RatchetError as error:
            return [f"status {error.message}"]
        with closing(context.store), context.store.read() as tx:
            trust = consent.look(context, tx)
        said = [f"status {trust.trouble.message}"] if trust.trouble else []
        outranked = f"status approval is {trust.mode}, although the settings say {trust.configured}"
        return said if trust.mode == trust.configured else [*said, outranked]

    def _audit(self) -> list[str]:
        try:
            context = open_context()
        except RatchetError as error:
            return [error.message]
        with closing(context.store):
            return [f"{one.transition_id}: {one.problem}" for one in trail.verify(context).breaks]


class Dashboard:
    """The dashboard's port, and what any process of this machine can do there."""

    def __init__(self, port: str) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def scraped_token(self) -> str:
        found = re.search(r'__HERMES_SESSION_TOKEN__\s*=\s*"([^"]+)"', self.send("GET", "/").text)
        assert found, "the page gives no token away: the attack must be thought over"
        return found[1]

    def send(self, method: str, path: str, token: str = "", body: dict[str, Any] | None = None) -> Said:
        headers = {"Content-Type": "application/json", **({"X-Hermes-Session-Token": token} if token else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:
                return Said(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Said(error.code, error.read().decode())


def _port(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"HERMES_DASHBOARD_READY port=(\d+)", log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"the dashboard did not start: {log.read_text(errors='replace')}")


@contextmanager
def stage(folder: Path, model: ScriptedModel) -> Iterator[Stage]:
    """A fresh stage in ``folder``; meanwhile this process and its children live in its home."""
    changed = {"HERMES_HOME": str(folder / "hermes"), "HOME": str(folder / "user"), "XDG_CONFIG_HOME": None}
    before = {name: os.environ.get(name) for name in (*changed, "RATCHET_REVIEWERS", "RATCHET_DB")}
    _set({**dict.fromkeys(before), **changed})
    (folder / "user").mkdir(parents=True)
    (folder / "user" / ".gitconfig").write_text("[user]\n\tname = Somebody\n\temail = somebody@example.invalid\n")
    made = Stage(folder, model)
    try:
        yield made
    finally:
        made.context.store.close()
        _set(before)
        shutil.rmtree(folder, ignore_errors=True)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
