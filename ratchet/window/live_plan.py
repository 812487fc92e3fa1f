"""What a live window will do, as a value: fixed, stored and hashed before its first session, and never changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from ... import clock, schema
from ...errors import NoEvidence, StoreCorrupt
from ...stats.calibration import WindowPlan
from ...stats.creep import Anchor
from ..signing import signed_claims
from . import calibrations

if TYPE_CHECKING:
    from sqlalchemy import Connection


SETTINGS = (
    "n0",
    "n_min",
    "n",
    "n_max",
    "alpha",
    "margin",
    "confidence",
    "max_days",
    "idle_minutes",
    "max_left_out",
)
"""The fields of a plan that are settings of the same name."""


class Measure(StrEnum):
    """What can be tested of a session. Tokens stand in for a cost that the host does not know."""

    SUCCESS = "success"
    ERRORS = "errors"
    COST = "cost"
    TOKENS = "tokens"


@dataclass(frozen=True)
class Figures:
    """What is compared of one session: ``success`` is None when nobody can tell, the cost when the host cannot."""

    session_id: str
    success: bool | None
    errors: int
    tokens: int
    cost_micro_usd: int | None

    def value(self, measure: Measure) -> float:
        """Raises ValueError for success, which is no number, and for a cost that is not known."""
        found = {Measure.ERRORS: self.errors, Measure.TOKENS: self.tokens, Measure.COST: self.cost_micro_usd}[measure]
        if found is None:
            raise ValueError(f"session {self.session_id} has no {measure}")
        return float(found)


@dataclass(frozen=True)
class Foresight:
    """How often a test ends how, exactly, when the change does this much harm.

    ``harm`` is a loss of success rate, or the share of sessions that blow up beyond the baseline's high level.
    """

    harm: float
    reverted: float
    verified: float
    inconclusive: float


@dataclass(frozen=True)
class PlannedTest:
    """One measure of a plan: its share of alpha, its boundary, and what it will catch and miss.

    ``window`` holds that share and the margin that is left on the anchor. ``k`` is the rank of the level that
    exceedances count from, None for success; ``rate`` the success rate that the foresight starts from.
    """

    measure: Measure
    window: WindowPlan
    boundary: float
    k: int | None
    rate: float | None
    foresight: tuple[Foresight, ...]


@dataclass(frozen=True)
class Replay:
    """The plan over the profile's own past: windows without a change, and how many of them raised an alarm."""

    windows: int
    alarms: int
    alpha: float

    @property
    def trustworthy(self) -> bool:
        """Whether the past gives no reason to doubt the plan; a past too short for one window gives none."""
        return self.alarms <= self.alpha * self.windows


@dataclass(frozen=True)
class LivePlan:
    """What a window will do.

    ``tests`` is empty when there is nothing to compare with; ``note`` says what is tested or why nothing is. ``scope``
    is the skill whose readers are compared, empty for all sessions. ``anchor`` are the sessions that verification
    compares with, None: the baseline; ``anchor_experiment`` says which change they belong to. ``windows_before`` counts
    the windows already judged against that anchor, ``margin`` is its whole budget. ``asks`` says that a person is asked
    before a change is taken back. ``per_day`` are the sessions that would count, ``left_out`` the recent ones that did
    not get into the baseline, by reason.
    """

    n0: int
    n_min: int
    n: int
    n_max: int
    alpha: float
    margin: float
    confidence: float
    max_days: float
    idle_minutes: float
    max_left_out: float
    success_checks: str
    model: str | None
    host_version: str
    scope: str
    seed: int
    tests: tuple[PlannedTest, ...]
    baseline: tuple[Figures, ...]
    anchor: tuple[Figures, ...] | None
    anchor_experiment: int | None
    windows_before: int
    replay: Replay
    asks: bool
    per_day: float | None
    note: str
    left_out: Mapping[str, int] = field(default_factory=dict)

    def document(self) -> str:
        """The plan as canonical JSON: what is hashed, signed and stored."""
        return calibrations.canonical(asdict(self))

    @property
    def sha256(self) -> str:
        return _sha256(self.document())

    def test(self, measure: Measure) -> PlannedTest | None:
        """How ``measure`` is tested; None when it is not."""
        return next((one for one in self.tests if one.measure == measure), None)

    @property
    def measures(self) -> tuple[Measure, ...]:
        return tuple(test.measure for test in self.tests)

    @property
    def badge(self) -> str:
        """What the verdict rests on, in a few words."""
        if not self.tests:
            return "nothing tested"
        if len(self.tests) == 1:
            return f"{self.tests[0].measure} only"
        *first, last = self.measures
        words = f"{', '.join(first)} and {last}"
        return words if Measure.SUCCESS in self.measures else f"{words} only"

    @property
    def margin_left(self) -> float:
        """What this window may still take from its anchor's margin."""
        return self.tests[0].window.margin if self.tests else self.margin

    @property
    def success_anchor(self) -> Anchor:
        """What verification compares the success rate with. Raises ValueError when no outcome is known."""
        return counted(self.baseline if self.anchor is None else self.anchor)


