"""A scenario from a real session: "this went wrong, remember it"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ... import _metrics, schema
from ...errors import BadInput, Conflict
from ...ratchet.actor import Actor
from ...ratchet.context import Context
from ...ratchet.feedback import SessionLeftOut, UnknownSession
from . import readiness
from .placement import FROM_SESSION, Unplaced, belongs_to_holdout
from .scenarios import Scenario, in_use, insert_scenario
from .texts import MAX_INPUT, cleaned

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..._metrics import Requests

LONGEST_NOTE = 2_000
"""Characters."""
_RUBRIC = (
    "A person found an earlier answer to this request wrong and said why. The answer must not have that fault again, "
    "and must do what was asked. What the person said:\n\n{note}"
)


class NothingAsked(BadInput):
    """The session holds no request that a scenario could repeat."""

    code = "nothing_asked"


def draft_from_session(
    context: Context, profile: str, session_id: str, note: str | None, actor: Actor, *, first: bool = False
) -> Scenario:
    """Make a scenario of what was asked last in a session (``first``: what was asked first).

    The last request is what the person has just seen go wrong; the first one needs nothing that was said before it.
    Secrets and personal data become placeholders, and the name tells nothing of the text, because names of held-out
    scenarios are shown. A ``note`` becomes a rubric. With one and a configured judge the scenario falls into the split
    of :func:`placement.belongs_to_holdout`; else it is a draft in the train split, which no evaluation runs until
    somebody gives it checks.

    Raises UnknownProfile, UnknownSession, SessionLeftOut, NothingAsked, SessionsUnavailable, SettingsInvalid, BadInput
    for a note or a request too long, Conflict when this request of this session is remembered already.
    """
    words = (note or "").strip()
    if len(words) > LONGEST_NOTE:
        raise BadInput(f"The note has {len(words)} characters; {LONGEST_NOTE} are the most. Shorten it and try again.")
    found = _requests(context, profile, session_id)
    asked = _unbroken(found.asked[0] if first else found.asked[-1])
    if len(asked) > MAX_INPUT:
        raise BadInput(
            f"The request has {len(asked)} characters; a scenario's input has at most {MAX_INPUT}. Write a shorter one "
            "that shows the same: hermes ratchet scenario add --help"
        )
    source = f"{FROM_SESSION}{found.session_id}"
    checks = [{"type": "judge", "rubric": _RUBRIC.format(note=_unbroken(words))}] if words else []
    with context.store.write() as tx:
        text = cleaned(_free_name(tx, profile, found.session_id), asked, checks)
        _check_new(tx, profile, source, text.input)
        unplaced = Unplaced(text.input, source)
        held_out = readiness.can_run(text.checks) and belongs_to_holdout(profile, unplaced, in_use(tx, profile))
        return insert_scenario(tx, profile, text, actor, holdout=held_out, source=source)


def _requests(context: Context, profile: str, session_id: str) -> Requests:
    found = _metrics.read_requests(context.home(profile) / "state.db", session_id)
    ids = {"profile": profile, "session_id": session_id}
    if found is None:
        raise UnknownSession(
            f"Profile '{profile}' has no session {session_id!r}. Its newest ones: hermes -p {profile} sessions list",
            **ids,
        )
    if found.excluded:
        raise SessionLeftOut(
            f"Session {session_id} is none of a person's ({found.excluded}). Remember one of a person instead.", **ids
        )
    if not found.asked:
        raise NothingAsked(f"In session {session_id} nobody asked for anything yet. Name another one.", **ids)
    return found


def _unbroken(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _free_name(tx: Connection, profile: str, session_id: str) -> str:
    """A name that no scenario in use has; of an id that a platform made up, only what can be shown."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in _unbroken(session_id))[:100]
    table = schema.scenarios
    query = select(table.c.name).where(table.c.profile == profile, table.c.deleted_at.is_(None))
    taken = set(tx.execute(query).scalars())
    names = [f"session {shown}", *(f"session {shown} ({number})" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def _check_new(tx: Connection, profile: str, source: str, asked: str) -> None:
    table = schema.scenarios
    same = (table.c.profile == profile) & (table.c.source == source) & (table.c.input == asked)
    known = tx.execute(select(table.c.id).where(same, table.c.deleted_at.is_(None)).limit(1)).scalar_one_or_none()
    if known is not None:
        raise Conflict(
            f"This request of the session is scenario {known} already. Look at it: hermes ratchet scenario show "
            f"{known}",
            scenario_id=known,
        )
