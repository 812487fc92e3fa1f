"""`/ratchet good` and `bad` on the real host: they mean the conversation of the chat in which they are said."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

Rows = list[tuple[Any, ...]]


def rows(path: Path, query: str) -> Rows:
    found = sqlite3.connect(path)
    try:
        return found.execute(query).fetchall()
    finally:
        found.close()


def given(home: Path) -> Rows:
    return rows(home / "ratchet" / "ratchet.db", "SELECT session_id, good, note, principal FROM session_feedback")


def test_each_chat_of_a_gateway_judges_its_own_session(
    home: Path, configured: Callable[..., None], gateway: Any
) -> None:
    configured()
    with gateway() as say:
        for chat in ("1", "2"):
            assert "You asked" in say(chat, "How are you today?")
        assert say("1", "/ratchet good that was quick").startswith("Kept: good")
        assert "answered nothing in this chat" in say("3", "/ratchet good")
        other = sessions(home)["2"]
        assert f"Kept: bad, for session {sessions(home)['1']} " in say("1", f"/ratchet bad {other} it didn't work")
    assert given(home) == [
        (sessions(home)["1"], 1, "that was quick", "telegram:user-1"),
        (sessions(home)["1"], 0, f"{other} it didn't work", "telegram:user-1"),
    ]


def sessions(home: Path) -> dict[str, str]:
    """The session of each chat."""
    found = rows(home / "state.db", "SELECT session_key, id FROM sessions")
    return {key.rsplit(":", 1)[1]: session_id for key, session_id in found}
