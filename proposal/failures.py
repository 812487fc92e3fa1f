"""What went wrong with the file as it is: failed scenarios, sessions that ended badly, what persons said of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .. import clock
from .._db import driver
from .._metrics import Result, Session, outcome, read_sessions
from ..evaluation.scenario.scenarios import Scenario, train_set
from ..privacy import sanitize
from ..ratchet import feedback
from ..ratchet.context import Context
from ..ratchet.window.signal import success_signal
from . import held_out

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST_SCENARIOS, MOST_SESSIONS = 8, 8
_RECENT = timedelta(days=14)
_SUMMARY = 200
_RUNS_READ = 10
"""A newer run may have been of fewer scenarios."""
_PLAIN_ID = re.compile(r"[\w.-]{1,80}", re.ASCII)
_RUNS = """
SELECT runs.id FROM eval_runs AS runs JOIN experiments ON experiments.id = runs.experiment_id
WHERE experiments.profile = ? AND experiments.target_relpath = ? AND runs.split = 'train' AND runs.state = 'finished'
"""
_ON_THIS_VERSION = f"{_RUNS} AND runs.file_sha256 = ? ORDER BY runs.id DESC LIMIT {_RUNS_READ}"
_ON_ANY_BASELINE = f"{_RUNS} AND runs.arm = 'baseline' ORDER BY runs.id DESC LIMIT {_RUNS_READ}"
_RESULTS = """
SELECT scenario_id, eval_run_id, pass_fail, check_results, transcript, scenario_snapshot
FROM experiment_scenario_results
WHERE eval_run_id = ? AND split = 'train' AND pass_fail IS NOT NULL ORDER BY id
"""


class Kind(StrEnum):
    """Where a failure was seen."""

    SCENARIO = "scenario"
    SESSION = "session"
    FEEDBACK = "feedback"


@dataclass(frozen=True)
class Failure:
    """One thing that went wrong. ``name`` is how a draft refers to it, e.g. ``scenario:12``.

    ``asked``, ``answered`` and ``why`` are others' words, with secrets and personal data replaced.
    """

    name: str
    kind: Kind
    scenario_id: int | None
    session_id: str | None
    asked: str
    answered: str
    why: str
    note: str = ""

    @property
    def summary(self) -> str:
        """What a person is shown of it, in one line."""
        return f"{' '.join(self.why.split())}: {' '.join(self.asked.split())}"[:_SUMMARY]

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.asked, self.answered, self.why, self.note)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all of it: the same failure seen again has the same one."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def gather(context: Context, profile: str, relpath: str, base_sha256: str) -> list[Failure]:
    """The failures of a file's present version, worst scenarios first, then newest sessions.

    Nothing of a held-out scenario, nor what repeats one. Raises UnknownProfile, SessionsUnavailable.
    """
    with context.store.read() as tx:
        hidden = held_out.questions(tx, profile)
        failed = list(_scenarios(tx, profile, relpath, base_sha256))
        since = _since(tx, profile, relpath)
    failed += _sessions(context, profile, since)
    return [one for one in failed if not _is_held_out(one, hidden)]


def _is_held_out(failure: Failure, hidden: tuple[held_out.Question, ...]) -> bool:
    if held_out.is_one(failure.asked, failure.session_id, hidden):
        return True
    return any(held_out.shows(text, hidden) for text in failure.texts)


def _scenarios(tx: Connection, profile: str, relpath: str, base_sha256: str) -> Iterator[Failure]:
    asked = {one.id: one for one in train_set(tx, profile)}
    found = _newest_results(tx, asked, _ON_THIS_VERSION, profile, relpath, base_sha256)
    of_earlier = "" if found else "measured on an earlier version of the file; "
    found = found or _newest_results(tx, asked, _ON_ANY_BASELINE, profile, relpath)
    failing = {number: rows for number, rows in found.items() if not all(row["pass_fail"] for row in rows)}
    worst = sorted(failing, key=lambda number: sum(row["pass_fail"] for row in failing[number]) / len(failing[number]))
    for number in worst[:MOST_SCENARIOS]:
        yield _of_scenario(asked[number], failing[number], of_earlier)


def _newest_results(
    tx: Connection, asked: dict[int, Scenario], runs: str, *values: str
) -> dict[int, list[dict[str, Any]]]:
    """Per scenario the rows of its newest run; of scenarios edited since, none."""
    found: dict[int, list[dict[str, Any]]] = {}
    for (run,) in driver(tx).execute(runs, values).fetchall():
        cursor = driver(tx).execute(_RESULTS, (run,))
        names = [column[0] for column in cursor.description]
        for row in (dict(zip(names, one, strict=True)) for one in cursor):
            scenario = asked.get(row["scenario_id"])
            if scenario is None or row["scenario_snapshot"] != scenario.snapshot():
                continue
            rows = found.setdefault(scenario.id, [])
            if not rows or rows[0]["eval_run_id"] == run:
                rows.append(row)
    return found


def _of_scenario(scenario: Scenario, rows: Sequence[dict[str, Any]], remark: str) -> Failure:
    lost = [row for row in rows if not row["pass_fail"]]
    reasons = [reason for _, result, reason in json.loads(lost[0]["check_results"]) if result == "fail"]
    why = f"scenario '{scenario.name}' failed in {len(lost)} of {len(rows)} runs ({remark}{'; '.join(reasons)})"
    answered = str(json.loads(lost[0]["transcript"]).get("answer") or "")
    return _failure(f"scenario:{scenario.id}", Kind.SCENARIO, scenario.input, answered, why, scenario_id=scenario.id)


def _since(tx: Connection, profile: str, relpath: str) -> datetime:
    """What went wrong before the file's last change may be what that change was for."""
    query = "SELECT max(coalesce(applied_at, ''), coalesce(reverted_at, '')) FROM experiments"
    rows = driver(tx).execute(f"{query} WHERE profile = ? AND target_relpath = ?", (profile, relpath))
    changed = max((moment for (moment,) in rows), default="")
    recent = clock.now() - _RECENT
    return max(recent, clock.parse(changed)) if changed else recent


