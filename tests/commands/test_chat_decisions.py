"""Who decides in a chat: those the operator listed, by their id on that platform; and nobody approves there."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gateway.config import Platform
from gateway.platforms.base import BasePlatformAdapter, MessageEvent
from gateway.session import SessionSource

from karpathy_self_improve.commands import entry
from karpathy_self_improve.errors import SettingsInvalid
from karpathy_self_improve.ratchet import apply, approval, controls, events, experiments, states
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.ratchet.states import State
from karpathy_self_improve.settings import parse_settings

SOMEBODY = Actor("somebody", "os:somebody")
OLD, NEW = b"# Soul\n\nYou help. Be brief.\n", b"# Soul\n\nYou help. Be very brief.\n"
CONFIG = """
plugins:
  enabled: [karpathy-self-improve]
  entries:
    karpathy-self-improve:
      approval: {}
      notify: {{dashboard_url: "https://ratchet.example/self-improve"}}
      chat:
        deciders:
          - {{platform: telegram, sender: 7}}
          - {{platform: telegram, sender: unknown}}
          - {{platform: terminal, sender: ana}}
"""
PAGE = "https://ratchet.example/self-improve#/experiments/1"


def configure(home: Path, approval: str) -> None:
    (home / "config.yaml").write_text(CONFIG.format(approval), encoding="utf-8")


@pytest.fixture
def proposal(home: Path) -> Iterator[Context]:
    """Experiment 1, proposed; approvals are unsigned, and the sender 7 on telegram may decide."""
    configure(home, "unsigned")
    (home / "SOUL.md").write_bytes(OLD)
    made = open_context()
    experiments.propose(made, "default", "SOUL.md", NEW, "answers ran long", SOMEBODY)
    yield made
    made.store.close()


@pytest.fixture
def live(proposal: Context) -> Context:
    """Experiment 1, live."""
    approval.approve(proposal, 1, SOMEBODY, override_reason="a test")
    apply.apply(proposal, 1, SOMEBODY, unwatched=True)
    return proposal


def say(text: str, user: str | None = "7", platform: Platform = Platform.TELEGRAM, then: str = "", **facts: Any) -> str:
    """What the gateway hands back; ``then`` is what an event of the host's own says in the same task."""
    source = SessionSource(chat_id="1", user_id=user, **{"platform": platform, "user_name": "Ana", **facts})
    event = MessageEvent(text=text, source=source)

    def one_task() -> str:
        entry.message_arrived(event=event, gateway=None)
        said = MessageEvent(text=then, source=source, internal=True) if then else event
        return asyncio.run(entry.slash(said.get_command_args()))

    return copy_context().run(one_task)


def state(context: Context) -> str:
    return experiments.get(context, 1).state


def refusals(context: Context) -> list[str]:
    with context.store.read() as tx:
        found = events.since(tx, 0, 1_000)
    return [event.payload["principal"] for event in found if event.kind == "consent.refused"]


def test_a_listed_sender_rejects_and_the_trail_names_them(proposal: Context) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    assert say(f"/ratchet reject 1 too vague {secret}") == "```\nExperiment 1 is rejected.\n```"
    last = experiments.transitions(proposal, 1)[-1]
    assert (last.to_state, last.actor, last.principal) == ("rejected", "Ana", "telegram:7")
    assert last.reason is not None
    assert last.reason.startswith("too vague ")
    assert secret not in last.reason


def test_a_listed_sender_takes_a_live_change_back(live: Context, home: Path) -> None:
    assert "Experiment 1 is reverted: default/SOUL.md is what it was before." in say("/ratchet revert #1")
    assert (home / "SOUL.md").read_bytes() == OLD
    last = experiments.transitions(live, 1)[-1]
    assert (last.principal, last.reason) == ("telegram:7", "taken back in a chat")


STRANGERS: dict[str, dict[str, Any]] = {
    "another id": {"user": "8"},
    "the same id elsewhere": {"platform": Platform.DISCORD},
    "no id": {"user": None},
    "an id of spaces": {"user": " 7"},
    "a platform that calls itself a terminal": {"platform": "terminal", "user": "ana"},
}


def test_nobody_else_decides(live: Context, home: Path) -> None:
    for verb in ("approve", "reject", "revert"):
        said = {who: say(f"/ratchet {verb} 1", **facts) for who, facts in STRANGERS.items()}
        said["an event of the host's own"] = say("Hello", then=f"/ratchet {verb} 1")
        for who, refused in said.items():
            assert "chat.deciders" in refused or "cannot be told" in refused, who
            assert refused.endswith(f"\n```\n{PAGE}")
    assert state(live) == "live"
    assert (home / "SOUL.md").read_bytes() == NEW


def test_whoever_may_not_is_told_what_the_operator_would_list(proposal: Context) -> None:
    assert '{platform: discord, sender: "12"}' in say("/ratchet reject 1", "12", Platform.DISCORD)
    assert "cannot be told for certain" in say("/ratchet reject 1", None)


def test_a_process_that_cannot_tell_who_asks_decides_nothing(proposal: Context) -> None:
    assert "cannot be told for certain" in asyncio.run(entry.slash("reject 1"))
    assert state(proposal) == "proposed"