def counted(sessions: tuple[Figures, ...]) -> Anchor:
    """Successes among the sessions with a known outcome. Raises ValueError when there is none."""
    known = [one.success for one in sessions if one.success is not None]
    return Anchor(sum(known), len(known))


def read_document(document: str) -> LivePlan:
    """The plan behind its stored text. Raises NoEvidence for one that this version did not write."""
    fields: dict[str, Any] = json.loads(document)
    try:
        tests = tuple(_test(one) for one in fields.pop("tests"))
        baseline = _sessions(fields.pop("baseline"))
        anchor = fields.pop("anchor")
        replay = Replay(**fields.pop("replay"))
        found = _sessions(anchor) if anchor is not None else None
        return LivePlan(tests=tests, baseline=baseline, anchor=found, replay=replay, **fields)
    except (KeyError, TypeError):
        raise NoEvidence(
            "The live plan of this experiment was written by another version of this plugin and cannot be carried "
            "out. Take the change back, or reject it, and propose it again."
        ) from None


def keep_plan(tx: Connection, experiment_id: int, document: str) -> str:
    """Store the plan of an experiment, once and for all. Returns its SHA-256."""
    row = {
        "experiment_id": experiment_id,
        "sha256": _sha256(document),
        "document": document,
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.live_plans).values(row))
    return str(row["sha256"])


def load_plan(tx: Connection, experiment_id: int) -> LivePlan:
    """The stored plan of an experiment, provided that it is the one that was approved.

    Raises NoEvidence when it was never approved, StoreCorrupt when the plan was replaced since.
    """
    document = _stored(tx, experiment_id)
    if _sha256(document) not in _approved_plans(tx, experiment_id):
        raise StoreCorrupt(
            f"The live plan of experiment {experiment_id} is not the one that was approved; nothing is decided by it. "
            "Somebody edited the database: look at 'hermes ratchet audit verify', then take the change back.",
            experiment_id=experiment_id,
        )
    return read_document(document)


def _approved_plans(tx: Connection, experiment_id: int) -> set[str | None]:
    """The SHA-256 of what was signed; of an unsigned approval, of what its row says."""
    signed = {claim.plan_sha256 for claim in signed_claims.claims(tx, experiment_id, *signed_claims.APPROVING)}
    if signed or signed_claims.must_exist(tx, experiment_id):
        return signed
    table = schema.approvals
    return set(tx.execute(select(table.c.plan_sha256).where(table.c.experiment_id == experiment_id)).scalars())


def kept_sha256(tx: Connection, experiment_id: int) -> str:
    """The SHA-256 of the stored plan as it reads now. Raises NoEvidence when there is none."""
    return _sha256(_stored(tx, experiment_id))


def _stored(tx: Connection, experiment_id: int) -> str:
    table = schema.live_plans
    found = tx.execute(select(table.c.document).where(table.c.experiment_id == experiment_id)).scalar_one_or_none()
    if found is None:
        raise NoEvidence(f"Experiment {experiment_id} has no live plan: it was not approved yet.")
    return str(found)


def _test(raw: dict[str, Any]) -> PlannedTest:
    return PlannedTest(
        Measure(raw["measure"]),
        WindowPlan(**raw["window"]),
        raw["boundary"],
        raw["k"],
        raw["rate"],
        tuple(Foresight(**one) for one in raw["foresight"]),
    )


def _sessions(raw: list[dict[str, Any]]) -> tuple[Figures, ...]:
    return tuple(Figures(**one) for one in raw)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
