"""How a live window looks on a terminal: its verdict, then what it promises, has seen, left out and waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from . import render
from .render import Column

if TYPE_CHECKING:
    from ..ratchet.window.explanation import Explanation
    from ..ratchet.window.live_window import WindowStatus

_MEMBERS = (
    Column("session", 22),
    Column("counted"),
    Column("outcome", most=14),
    Column("errors"),
    Column("tokens"),
    Column("why", takes_rest=True),
)


def document(found: WindowStatus, told: Explanation) -> dict[str, Any]:
    """The stable JSON form."""
    return {
        "experiment_id": found.experiment.id,
        "state": found.experiment.state,
        "verdict": found.verdict,
        "badge": told.badge,
        "reason": found.reason,
        "counted": found.counted,
        "errors": found.errors,
        "asks": found.asks,
        "contaminated": found.contaminated,
        "ends_at": found.ends_at,
        "decision": asdict(found.decision) if found.decision else None,
        "looks": [asdict(look) for look in found.looks],
        "explanation": asdict(told),
        "plan": asdict(found.plan),
        "sessions": [asdict(member) for member in found.members],
    }


def window(console: Console, found: WindowStatus, told: Explanation) -> None:
    render.heading(console, f"Live window of experiment {found.experiment.id} ({found.experiment.state})")
    render.facts(console, [("rests on", told.badge)])
    _part(console, "So far", told.evidence)
    _part(console, "Left out", told.left_out)
    _part(console, "What it will catch and miss", told.planned)
    _part(console, "Who serves it", told.serving)
    _part(console, "Next", told.next)
    if found.members:
        console.print()
        rows = [
            (m.session_id, "yes" if m.counted else "no", m.outcome, m.errors, m.tokens, m.reason) for m in found.members
        ]
        console.print(render.table(_MEMBERS, rows))


def _part(console: Console, title: str, sentences: Sequence[str]) -> None:
    if not sentences:
        return
    console.print()
    render.heading(console, title)
    for sentence in sentences:
        render.say(console, sentence)
