"""Stages for the proposer: a profile on which something went wrong, and the scripted model as proposer over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hermes_state import SessionDB

from karpathy_self_improve import schema
from karpathy_self_improve.demo import scripted_proposer
from karpathy_self_improve.demo.scripted_model import ScriptedModel
from karpathy_self_improve.evaluation.gating import reports
from karpathy_self_improve.evaluation.jobs import Job
from karpathy_self_improve.evaluation.scenario import scenarios
from karpathy_self_improve.proposal import drafts, requests, service
from karpathy_self_improve.proposal.drafts import Draft, Request
from karpathy_self_improve.ratchet import feedback
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context

ADA = Actor("ada", "os:ada")
SOUL = "# Soul\n\nYou are a helpful agent. You answer briefly.\n\n- Say hello.\n- Be kind.\n"
TRAIN = ("Hello there?", "Name a river.", "What is a kiln?", "Spell yacht.")
HELD_OUT = ("Two plus nine?", "Who wrote Emma?", "Boil eggs how?", "Draw a zebra.", "Oak or fir?", "Why is jam red?")
"""As few as the gate can do with."""

Messages = Sequence[dict[str, Any]]


class Stage:
    """A profile with scenarios, and a proposer that may be any function of the messages it gets."""

    def __init__(self, home: Path, model: ScriptedModel) -> None:
        self.home, self.model, self.opened = home, model, list[Context]()
        (home / "SOUL.md").write_text(SOUL, encoding="utf-8")
        self.sessions = SessionDB(db_path=home / "state.db")
        self.auxiliary: dict[str, Any] = {
            "ratchet_judge": model.judge_settings(),
            "ratchet_proposer": model.proposer_settings(),
        }
        self.configure()

    @property
    def context(self) -> Context:
        return self.opened[-1]

    def configure(self, **ours: Any) -> None:
        ours = {"approval": "unsigned", **ours}
        plugins = {"enabled": ["karpathy-self-improve"], "entries": {"karpathy-self-improve": ours}}
        config = {"model": self.model.model_settings(), "plugins": plugins, "auxiliary": self.auxiliary}
        (self.home / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        self.opened.append(open_context())

    def session(self, name: str, asked: str = "How do I sleep better?", answered: str | None = None) -> str:
        """A session that is over: with an answer, or cut short without one."""
        self.sessions.create_session(name, "cli")
        self.sessions.append_message(name, "user", asked)
        if answered is not None:
            self.sessions.append_message(name, "assistant", answered, finish_reason="stop")
        self.sessions.end_session(name, "cli_close")
        return name

    def bad(self, name: str = "s1", note: str = "too many apologies, sorry", **session: Any) -> str:
        """A session a person found bad; returns the name of the failure."""
        self.session(name, **{"answered": "I am sorry, I apologise.", **session})
        return f"feedback:{feedback.give(self.context, 'default', name, False, note, ADA).id}"

    def says(self, *drafts: dict[str, Any] | str | Callable[[Messages], str]) -> None:
        """What the proposer replies, in order, the last of it from then on: parts of a reply, or a whole text."""
        left = list(drafts)

        def reply(messages: Messages) -> str:
            said = left.pop(0) if len(left) > 1 else left[0]
            if callable(said):
                return said(messages)
            return said if isinstance(said, str) else self.reply(messages, **said)

        self.model.proposing = reply

    @staticmethod
    def reply(messages: Messages, **parts: Any) -> str:
        """A well-formed reply with parts of it replaced."""
        return json.dumps({**json.loads(scripted_proposer.propose(messages)), **parts})

    def ask(self, **options: Any) -> Job:
        return requests.ask(self.context, "default", "SOUL.md", ADA, **options)

    def propose(self, **options: Any) -> Request:
        """A whole request; what came of it."""
        return self.request(service.run_job(self.context, self.ask(**options).id).id)

    def request(self, job_id: int) -> Request:
        with self.context.store.read() as tx:
            return drafts.request_of(tx, job_id)

    def drafts(self, request: Request) -> list[Draft]:
        with self.context.store.read() as tx:
            return drafts.drafts_of(tx, request.id)

    def rows(self, table: Any, rest: str = "ORDER BY id") -> list[dict[str, Any]]:
        with self.context.store.read() as tx:
            return reports.stored(tx, table, rest)

    def experiments(self) -> list[dict[str, Any]]:
        return self.rows(schema.experiments)

    def asked_of_proposer(self) -> list[str]:
        """The prompts it was sent, system message and all."""
        sent = [body["messages"] for body in self.model.bodies if body["model"] == scripted_proposer.MODEL]
        return ["\n".join(message["content"] for message in messages) for messages in sent]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with empty databases and some scenarios: making them takes longer than most of these tests."""
    home = tmp_path_factory.mktemp("prepared")
    before, os.environ["HERMES_HOME"] = os.environ["HERMES_HOME"], str(home)
    try:
        context = open_context()
        for number, asked in enumerate(TRAIN + HELD_OUT):
            held_out = asked in HELD_OUT
            scenarios.add_scenario(
                context, "default", f"scenario {number}", asked, [{"type": "exit_ok"}], ADA, holdout=held_out
            )
        context.store.close()
        SessionDB(db_path=home / "state.db").close()
    finally:
        os.environ["HERMES_HOME"] = before
    return home


@pytest.fixture
def stage(home: Path, prepared: Path) -> Iterator[Stage]:
    shutil.copytree(prepared, home, dirs_exist_ok=True)
    with ScriptedModel() as model:
        made = Stage(home, model)
        yield made
        made.sessions.close()
        for one in made.opened:
            one.store.close()


@pytest.fixture
def raw(stage: Stage) -> Callable[[str], None]:
    """A statement of somebody who does not go through the services."""

    def run(statement: str) -> None:
        with sqlite3.connect(stage.home / "ratchet" / "ratchet.db") as connection:
            connection.execute(statement)

    return run