@pytest.mark.parametrize(
    ("mode", "says"), [("signed", "takes a reviewer's signature"), ("unsigned", "refused in chats")]
)
@pytest.mark.parametrize("user", ["7", "8"])
def test_nobody_approves_in_a_chat(proposal: Context, home: Path, mode: str, says: str, user: str) -> None:
    configure(home, mode)
    answered = say("/ratchet approve 1", user)
    assert answered.endswith(f"\n```\n{PAGE}")
    assert (says if user == "7" else "chat.deciders") in answered
    assert state(proposal) == "proposed"
    with proposal.store.read() as tx:
        assert approval.latest(tx, 1) is None
    assert refusals(proposal) == ([] if (mode, user) == ("signed", "7") else [f"telegram:{user}"])


@pytest.mark.parametrize(("mode", "says"), [("signed", "reviewer"), ("unsigned", "An agent cannot decide")])
def test_a_verified_change_is_not_taken_back_in_a_chat(live: Context, home: Path, mode: str, says: str) -> None:
    with live.store.write() as tx:
        states.move(tx, 1, State.VERIFIED, SOMEBODY, "a test")
    configure(home, mode)
    answered = say("/ratchet revert 1 too curt")
    assert says in answered
    assert answered.endswith(f"\n```\n{PAGE}")
    assert (state(live), (home / "SOUL.md").read_bytes()) == ("verified", NEW)
    assert refusals(live) == ["telegram:7"]


def test_anybody_pauses_the_profile_that_their_message_went_to(proposal: Context, home: Path) -> None:
    (home / "profiles" / "coder").mkdir(parents=True)
    (home / "profiles" / "coder" / "SOUL.md").write_bytes(OLD)
    assert "Profile 'coder' is paused." in say("/ratchet pause", "8", profile="coder")
    assert (controls.get(proposal, "coder").paused_by, controls.get(proposal, "default").paused) == ("Ana", 0)


def test_a_name_is_only_a_label_whatever_it_is(proposal: Context) -> None:
    say("/ratchet reject 1", user_name="os:ana\x1b[2J\ud800\n" * 1_000)
    last = experiments.transitions(proposal, 1)[-1]
    assert last.actor.startswith("os:ana\u27e8U+001B\u27e9[2J")
    assert (len(last.actor), last.principal) == (100, "telegram:7")


def test_what_cannot_be_done_leads_to_the_page(proposal: Context) -> None:
    assert say("/ratchet revert 1").endswith(f"only a live or verified one can be reverted.\n```\n{PAGE}")
    assert say("/ratchet reject 77") == "```\nThere is no experiment 77.\n```"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process reads from a terminal, of the user ana."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours), os.fdopen(theirs) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setenv("LOGNAME", "ana")
        yield


def test_at_a_terminal_its_user_decides(proposal: Context, terminal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_SESSION_ID", "set by the host once it has built an agent of its own")
    assert asyncio.run(entry.slash("reject 1")) == "Experiment 1 is rejected."
    assert experiments.transitions(proposal, 1)[-1].principal == "os:ana"


@pytest.mark.parametrize("where", ["a tool shell", "a gateway", "a dashboard"])
def test_a_terminal_alone_proves_no_person(
    proposal: Context, terminal: None, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "a tool shell":
        monkeypatch.setattr(entry, "STARTED_BY_AGENT", True)
    elif where == "a gateway":
        monkeypatch.setenv("_HERMES_GATEWAY", "1")
    else:
        monkeypatch.setitem(sys.modules, "tui_gateway.server", ModuleType("tui_gateway.server"))
    assert "cannot be told for certain" in asyncio.run(entry.slash("reject 1"))
    assert state(proposal) == "proposed"


def test_whether_an_agent_started_a_process_is_known_from_its_beginning() -> None:
    code = "from karpathy_self_improve.commands import entry; print(entry.STARTED_BY_AGENT)"
    for session, expected in (("20261120_102425_8e2e58", "True"), ("", "False")):
        env = {**os.environ, "HERMES_SESSION_ID": session}
        done = subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True, text=True)
        assert done.stdout.strip() == expected, done.stderr


def test_nothing_in_an_answer_is_acted_on_by_a_gateway(proposal: Context, home: Path) -> None:
    shot = home / "shot.png"
    shot.write_bytes(b"a picture of somebody's")
    hostile = (
        f"``` MEDIA:{shot} [[audio_as_voice]] ![x](https://example.org/x.png) <img src='https://example.org/y.png'> "
        f"{shot} @everyone [here](https://example.org) `````"
    )
    (home / "skills" / "x").mkdir(parents=True)
    experiments.propose(proposal, "default", "skills/x/SKILL.md", f"{hostile}\n".encode(), hostile, SOMEBODY)
    for raw in ("list", "show 2", "diff 2", f"reject 2 {hostile}", f"good {hostile}", hostile):
        text = say(f"/ratchet {raw}")
        media, left = BasePlatformAdapter.extract_media(text)
        images, left = BasePlatformAdapter.extract_images(left)
        files, left = BasePlatformAdapter.extract_local_files(left)
        assert (media, images, files, left) == ([], [], [], text)
        assert text.startswith("```\n")
        assert text.count("```") == 2


def test_deciders_are_named_as_platforms_name_them() -> None:
    found = parse_settings({"chat": {"deciders": [{"platform": "telegram", "sender": 123}]}}).chat.deciders
    assert [(one.platform, one.sender) for one in found] == [("telegram", "123")]
    for wrong in (
        {"platform": "telegram"},
        {"platform": "telegram", "sender": ""},
        {"platform": "*", "sender": "1"},
        "7",
    ):
        with pytest.raises(SettingsInvalid, match=r"chat\.deciders"):
            parse_settings({"chat": {"deciders": [wrong]}})
