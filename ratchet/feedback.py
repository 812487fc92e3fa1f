"""What persons say of real sessions: good or bad, each word kept, the newest one of a session counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from .. import _metrics, clock, schema
from .._db import as_record, driver
from ..errors import BadInput, Conflict, NotFound
from ..privacy import sanitize
from . import events
from .actor import Actor
from .context import Context

if TYPE_CHECKING:
    from sqlalchemy import Connection

LONGEST_NOTE = 2_000
"""Characters."""


class UnknownSession(NotFound):
    code = "unknown_session"


class SessionLeftOut(Conflict):
    """No outcome is ever read from such a session, so nothing said of it would count."""

    code = "session_left_out"


@dataclass(frozen=True)
class Feedback:
    """One thing somebody said. ``session_id`` is that of the conversation's first part; ``good`` is 0 or 1."""

    id: int
    profile: str
    session_id: str
    good: int
    note: str | None
    actor: str
    principal: str
    created_at: str


def give(context: Context, profile: str, session_id: str, good: bool, note: str | None, actor: Actor) -> Feedback:
    """Keep what ``actor`` says of a conversation, named by the id of any of its parts; the note without its secrets.

    Raises UnknownProfile, UnknownSession, SessionLeftOut, SessionsUnavailable, and BadInput for a note too long.
    """
    words = (note or "").strip()
    if len(words) > LONGEST_NOTE:
        raise BadInput(f"The note has {len(words)} characters; {LONGEST_NOTE} are the most. Shorten it and try again.")
    row = {
        "profile": profile,
        "session_id": conversation(context, profile, session_id),
        "good": int(good),
        "note": sanitize(words.encode("utf-8", "backslashreplace").decode("utf-8")).text or None,
        "actor": actor.name,
        "principal": actor.principal,
        "created_at": clock.stamp(),
    }
    with context.store.write() as tx:
        number = tx.execute(insert(schema.session_feedback).values(row)).lastrowid
        # Without the note: an event goes to whoever listens, and a note may tell what the session was about.
        events.emit(tx, "feedback.given", profile=profile, session_id=row["session_id"], good=good, actor=actor.name)
    return Feedback(id=int(number), **row)  # type: ignore[arg-type]


def conversation(context: Context, profile: str, session_id: str) -> str:
    """The id under which a conversation counts: that of its first part, whichever part ``session_id`` names.

    Raises UnknownProfile, UnknownSession, SessionLeftOut, SessionsUnavailable.
    """
    found = _metrics.find_conversation(context.home(profile) / "state.db", session_id)
    if found is None:
        raise UnknownSession(
            f"Profile '{profile}' has no session {session_id!r}. Its newest ones: hermes -p {profile} sessions list",
            profile=profile,
            session_id=session_id,
        )
    if found.excluded:
        raise SessionLeftOut(
            f"Session {session_id} never counts ({found.excluded}). Judge a session of a person instead.",
            profile=profile,
            session_id=session_id,
        )
    return found.session_id


def newest(tx: Connection, profile: str) -> dict[str, bool]:
    """What was said last of each conversation of a profile, by the id of its first part: good or not."""
    query = "SELECT session_id, good FROM session_feedback WHERE profile = ? ORDER BY id"
    return {session_id: bool(good) for session_id, good in driver(tx).execute(query, (profile,))}


def list_feedback(
    context: Context, *, profile: str | None = None, limit: int = 100, before: int | None = None
) -> list[Feedback]:
    """Newest first; ``before`` is the id from which the next page goes on. Raises BadInput."""
    if not 1 <= limit <= 1000:
        raise BadInput("limit must be between 1 and 1000.")
    table = schema.session_feedback
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    if profile is not None:
        query = query.where(table.c.profile == profile)
    if before is not None:
        query = query.where(table.c.id < before)
    with context.store.read() as tx:
        return [as_record(Feedback, row) for row in tx.execute(query)]
