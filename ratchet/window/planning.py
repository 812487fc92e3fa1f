"""Makes the plan of a live window: what can be tested, how strictly, what that will catch, and whether to trust it.

A plan made for a proposal is kept for a while as a draft: who is shown a plan, signs it and approves gets that plan,
and what took seconds to compute is there when somebody decides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ... import clock
from ..._db import driver
from ...errors import Conflict, NoEvidence, SettingsInvalid
from ...settings import WindowSettings
from .. import experiments
from ..context import Context
from ..experiments import Experiment
from ..states import State
from . import anchors, baseline, calibrations, host_versions, planned_tests
from . import replay as replaying
from . import sessions as window_sessions
from .anchors import Kind, Standing
from .baseline import History
from .live_plan import SETTINGS, Figures, LivePlan, Measure, PlannedTest, read_document
from .signal import success_signal

if TYPE_CHECKING:
    from sqlalchemy import Connection

_FRESH = timedelta(days=1)
_ROUNDING = 1 + 1e-9
_HIGHEST_BOUNDARY = 0.5
_AT_ONCE = 250
"""Sessions of baseline and window together up to which a boundary is found within a second or two."""


class PlanNotReady(Conflict):
    """The boundary of so large a window takes a while to compute."""

    code = "plan_not_ready"


def make_plan(context: Context, experiment: Experiment) -> LivePlan:
    """The plan for an experiment, from the settings and the profile's newest sessions on the base version.

    The same one again for a day, unless something it depends on has changed; while the baseline is not full, that is
    also its sessions. No transaction may be open around it. Raises BadInput for a malformed success check,
    SettingsInvalid for sizes that make no window, SessionsUnavailable.
    """
    host_versions.note(context)
    prefix = _draft_name(context, experiment)
    if (kept := _draft(context, experiment, prefix)) is not None:
        return kept
    made = _make(context, experiment)
    with context.store.write() as tx:
        calibrations.keep(tx, prefix + calibrations.canonical(clock.stamp()) + "]", made.document())
    return made


def check_prepared(context: Context, experiment_id: int) -> None:
    """Raises PlanNotReady when approving would keep somebody waiting for the plan: the daemon makes it in a moment."""
    window, experiment = context.settings.window, experiments.get(context, experiment_id)
    large = window.n0 + window.n_max > _AT_ONCE
    if large and experiment.state == State.PROPOSED and draft(context, experiment) is None:
        raise PlanNotReady(
            f"The live window of experiment {experiment_id} is still being calculated by the daemon, which takes some "
            f"seconds for so many sessions. Try again in a moment, or look: hermes ratchet live {experiment_id}",
            experiment_id=experiment_id,
        )


def draft(context: Context, experiment: Experiment) -> LivePlan | None:
    """The plan that was made for an experiment and still holds; None when it would have to be made."""
    return _draft(context, experiment, _draft_name(context, experiment))


# --- drafts


def _draft_name(context: Context, experiment: Experiment) -> str:
    """Everything but the sessions that a plan depends on, as the beginning of a canonical JSON array."""
    settings = context.settings
    with context.store.read() as tx:
        facts = {
            "experiment": experiment.id,
            "base": experiment.base_sha256,
            "candidate": experiment.candidate_sha256,
            "window": settings.window.model_dump(mode="json"),
            "checks": list(settings.success_checks),
            "host": host_versions.load(tx).current,
            "before": _last_window(tx, experiment.profile),
        }
    return calibrations.canonical(["plan", facts])[:-1] + ","


def _last_window(tx: Connection, profile: str) -> list[Any]:
    query = (
        "SELECT id, state, live_verdict FROM experiments WHERE profile = ? AND applied_at IS NOT NULL"
        " ORDER BY applied_at DESC LIMIT 1"
    )
    return list(driver(tx).execute(query, (profile,)).fetchone() or ())


def _draft(context: Context, experiment: Experiment, prefix: str) -> LivePlan | None:
    with context.store.read() as tx:
        found = calibrations.newest(tx, prefix)
    if found is None:
        return None
    try:
        plan = read_document(found[0])
    except NoEvidence:  # another version of this program made it
        return None
    full = len(plan.baseline) >= context.settings.window.n0 and bool(plan.tests)
    if clock.parse(found[1]) <= clock.now() - _FRESH or not _is_of_todays_settings(context, plan):
        return None
    return plan if full or plan.baseline == _look_back(context, experiment).sessions else None


def _is_of_todays_settings(context: Context, plan: LivePlan) -> bool:
    """Whether the draft says what the settings say: it lies where anybody can add another one under its name."""
    window = context.settings.window
    return (
        all(getattr(plan, name) == getattr(window, name) for name in SETTINGS)
        and plan.success_checks == _stored_checks(context)
        and plan.asks == (not plan.replay.trustworthy and window.when_advisory == "ask")
        and sum(test.window.alpha for test in plan.tests) <= window.alpha * _ROUNDING
        and all(0 <= test.boundary < _HIGHEST_BOUNDARY for test in plan.tests)
    )


# --- the plan


@dataclass(frozen=True)
class _Lookback:
    """The profile's past, whether success can be told from it, and the baseline sessions that come of it."""

    past: History
    tests_success: bool
    sessions: tuple[Figures, ...]


