"""The sessions that live ones are compared with: the newest on the version before the change, and who is left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ... import _metrics, clock
from ..._metrics import Outcome, Result, Session, SuccessCheck
from ...evaluation.running.exposure import Arm
from .. import experiments, feedback
from ..context import Context
from ..experiments import Experiment
from . import host_versions
from . import sessions as window_sessions
from .host_versions import HostVersions
from .live_plan import Figures

_LOOK_BACK = (timedelta(days=14), timedelta(days=120))
_TRAFFIC = timedelta(days=14)
_REPLAYED_WINDOWS = 20
_READ_AT_MOST = 2_000
"""Sessions of which the prompts and answers are compared; a skill's reader costs a query each."""


@dataclass(frozen=True)
class Past:
    """One comparable session of the profile: when it began, what is compared of it, and which version it met."""

    started_at: datetime
    figures: Figures
    on_base: bool
    answered_by_feedback: bool


@dataclass(frozen=True)
class History:
    """What a profile's recent sessions are good for, oldest first.

    ``comparable`` are finished sessions of the same model and host version, of whatever outcome. ``left_out`` counts
    the others that met the base version or may have, by reason; ``per_day`` the comparable ones of the last two weeks.
    """

    model: str | None
    comparable: tuple[Past, ...]
    per_day: float | None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def on_base(self, count: int, *, known: bool) -> tuple[Figures, ...]:
        """The newest ``count`` on the base version, oldest first; ``known``: only those with an outcome."""
        found = [one.figures for one in self.comparable if one.on_base]
        return tuple([one for one in found if one.success is not None or not known][-count:])

    def share_known(self, count: int) -> float:
        """The share of the newest ``count`` on the base version whose outcome is known."""
        found = self.on_base(count, known=False)
        return sum(one.success is not None for one in found) / len(found) if found else 0.0

    @property
    def has_feedback(self) -> bool:
        return any(one.answered_by_feedback for one in self.comparable if one.on_base)


def look_back(context: Context, experiment: Experiment, signal: SuccessCheck | None) -> History:
    """The profile's past as far as it can be compared with a window of this experiment. Raises SessionsUnavailable."""
    sessions = _finished(context, experiment)
    with context.store.read() as tx:
        words, versions = feedback.newest(tx, experiment.profile), host_versions.load(tx)
    model = _model(sessions, 2 * context.settings.window.n_min)
    contents = experiments.contents(context, experiment)
    scoped = bool(window_sessions.scope(experiment.target_relpath))
    comparable: list[Past] = []
    left_out: Counter[str] = Counter()
    for session in sessions[-_READ_AT_MOST:]:
        try:
            arm = window_sessions.met(context, experiment, contents, session)
            past = _past(session, arm, signal, words.get(session.session_id))
        except window_sessions.BROKEN_CONTENTS:
            left_out[window_sessions.UNREADABLE] += 1
            continue
        reason = _left_out(experiment, session, model, versions)
        if reason and arm is Arm.BASELINE:
            left_out[reason] += 1
        elif not reason and (arm is Arm.BASELINE or not scoped):
            comparable.append(past)
    return History(model, tuple(comparable), _per_day(comparable), dict(left_out))


def _finished(context: Context, experiment: Experiment) -> list[Session]:
    """Enough recent sessions of persons for a baseline and a replay; a busy profile's far past is not read."""
    window, found = context.settings.window, list[Session]()
    for span in _LOOK_BACK:
        read = window_sessions.read(context, experiment, clock.now() - span, window.idle_minutes)
        found = [session for session in read if session.is_over and not session.excluded]
        if len(found) >= window.n0 + _REPLAYED_WINDOWS * window.n_max:
            break
    return found


def _model(sessions: Sequence[Session], newest: int) -> str | None:
    """The model that most of the newest sessions had: one conversation with another one changes nothing."""
    used = Counter(session.model for session in sessions[-newest:] if session.model)
    return used.most_common(1)[0][0] if used else None


def _left_out(experiment: Experiment, session: Session, model: str | None, versions: HostVersions) -> str:
    if any(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", experiment.rationale) for part in session.parts):
        return "it prompted the proposal"
    if session.mixed_prompts:
        return "met more than one prompt"
    if not window_sessions.is_comparable(session, model):
        return "another model"
    if versions.at(session.started_at) != versions.current:
        return "another host version"
    return ""


def _past(session: Session, arm: Arm | None, signal: SuccessCheck | None, word: bool | None) -> Past:
    outcome = _metrics.outcome(session, signal, word)
    figures = Figures(session.session_id, _success(outcome), session.errors, session.tokens, session.cost_micro_usd)
    return Past(session.started_at, figures, arm is Arm.BASELINE, word is not None)


def _success(outcome: Outcome) -> bool | None:
    return None if outcome.result is Result.UNKNOWN else outcome.result is Result.SUCCESS


def _per_day(comparable: Iterable[Past]) -> float | None:
    """Comparable sessions a day, over the last two weeks or as long as there were any; None without one."""
    now = clock.now()
    recent = [one.started_at for one in comparable if one.started_at > now - _TRAFFIC]
    if not recent:
        return None
    days = max((now - min(recent)) / timedelta(days=1), 1.0)
    return round(len(recent) / days, 2)
