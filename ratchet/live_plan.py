"""What a live window will do, fixed and hashed at approval, before its first session."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from .. import _metrics, clock, schema
from .._metrics import Result, SuccessCheck
from ..errors import NoEvidence, SettingsInvalid
from ..evaluation.exposure import Arm
from ..settings import WindowSettings
from ..stats.calibration import WindowPlan, calibrate
from . import experiments, window_sessions
from .context import Context
from .experiments import Experiment
from .signal import success_signal

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class LivePlan:
    """What a window will do, fixed and hashed before its first session.

    ``window`` is None when the profile gives no success signal or has too few baseline sessions; then nothing can be
    tested and the window ends as inconclusive. ``baseline_sessions`` are the sessions the live ones are compared with.
    """

    n: int
    n_max: int
    window: WindowPlan | None
    boundary: float | None
    baseline_successes: int
    baseline_sessions: tuple[str, ...]
    max_days: float
    idle_minutes: float
    max_left_out: float
    success_checks: str
    note: str

    def document(self) -> str:
        """The plan as canonical JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.document().encode("utf-8")).hexdigest()


def make_plan(context: Context, experiment: Experiment) -> LivePlan:
    """The plan for an experiment, from the settings and the profile's newest sessions on the base version.

    Raises BadInput for a malformed success check, SettingsInvalid for sizes that make no window.
    """
    settings, window = context.settings, context.settings.window
    signal = success_signal(settings.success_checks)
    baseline = _baseline(context, experiment, signal) if signal else []
    tested = _tested(window, len(baseline)) if len(baseline) >= window.n_min else None
    if signal is None:
        note = "no success signal configured: nothing is tested"
    elif tested is None:
        note = f"only {len(baseline)} baseline sessions with a known outcome: nothing is tested"
    else:
        note = "success rate, by sequential mid-p Fisher; errors are counted, not tested"
    return LivePlan(
        n=window.n,
        n_max=window.n_max,
        window=tested,
        boundary=calibrate(tested) if tested else None,
        baseline_successes=sum(result is Result.SUCCESS for _, result in baseline),
        baseline_sessions=tuple(session_id for session_id, _ in baseline),
        max_days=window.max_days,
        idle_minutes=window.idle_minutes,
        max_left_out=window.max_left_out,
        success_checks=json.dumps(settings.success_checks, sort_keys=True),
        note=note,
    )


def _tested(window: WindowSettings, baseline: int) -> WindowPlan:
    try:
        return WindowPlan(
            baseline, window.n_min, window.n, window.n_max, window.alpha, window.margin, window.confidence
        )
    except ValueError as error:
        raise SettingsInvalid(f"The settings under 'window' make no window ({error}). Correct them.") from None


def store_plan(tx: Connection, experiment: Experiment, plan: LivePlan) -> str:
    """Keep the plan. Returns its SHA-256."""
    row = {
        "experiment_id": experiment.id,
        "sha256": plan.sha256,
        "document": plan.document(),
        "created_at": clock.stamp(),
    }
    tx.execute(insert(schema.live_plans).values(row))
    return plan.sha256


def load_plan(tx: Connection, experiment_id: int) -> LivePlan:
    """The stored plan of an experiment. Raises NoEvidence when it was never approved."""
    table = schema.live_plans
    found = tx.execute(select(table.c.document).where(table.c.experiment_id == experiment_id)).scalar_one_or_none()
    if found is None:
        raise NoEvidence(f"Experiment {experiment_id} has no live plan: it was not approved yet.")
    fields: dict[str, Any] = json.loads(found)
    window = fields.pop("window")
    sessions = tuple(fields.pop("baseline_sessions"))
    return LivePlan(window=WindowPlan(**window) if window else None, baseline_sessions=sessions, **fields)


def _baseline(context: Context, experiment: Experiment, signal: SuccessCheck) -> list[tuple[str, Result]]:
    """The newest sessions that provably met the base version and whose outcome is known, oldest first."""
    window, versions = context.settings.window, experiments.contents(context, experiment)
    found: list[tuple[str, Result]] = []
    for session in reversed(window_sessions.read(context, experiment, None, window.idle_minutes)):
        if len(found) == window.n0:
            break
        if not session.is_over or session.excluded or session.mixed_prompts:
            continue
        result = _metrics.outcome(session, signal).result
        if result is not Result.UNKNOWN and window_sessions.met(context, experiment, versions, session) is Arm.BASELINE:
            found.append((session.session_id, result))
    return found[::-1]
