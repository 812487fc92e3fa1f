"""A desk to sign at: a real root with a real database, reviewers with real keys, and proposals to decide on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve._db import Store
from karpathy_self_improve.ratchet import events, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.reviewing import challenges, changes, keys, reviewers
from karpathy_self_improve.reviewing.challenges import Challenge, Signed
from karpathy_self_improve.reviewing.keys import Cost, KeyFile, SigningKey
from karpathy_self_improve.reviewing.payload import Claim, Purpose
from karpathy_self_improve.reviewing.reviewers import ReviewerSet

FAST = Cost(2**4)
STRONG = "maple orbit cactus violin ladder quartz"
SOMEBODY = "os:somebody"


@dataclass
class Desk:
    """One throw-away root, with what a reviewer and an attacker can do to it."""

    context: Context

    @property
    def store(self) -> Store:
        return self.context.store

    def new_key(self, name: str) -> tuple[KeyFile, SigningKey]:
        return keys.create(self.context.data / "keys", name, STRONG, cost=FAST)

    def set_up(self, name: str = "alice") -> SigningKey:
        """The first reviewer."""
        _, key = self.new_key(name)
        changes.set_up(self.store, key, name, SOMEBODY)
        return key

    def added(self, signer: SigningKey, name: str) -> SigningKey:
        _, key = self.new_key(name)
        changes.add(self.store, signer, key.public_key, name, SOMEBODY)
        return key

    def reviewers(self) -> ReviewerSet:
        with self.store.read() as tx:
            return reviewers.load(tx)

    def proposed(self) -> int:
        """A proposal, with its first link of the audit chain."""
        text = self.context.home("default").joinpath("SOUL.md").read_bytes()
        candidate = text.replace(b"briefly", b"in one sentence")
        return experiments.propose(self.context, "default", "SOUL.md", candidate, "", Actor("x", SOMEBODY)).id

    def claim(self, number: int, **changed: Any) -> Claim:
        """What an approval of a proposal claims."""
        found = experiments.get(self.context, number)
        made = Claim(
            purpose=Purpose.APPROVE,
            experiment=number,
            profile=found.profile,
            relpath=found.target_relpath,
            base_sha256=found.base_sha256,
            candidate_sha256=found.candidate_sha256,
            report_sha256="a" * 64,
            plan_sha256="b" * 64,
        )
        return replace(made, **changed)

    def asked(self, claim: Claim, key: SigningKey, *, pin: str | None = None) -> Challenge:
        with self.store.write() as tx:
            return challenges.issue(tx, claim, key.public_key, SOMEBODY, pin=pin)

    def signed(self, claim: Claim, key: SigningKey) -> Signed:
        """What a reviewer hands in."""
        payload = self.asked(claim, key).payload
        return Signed(payload, key.sign(payload.message()))

    def redeem(self, signed: Signed, claim: Claim, *, pin: str | None = None) -> challenges.Redeemed:
        with self.store.write() as tx:
            return challenges.redeem(tx, signed, claim, SOMEBODY, pin=pin)

    def standing(self, signed: Signed, claim: Claim, *, pin: str | None = None) -> None:
        with self.store.read() as tx:
            challenges.standing(tx, signed.payload.nonce, claim, pin=pin)

    def approved(self, claim: Claim, key: SigningKey) -> Signed:
        """A signature that was handed in and accepted."""
        signed = self.signed(claim, key)
        self.redeem(signed, claim)
        return signed

    def events(self, kind: str) -> list[events.Event]:
        with self.store.read() as tx:
            return [event for event in events.since(tx, 0, 10_000) if event.kind == kind]

    def stranger(self) -> sqlite3.Connection:
        """Somebody else's connection to the file: no pragma of ours is set on it."""
        return sqlite3.connect(self.store.path, isolation_level=None)

    def forge(self, *statements: tuple[str, dict[str, Any]]) -> None:
        """What an attacker does who drops our triggers first."""
        raw = self.stranger()
        raw.execute("BEGIN")
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        for statement, values in statements:
            raw.execute(statement, values)
        raw.execute("COMMIT")
        raw.close()


@pytest.fixture
def desk(home: Path) -> Iterator[Desk]:
    context = open_context()
    yield Desk(context)
    context.store.close()
