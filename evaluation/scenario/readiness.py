"""Which scenarios can give a verdict here: the others are not run, because every run of them is paid for."""

from __future__ import annotations

from ... import host
from .. import checks

JUDGE_TASK = "ratchet_judge"
DRAFT = "it is a draft without checks, so no run of it could give a verdict: add checks"
UNJUDGED = (
    "it has a rubric, and no judge is configured: name a model in auxiliary.ratchet_judge of the default profile's "
    "config.yaml, or replace the rubric by other checks"
)


def judge_is_configured() -> bool:
    """Whether the default profile's configuration names a judge. Raises SettingsInvalid."""
    return host.auxiliary_route(JUDGE_TASK) is not None


def why_not_run(stored_checks: str, *, with_judge: bool) -> str | None:
    """Why no evaluation runs a scenario with these checks (JSON); None when one does.

    One rubric without a judge is enough: such a run can fail, but never pass.
    """
    parsed = checks.parse_checks(stored_checks)
    if not parsed:
        return DRAFT
    if not with_judge and any(isinstance(check, checks.Judge) for check in parsed):
        return UNJUDGED
    return None


def can_run(stored_checks: str) -> bool:
    """Whether an evaluation would run a scenario with these checks (JSON) now. Raises SettingsInvalid."""
    return why_not_run(stored_checks, with_judge=judge_is_configured()) is None
