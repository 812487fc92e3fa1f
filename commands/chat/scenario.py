"""``/ratchet scenario``: "this went wrong, remember it" becomes a scenario that every later proposal is measured on."""

from __future__ import annotations

from collections.abc import Sequence

from ...evaluation.scenario import readiness
from ...evaluation.scenario.from_session import draft_from_session
from ..session import opened
from .feedback import meant
from .sender import actor
from .text import Reply
from .views import page


def remember(words: Sequence[str]) -> Reply:
    """Keep what was asked last in the chat's last conversation, and what is said of it.

    Nothing of the text is answered: it may be held out. Raises what :func:`draft_from_session` and
    :func:`chat_feedback.meant` do.
    """
    with opened() as context:
        profile, session_id, note = meant(context, words, "scenario", "hermes ratchet scenario add --help")
        kept = draft_from_session(context, profile, session_id, note, actor())
        unused = readiness.why_not_run(kept.checks, with_judge=readiness.judge_is_configured())
        text = f"Kept as scenario {kept.id} of '{profile}'"
        if unused is None:
            return Reply(f"{text}. The next evaluations include it.")
        return Reply(f"{text}, which no evaluation runs yet: {unused}.", page(context))
