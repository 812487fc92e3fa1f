"""Which sessions a window took in, how each one counts, and what persons said of it since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..._db import driver
from ..._metrics import Result
from ..experiments import Experiment
from .live_plan import Figures

if TYPE_CHECKING:
    from sqlalchemy import Connection

NOT_ELIGIBLE, UNKNOWN = "not eligible: ", "outcome unknown: "
"""How a stored reason begins: the window was not about this session; only its outcome keeps it from counting."""


@dataclass(frozen=True)
class Membership:
    """One session of a window: in which arm, counted or why not, and how it went by what was said of it last."""

    session_id: str
    arm: str
    counted: bool
    reason: str
    outcome: str
    errors: int | None
    tokens: int | None
    cost_micro_usd: int | None
    source: str | None
    started_at: str
    feedback: bool | None

    @property
    def eligible(self) -> bool:
        """Whether the window was about this session at all; one that was and is not counted had to be left out."""
        return not self.reason.startswith(NOT_ELIGIBLE)

    @property
    def met(self) -> bool:
        """Whether it provably met the change, its outcome known or not."""
        return self.counted or self.reason.startswith(UNKNOWN)

    @property
    def figures(self) -> Figures:
        """What is compared of it."""
        success = None if self.outcome == Result.UNKNOWN else self.outcome == Result.SUCCESS
        return Figures(self.session_id, success, self.errors or 0, self.tokens or 0, self.cost_micro_usd)


class _Word(NamedTuple):
    """What persons said of a session: the newest word, and when the first one came."""

    good: bool
    first_at: str


def known_sessions(tx: Connection, experiment_id: int) -> set[str]:
    """The ids of the sessions that were taken in."""
    query = (
        "SELECT o.session_id FROM window_sessions w JOIN session_observations o ON o.id = w.observation_id"
        " WHERE w.experiment_id = ?"
    )
    return {str(row[0]) for row in driver(tx).execute(query, (experiment_id,))}


def newest_word(tx: Connection) -> int:
    """The id of the last thing that anybody said of any session; what a verdict rests on was said up to there."""
    return int(driver(tx).execute("SELECT coalesce(max(id), 0) FROM session_feedback").fetchone()[0])


def members(tx: Connection, experiment: Experiment, until: int | None = None) -> list[Membership]:
    """The sessions of a window, in the order in which they count; ``until`` is the last word that is listened to.

    A session that nobody could judge when it ended counts from the moment at which somebody did.
    """
    rows = driver(tx).execute(
        "SELECT o.session_id, w.arm, w.counted, w.reason, o.outcome, o.errors, o.tokens, o.cost_micro_usd, o.source,"
        " o.started_at, w.created_at FROM window_sessions w JOIN session_observations o ON o.id = w.observation_id"
        " WHERE w.experiment_id = ? ORDER BY w.id",
        (experiment.id,),
    )
    words = _words(tx, experiment.profile, until)
    found = [_member(row, words.get(row[0])) for row in rows]
    return [member for _, member in sorted(found, key=lambda pair: pair[0])]


def _words(tx: Connection, profile: str, until: int | None) -> dict[str, _Word]:
    query = "SELECT session_id, good, created_at FROM session_feedback WHERE profile = ? AND id <= ? ORDER BY id"
    found: dict[str, _Word] = {}
    for session_id, good, at in driver(tx).execute(query, (profile, newest_word(tx) if until is None else until)):
        first = found[session_id].first_at if session_id in found else at
        found[session_id] = _Word(bool(good), first)
    return found


def _member(row: tuple[object, ...], word: _Word | None) -> tuple[str, Membership]:
    """A member, and since when it counts as it does."""
    session_id, arm, counted, reason, outcome, errors, tokens, cost, source, started_at, at = row
    since = str(at)
    if word is not None and not str(reason).startswith(NOT_ELIGIBLE):
        outcome = (Result.SUCCESS if word.good else Result.FAILURE).value
        if counted or str(reason).startswith(UNKNOWN):
            since = since if counted else max(since, word.first_at)
            counted, reason = 1, "feedback"
    said = None if word is None else word.good
    facts = (outcome, errors, tokens, cost, source, started_at, said)
    return since, Membership(session_id, arm, bool(counted), str(reason), *facts)  # type: ignore[arg-type]
