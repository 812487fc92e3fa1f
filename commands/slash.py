"""``/ratchet`` in a chat: one answer to each command, whatever happens."""

from __future__ import annotations

from ..errors import RatchetError
from .chat import text as chat_text


def answer(raw: str) -> str:
    """The answer to ``/ratchet <raw>``: at most a screenful; every failure is an answer too."""
    try:
        from .chat.commands import carry_out

        return chat_text.on_screen(carry_out(raw))
    except RatchetError as error:
        text = error.message
    except ImportError as error:
        from ..installation import dependencies

        text = dependencies.explain(error)
    except Exception as error:  # a chat must get an answer, and the host would take silence for an unknown command
        text = f"This should not happen: {type(error).__name__}: {error}"
    return chat_text.whole(text)
