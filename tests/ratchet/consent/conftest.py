"""A desk in signed mode: a real home with one reviewer, and everything a reviewer and an attacker can do to it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.evaluation.gating import pairing, reports
from karpathy_self_improve.evaluation.scenario import holdout, scenarios
from karpathy_self_improve.ratchet import apply, approval, events, experiments, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.ratchet.signing import questions
from karpathy_self_improve.ratchet.signing.questions import Question
from karpathy_self_improve.ratchet.states import State
from karpathy_self_improve.reviewing import changes, keys, reviewers
from karpathy_self_improve.reviewing.challenges import Signed
from karpathy_self_improve.reviewing.keys import KeyFile, SigningKey
from karpathy_self_improve.reviewing.payload import Purpose
from karpathy_self_improve.stats.gate import GateRules

SOMEBODY = Actor("somebody", "os:somebody")
OLD = b"# Soul\n\nBe brief. Be kind.\n"
NEW = OLD.replace(b"Be kind.", b"Be very kind.")
PASSPHRASE = "maple orbit cactus violin ladder quartz"
SIGNED = "plugins: {entries: {karpathy-self-improve: {approval: signed}}}\n"
UNSIGNED = SIGNED.replace("approval: signed", "approval: unsigned")


@dataclass
class Desk:
    """One throw-away root with the reviewer alice."""

    home: Path
    context: Context
    key: SigningKey
    opened: list[Context] = field(default_factory=list)

    @property
    def soul(self) -> bytes:
        return (self.home / "SOUL.md").read_bytes()

    def settings(self, text: str) -> None:
        (self.home / "config.yaml").write_text(text, encoding="utf-8")
        self.opened.append(self.context)
        self.context = open_context()

    def reviewers(self) -> reviewers.ReviewerSet:
        with self.context.store.read() as tx:
            return reviewers.load(tx)

    def proposed(self, content: bytes = NEW) -> int:
        return experiments.propose(self.context, "default", "SOUL.md", content, "kinder", SOMEBODY).id

    def evaluated(self, number: int, **facts: Any) -> str:
        """A finished report on the proposal, which passed the gate on today's scenarios."""
        with self.context.store.write() as tx:
            today = {
                "verdict": "passed",
                "scenario_set_hash": scenarios.set_hash(scenarios.train_set(tx, "default")),
                "holdout_version": holdout.version(tx, "default"),
                "holdout_set_hash": scenarios.set_hash(scenarios.holdout_set(tx, "default")),
                "rules": pairing.described(GateRules()),
            }
            return reports.store(tx, experiments.load(tx, number), {**today, **facts})

    def signed(self, purpose: Purpose, number: int | None = None, **other: Any) -> Signed:
        """What the reviewer hands in for this question."""
        asked = questions.ask(self.context, Question(purpose, number, **other), self.key.public_key, SOMEBODY)
        return Signed(asked.payload, self.key.sign(asked.payload.message()))

    def approve(self, number: int, signed: Signed | None, **options: Any) -> str:
        return approval.approve(self.context, number, SOMEBODY, signed=signed, **options).state

    def approved(self, content: bytes = NEW) -> int:
        """A proposal that was measured and that the reviewer approved."""
        number = self.proposed(content)
        self.evaluated(number)
        self.approve(number, self.signed(Purpose.APPROVE, number))
        return number

    def overridden(self, content: bytes = NEW) -> int:
        number = self.proposed(content)
        signed = self.signed(Purpose.OVERRIDE, number, reason="a typo")
        self.approve(number, signed, override_reason="a typo")
        return number

    def live(self) -> int:
        number = self.overridden()
        self.apply(number)
        return number

    def verified(self) -> int:
        number = self.live()
        with self.context.store.write() as tx:
            states.move(tx, number, State.VERIFIED, SOMEBODY, "a test")
        return number

    def apply(self, number: int, **options: Any) -> str:
        return apply.apply(self.context, number, SOMEBODY, unwatched=True, **options).state

    def revert(self, number: int, **options: Any) -> str:
        return apply.revert(self.context, number, SOMEBODY, "taken back", **options).state

    def experiment(self, number: int) -> experiments.Experiment:
        return experiments.get(self.context, number)

    def newest(self, number: int) -> approval.Approval:
        with self.context.store.read() as tx:
            found = approval.latest(tx, number)
        assert found is not None
        return found

    def events(self, kind: str) -> list[events.Event]:
        with self.context.store.read() as tx:
            return [event for event in events.since(tx, 0, 10_000) if event.kind == kind]

    def attempts(self) -> list[tuple[str, str]]:
        """Purpose and outcome of every try."""
        with self.context.store.read() as tx:
            rows = tx.exec_driver_sql("SELECT purpose, outcome FROM signature_attempts ORDER BY id").all()
        return [(str(purpose), str(outcome)) for purpose, outcome in rows]

    def forge(self, statement: str, *values: Any) -> None:
        """What somebody does who has the file in their hands: every trigger is dropped first."""
        raw = sqlite3.connect(self.context.store.path, isolation_level=None)
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute(statement, values)
        raw.close()

    def anothers(self, name: str = "mallory") -> SigningKey:
        """The key of somebody who is no reviewer."""
        return keys.create(self.context.data / "tmp", name, PASSPHRASE, cost=keys.Cost(2**4))[1]

    def plan(self, number: int) -> str:
        with self.context.store.read() as tx:
            return str(
                tx.exec_driver_sql("SELECT document FROM live_plans WHERE experiment_id = ?", (number,)).scalar()
            )


@pytest.fixture(scope="session")
def alice(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeyFile, SigningKey]:
    """A reviewer's key and its file, made once: sealing it takes a third of a second, on purpose."""
    return keys.create(tmp_path_factory.mktemp("keys"), "alice", PASSPHRASE)


@pytest.fixture
def desk(home: Path, alice: tuple[KeyFile, SigningKey]) -> Iterator[Desk]:
    (home / "SOUL.md").write_bytes(OLD)
    (home / "config.yaml").write_text(SIGNED, encoding="utf-8")
    context = open_context()
    file, key = alice
    (context.data / "keys").mkdir(mode=0o700)
    shutil.copy(file.path, context.data / "keys")
    changes.set_up(context.store, key, "alice", "os:alice")
    made = Desk(home, context, key)
    yield made
    for one in (*made.opened, made.context):
        one.store.close()
