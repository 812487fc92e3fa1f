"""The configured sign that a session went well: checks on its last answer and on the tools it used."""

from __future__ import annotations

from collections.abc import Sequence

from ..._metrics import Session, SuccessCheck
from ...evaluation.checks import Check, Outcome, evaluate, parse_checks
from ...evaluation.running.runner import AgentRun, ToolCall


def success_signal(checks: Sequence[object] | str) -> SuccessCheck | None:
    """A function that says whether a session succeeded (None: cannot tell); None when there is no check.

    ``checks`` are mappings or the same as JSON. Raises BadInput for a malformed one.
    """
    parsed = parse_checks(checks)
    return (lambda session: _passes(parsed, session)) if parsed else None


def _passes(checks: tuple[Check, ...], session: Session) -> bool | None:
    outcome = evaluate(checks, _as_run(session), require_exposure=False).outcome
    return None if outcome in (None, Outcome.NO_RESULT) else outcome is Outcome.PASS


def _as_run(session: Session) -> AgentRun:
    """A real session in the shape that checks judge."""
    return AgentRun(
        answer=session.last_answer,
        tool_trace=tuple(ToolCall(name, "", True) for name in session.tools),
        cost_micro_usd=session.cost_micro_usd,
        model=session.model or "",
        completed=session.answered,
        session_id=session.session_id,
    )
