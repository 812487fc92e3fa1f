"""A profile with the host's own store of sessions, and a clock of talk: before a change, and after it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

from karpathy_self_improve import clock
from karpathy_self_improve.ratchet import apply, approval, experiments, feedback
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.ratchet.window import live_window
from karpathy_self_improve.ratchet.window.live_plan import LivePlan

SOMEBODY = Actor("somebody", "os:somebody")
OLD = "# Soul\n\nAlways end answers with the line: NEXT.\n"
NEW = OLD.replace("Always", "Almost always")
SMALL = {"n0": 12, "n_min": 4, "n": 8, "n_max": 12, "margin": 0.25, "confidence": 0.9, "measures": ["success"]}
SIGNAL = [{"type": "must_contain", "value": "NEXT"}]


class Stage:
    """A profile with the host's own store of sessions, and a clock of talk: before the change, and after."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "SOUL.md").write_text(OLD)
        self.db = SessionDB(db_path=home / "state.db")
        self.talks = 0
        self.contexts: list[Context] = []
        self.settings()

    @property
    def context(self) -> Context:
        return self.contexts[-1]

    def settings(self, signal: list[dict[str, Any]] | None = None, **window: object) -> None:
        """The operator's settings from now on, for every process that starts now."""
        ours = {"approval": "unsigned", "success_checks": SIGNAL if signal is None else signal}
        document = {"plugins": {"entries": {"karpathy-self-improve": {**ours, "window": {**SMALL, **window}}}}}
        (self.home / "config.yaml").write_text(json.dumps(document))
        self.contexts.append(open_context())

    def talk(
        self,
        count: int,
        soul: str,
        answer: str | None = "NEXT",
        *,
        over: bool = True,
        reads: str | None = None,
        model: str = "m",
        errors: int = 0,
        tokens: int = 0,
        dollars: float | None = None,
        hours_ago: float = 0.0,
        **fields: Any,
    ) -> list[str]:
        """``count`` sessions that met ``soul``; ``answer`` None: the host never said that the answer was complete."""
        names = [f"s{self.talks + n}" for n in range(count)]
        self.talks += count
        for name in names:
            start = {"source": "cli", "system_prompt": f"{soul.strip()}\n\nYou run on a computer.", **fields}
            self.db.create_session(name, start.pop("source"), model=model, **start)
            for _ in range(errors):
                self.db.append_message(name, "user", "hello?")  # which nobody answers
            self.db.append_message(name, "user", "hello")
            if reads:
                self._read(name, reads)
            self.db.append_message(name, "assistant", answer or "NE", finish_reason="stop" if answer else None)
            priced = {} if dollars is None else {"actual_cost_usd": dollars, "cost_status": "actual"}
            self.db.update_token_counts(name, input_tokens=tokens, model=model, **priced)
            if over:
                self.db.end_session(name, "cli_close")
        if hours_ago:
            self._as_if(names, hours_ago)
        return names

    def _as_if(self, names: list[str], hours_ago: float) -> None:
        """Move sessions into the past; the host's own class always writes the present."""
        with closing(sqlite3.connect(self.home / "state.db", timeout=10)) as database, database:
            for name in names:
                for statement in (
                    "UPDATE sessions SET started_at = started_at - ?, ended_at = ended_at - ? WHERE id = ?",
                    "UPDATE messages SET timestamp = timestamp - ? + 0 * ? WHERE session_id = ?",
                ):
                    database.execute(statement, (hours_ago * 3600, hours_ago * 3600, name))

    def _read(self, name: str, text: str) -> None:
        calls = [{"id": "c", "type": "function", "function": {"name": "skill_view", "arguments": "{}"}}]
        self.db.append_message(name, "assistant", "", tool_calls=calls, finish_reason="tool_calls")
        result = json.dumps({"success": True, "content": text, "skill_dir": "/skills/greet"})
        self.db.append_message(name, "tool", result, tool_name="skill_view", tool_call_id="c")

    def proposed(self, relpath: str = "SOUL.md", new: str = NEW) -> int:
        return experiments.propose(self.context, "default", relpath, new.encode(), "why", SOMEBODY).id

    def approved(self, relpath: str = "SOUL.md", new: str = NEW) -> int:
        number = self.proposed(relpath, new)
        approval.approve(self.context, number, SOMEBODY, override_reason="a test")
        return number

    def live(self, relpath: str = "SOUL.md", new: str = NEW) -> int:
        number = self.approved(relpath, new)
        apply.apply(self.context, number, SOMEBODY, unwatched=True)
        return number

    def observe(self, number: int) -> live_window.WindowStatus:
        return live_window.observe(self.context, number)

    def reasons(self, number: int) -> dict[str, str]:
        return {m.session_id: m.reason for m in self.observe(number).members if not m.counted}

    def plan(self, number: int) -> LivePlan:
        """The plan of a proposal as it would be made now."""
        return live_window.make_plan(self.context, experiments.get(self.context, number))

    def settled(self, number: int) -> live_window.WindowStatus:
        """Look, and write the verdict down, as the daemon does; what it says then."""
        live_window.settle_verdict(self.context, self.observe(number))
        return live_window.status(self.context, number)

    def say(self, session_id: str, *, good: bool) -> None:
        feedback.give(self.context, "default", session_id, good, None, SOMEBODY)

    def age(self, number: int, days: float) -> None:
        """As if the change had gone live that long ago."""
        moment = clock.stamp(clock.now() - timedelta(days=days))
        with self.context.store.write() as tx:
            tx.exec_driver_sql("UPDATE experiments SET applied_at = ? WHERE id = ?", (moment, number))


@pytest.fixture
def stage(home: Path) -> Iterator[Stage]:
    made = Stage(home)
    yield made
    made.db.close()
    for one in made.contexts:
        one.store.close()