def _sessions(context: Context, profile: str, since: datetime) -> Iterator[Failure]:
    said: dict[str, feedback.Feedback] = {}
    for one in feedback.list_feedback(context, profile=profile, limit=1000):
        said.setdefault(one.session_id, one)
    signal = success_signal(context.settings.success_checks)
    idle = timedelta(minutes=context.settings.window.idle_minutes)
    given = 0
    for session in reversed(read_sessions(context.home(profile) / "state.db", since, idle=idle)):
        word = said.get(session.session_id)
        found = outcome(session, signal, None if word is None else bool(word.good))
        if found.result is Result.FAILURE and not session.excluded and _PLAIN_ID.fullmatch(session.session_id):
            yield _of_session(session, word, found.reason)
            given += 1
        if given == MOST_SESSIONS:
            return


def _of_session(session: Session, word: feedback.Feedback | None, reason: str) -> Failure:
    errors = f", {session.errors} errors" if session.errors else ""
    if word is not None:
        name, kind, why = f"feedback:{word.id}", Kind.FEEDBACK, f"a person said this session went badly{errors}"
    else:
        name, kind, why = f"session:{session.session_id}", Kind.SESSION, f"session failed ({reason}{errors})"
    note = (word.note or "") if word else ""
    return _failure(name, kind, session.last_user, session.last_answer, why, session_id=session.session_id, note=note)


def _failure(
    name: str,
    kind: Kind,
    asked: str,
    answered: str,
    why: str,
    *,
    scenario_id: int | None = None,
    session_id: str | None = None,
    note: str = "",
) -> Failure:
    cleaned = (sanitize(text).text for text in (asked, answered, why, note))
    return Failure(name, kind, scenario_id, session_id, *cleaned)
