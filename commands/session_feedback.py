"""``hermes ratchet good`` and ``bad``: what a person at a terminal says of a real session."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from .. import _metrics, clock, host
from .._metrics import Session
from ..errors import BadInput, Forbidden
from ..ratchet import feedback
from . import experiment_views as views
from . import session
from .output import Answer
from .plain import one_line

if TYPE_CHECKING:
    from ..ratchet.context import Context

_OFFERED_FROM = timedelta(days=7)
_OFFERED = 5


class FeedbackRefused(Forbidden):
    code = "feedback_refused"


def good(args: Namespace) -> Answer:
    return _give(args, good=True)


def bad(args: Namespace) -> Answer:
    return _give(args, good=False)


def _give(args: Namespace, *, good: bool) -> Answer:
    if host.inside_agent():
        raise FeedbackRefused(
            "How a session went is for a person to say, and this is an agent's tool shell. "
            "Say it in the chat (/ratchet good, /ratchet bad) or in a terminal of your own."
        )
    profile = session.target(args.target)
    with session.opened() as context:
        session_id = args.session_id or _meant(context, profile, "good" if good else "bad")
        given = feedback.give(context, profile, session_id, good, args.note, session.actor())
    document = {"ok": True, **asdict(given), "good": good}
    word = "good" if good else "bad"
    return Answer(document, views.sentence(f"Kept: {word}, for session {given.session_id} of '{profile}'."))


def _meant(context: Context, profile: str, verb: str) -> str:
    """The one conversation that is going on or just ended. Raises BadInput with a choice when that is not one."""
    now, idle = clock.now(), timedelta(minutes=context.settings.window.idle_minutes)
    read = _metrics.read_sessions(context.home(profile) / "state.db", now - _OFFERED_FROM, idle=idle, now=now)
    known = sorted((one for one in read if not one.excluded), key=lambda one: one.last_at, reverse=True)
    recent = [one for one in known if one.last_at > now - idle]
    if len(recent) == 1:
        return recent[0].session_id
    if not known:
        raise BadInput(f"Profile '{profile}' had no session in the last 7 days. Name one: hermes ratchet {verb} ID")
    choices = "\n".join(_choice(one, profile, verb) for one in known[:_OFFERED])
    raise BadInput(f"Which session of '{profile}'? Say one of:\n{choices}")


def _choice(one: Session, profile: str, verb: str) -> str:
    return f"hermes ratchet {verb} {one.session_id} --target {profile}  # {one_line(one.last_user, 40)}"
