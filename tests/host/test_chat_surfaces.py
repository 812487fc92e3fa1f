"""`/ratchet` wherever the real host takes it: its gateway, its chat on a terminal, the socket of its dashboard."""

from __future__ import annotations

import fcntl
import json
import os
import re
import sqlite3
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

from karpathy_self_improve.ratchet import apply, approval, experiments
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import open_context

Rows = list[tuple[Any, ...]]
SOMEBODY = Actor("somebody", "os:somebody")
OLD, NEW = b"# Soul\n\nYou help. Be brief.\n", b"# Soul\n\nYou help. Be very brief.\n"
DECIDERS = [{"platform": "telegram", "sender": "user-1"}, {"platform": "terminal", "sender": "ana"}]
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\r")
OVER_THE_SOCKET = """
import json, sys
answers = sys.stdout
from hermes_cli import web_server
from starlette.testclient import TestClient
client = TestClient(web_server.app, base_url="http://127.0.0.1", client=("127.0.0.1", 5000))
with client.websocket_connect(f"/api/ws?token={web_server._SESSION_TOKEN}") as socket:
    def call(method, **params):
        socket.send_json({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        while True:
            if (message := socket.receive_json()).get("id") == 1:
                return message["result"]
    session = call("session.create")["session_id"]
    for words in sys.argv[1:]:
        dispatched = call("command.dispatch", name="ratchet", arg=words, session_id=session)
        executed = call("slash.exec", command=f"/ratchet {words}", session_id=session)
        print(json.dumps([dispatched["type"], dispatched["output"], executed["output"]]), file=answers, flush=True)
"""


def rows(path: Path, query: str) -> Rows:
    found = sqlite3.connect(path)
    try:
        return found.execute(query).fetchall()
    finally:
        found.close()


def steps(home: Path, number: int) -> Rows:
    query = f"SELECT to_state, principal FROM experiment_state_transitions WHERE experiment_id = {number} ORDER BY id"
    return rows(home / "ratchet" / "ratchet.db", query)


def given(home: Path) -> Rows:
    return rows(home / "ratchet" / "ratchet.db", "SELECT session_id, good, note, principal FROM session_feedback")


def sessions(home: Path) -> dict[str, str]:
    """The session of each chat."""
    found = rows(home / "state.db", "SELECT session_key, id FROM sessions")
    return {key.rsplit(":", 1)[1]: session_id for key, session_id in found}


def proposed(home: Path, *, live: bool) -> None:
    """Experiment 1 on SOUL.md."""
    (home / "SOUL.md").write_bytes(OLD)
    context = open_context()
    experiments.propose(context, "default", "SOUL.md", NEW, "answers ran long", SOMEBODY)
    if live:
        approval.approve(context, 1, SOMEBODY, override_reason="a test")
        apply.apply(context, 1, SOMEBODY, unwatched=True)
    context.store.close()


def test_each_chat_of_a_gateway(home: Path, configured: Callable[..., None], gateway: Any) -> None:
    configured(approval="unsigned", chat={"deciders": DECIDERS})
    proposed(home, live=True)
    with gateway() as say:
        for chat in ("1", "2"):
            assert "You asked" in say(chat, "How are you today?")
        assert say("1", "/ratchet good that was quick").startswith("```\nKept: good")
        assert "answered nothing in this chat" in say("3", "/ratchet good")
        other = sessions(home)["2"]
        assert f"Kept: bad, for session {sessions(home)['1']} " in say("1", f"/ratchet bad {other} it didn't work")
        assert "Kept as scenario 1 of 'default'" in say("2", "/ratchet scenario it never says how it is")
        assert "default: live, experiment 1 on SOUL.md" in say("2", "/ratchet")
        assert "\n+ You help. Be very brief.\n" in say("2", "/ratchet@bot diff 1")
        assert "refused in chats" in say("1", "/ratchet approve 1")
        assert 'sender: "user-2"' in say("2", "/ratchet revert 1")
        say("1", "/ratchet help")
        assert "cannot be told" in say("1", "/ratchet revert 1", internal=True)
        assert steps(home, 1)[-1] == ("live", "os:somebody")
        assert "Experiment 1 is reverted" in say("1", "/ratchet revert 1 too curt")
        assert "Profile 'default' is paused." in say("2", "/ratchet pause it is late")
    assert given(home) == [
        (sessions(home)["1"], 1, "that was quick", "telegram:user-1"),
        (sessions(home)["1"], 0, f"{other} it didn't work", "telegram:user-1"),
    ]
    assert steps(home, 1)[-1] == ("reverted", "telegram:user-1")
    assert (home / "SOUL.md").read_bytes() == OLD


def test_the_chat_on_a_terminal(home: Path, configured: Callable[..., None]) -> None:
    configured(chat={"deciders": DECIDERS})
    proposed(home, live=False)
    mine, theirs = os.openpty()
    env = {**os.environ, "HERMES_HOME": str(home), "LOGNAME": "ana", "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    chat = subprocess.Popen(
        [sys.executable, "-P", "-m", "hermes_cli.main", "chat"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=env,
        cwd=home,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    screen = b""

    def shows(expected: str) -> None:
        nonlocal screen
        while expected not in CONTROL.sub("", screen.decode(errors="replace")):
            screen += os.read(mine, 65_536)

    try:
        shows("/help for commands")
        for words, expected in (
            ("help", "For deciders (chat.deciders)"),
            ("show 1", "+ You help. Be very brief."),
            ("approve 1", "takes a reviewer's signature"),
            ("reject 1 too vague", "Experiment 1 is rejected."),
        ):
            shows("\u276f")
            os.write(mine, f"/ratchet {words}\r".encode())
            shows(expected)
            screen = screen.rpartition(expected.encode())[2]
    finally:
        chat.kill()
        chat.wait()
        os.close(mine)
    assert steps(home, 1)[-1] == ("rejected", "os:ana")


def test_the_socket_of_the_dashboard(home: Path, configured: Callable[..., None]) -> None:
    configured(chat={"deciders": DECIDERS})
    proposed(home, live=False)
    command = [sys.executable, "-P", "-c", OVER_THE_SOCKET, "diff 1", "pause", "reject 1", "approve 1"]
    env = {**os.environ, "HERMES_HOME": str(home), "LOGNAME": "ana"}
    done = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [kind for kind, _, _ in answers] == ["plugin"] * 4
    for expected, (_, dispatched, executed) in zip(
        ("\n+ You help. Be very brief.\n", "Profile 'default' ", "cannot be told", "cannot be told"),
        answers,
        strict=True,
    ):
        assert expected in dispatched
        assert expected in executed
        assert "```" not in executed
    assert steps(home, 1) == [("proposed", "os:somebody")]