def _look_back(context: Context, experiment: Experiment) -> _Lookback:
    window = context.settings.window
    signal = success_signal(context.settings.success_checks)
    past = baseline.look_back(context, experiment, signal)
    tests_success = "success" in window.measures and (
        signal is not None or (past.has_feedback and past.share_known(window.n0) >= 1 - window.max_left_out)
    )
    known = tests_success or window.measures == ("success",)
    return _Lookback(past, tests_success, _whole(past.on_base(window.n0, known=known), window.n0))


def _stored_checks(context: Context) -> str:
    return json.dumps(context.settings.success_checks, sort_keys=True)


def _make(context: Context, experiment: Experiment) -> LivePlan:
    window, stored_checks = context.settings.window, _stored_checks(context)
    _check_sizes(window)
    found = _look_back(context, experiment)
    past, tests_success, sessions = found.past, found.tests_success, found.sessions
    with context.store.read() as tx:
        version, cuts = host_versions.load(tx).current, replaying.cuts(tx, experiment.profile)
        kind = Kind(past.model, version, window_sessions.scope(experiment.target_relpath), stored_checks)
        standing = _usable(anchors.standing(tx, experiment.profile, kind), tests_success)
    measures = _measures(window, sessions, standing, tests_success)
    enough = len(sessions) >= window.n_min
    tests = planned_tests.make(context, measures, sessions, standing) if enough else ()
    seed = _seed(experiment)
    replay = replaying.replay(past.comparable, cuts, tests, seed)
    return LivePlan(
        n0=window.n0,
        n_min=window.n_min,
        n=window.n,
        n_max=window.n_max,
        alpha=window.alpha,
        margin=window.margin,
        confidence=window.confidence,
        max_days=window.max_days,
        idle_minutes=window.idle_minutes,
        max_left_out=window.max_left_out,
        success_checks=stored_checks,
        model=past.model,
        host_version=version,
        scope=kind.scope,
        seed=seed,
        tests=tests,
        baseline=sessions,
        anchor=standing.sessions if tests else None,
        anchor_experiment=standing.experiment if tests else None,
        windows_before=standing.windows if tests else 0,
        replay=replay,
        asks=not replay.trustworthy and window.when_advisory == "ask",
        per_day=past.per_day,
        note=_note(window, sessions, measures, tests),
        left_out=past.left_out,
    )


def _check_sizes(window: WindowSettings) -> None:
    try:
        planned_tests.shape(window, window.n0, window.alpha, window.margin)
    except ValueError as error:
        raise SettingsInvalid(f"The settings under 'window' make no window ({error}). Correct them.") from None


def _whole(sessions: tuple[Figures, ...], n0: int) -> tuple[Figures, ...]:
    """The newest of them, in a number that stays the same while a few more come in: so does the boundary, then."""
    count = len(sessions)
    step = 1 if count >= n0 or count <= 20 else 5 if count <= 100 else 20
    return sessions[count % step :]


def _usable(standing: Standing, tests_success: bool) -> Standing:
    """An anchor of which no outcome is known cannot be compared with; the next baseline takes its place."""
    sessions = standing.sessions
    unknown = sessions is not None and tests_success and all(one.success is None for one in sessions)
    return Standing() if unknown else standing


def _measures(
    window: WindowSettings, sessions: Sequence[Figures], standing: Standing, tests_success: bool
) -> list[Measure]:
    """What can be tested: cost where the host knows it of every session, tokens where it wrote any down."""
    found = [Measure.SUCCESS] if tests_success else []
    if "errors" in window.measures:
        found.append(Measure.ERRORS)
    compared = [*sessions, *(standing.sessions or ())]
    if "cost" in window.measures and all(one.cost_micro_usd is not None for one in compared):
        found.append(Measure.COST)
    elif "cost" in window.measures and any(one.tokens for one in compared):
        found.append(Measure.TOKENS)
    return found


def _seed(experiment: Experiment) -> int:
    """Drawn from what the experiment is, so that nobody chooses it and everybody can draw it again."""
    drawn = f"{experiment.profile}/{experiment.id}/{experiment.base_sha256}/{experiment.candidate_sha256}"
    return int.from_bytes(hashlib.sha256(drawn.encode()).digest()[:6], "big")


def _note(
    window: WindowSettings, sessions: Sequence[Figures], measures: Sequence[Measure], tests: Sequence[PlannedTest]
) -> str:
    lacking = "success" in window.measures and Measure.SUCCESS not in measures
    missing = "no success signal configured: " if lacking else ""
    if measures and not tests:
        known = " with a known outcome" if Measure.SUCCESS in measures else ""
        return f"{missing}only {len(sessions)} baseline sessions{known}: nothing is tested"
    if not tests:
        return f"{missing}nothing is tested"
    *first, last = [test.measure.value for test in tests]
    tested = f"{', '.join(first)} and {last} are" if first else f"{last} is"
    return f"{missing}{tested} tested"
