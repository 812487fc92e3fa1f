"""The event socket: nothing missed, nothing twice, and closed as soon as it may not be open any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import controls, events
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import Context
from karpathy_self_improve.routes import events as socket_routes

PREFIX = "/api/plugins/karpathy-self-improve"
ME = Actor("somebody", "os:somebody")
Connect = Callable[[str], AbstractContextManager[Any]]


@pytest.fixture
def connect(web_server: Any, dashboard: Path) -> Connect:
    """``connect("?since=0")``: the socket as the page opens it."""
    from starlette.testclient import TestClient

    client = TestClient(web_server.app, base_url="http://127.0.0.1")

    def opened(query: str = "") -> Any:
        token = f"{'&' if query else '?'}token={web_server._SESSION_TOKEN}"
        return client.websocket_connect(f"{PREFIX}/events{query}{token}")

    return opened


@pytest.fixture
def many(context: Context) -> int:
    """More events than fit into one message. Returns how many."""
    count = 2 * socket_routes._BATCH + 7
    with context.store.write() as tx:
        for number in range(count):
            events.emit(tx, "test.event", profile="coder", number=number)
    return count


def closing(socket: Any) -> tuple[int, str]:
    """With what code and reason the other side closes, batches before that left aside."""
    from starlette.websockets import WebSocketDisconnect

    try:
        while socket.receive_json():
            pass
    except WebSocketDisconnect as left:
        return left.code, left.reason
    raise AssertionError("an empty message")


def test_everything_after_the_cursor_comes_once_and_in_order(connect: Connect, many: int) -> None:
    heard: list[int] = []
    with connect("?since=3") as socket:
        while len(heard) < many - 3:
            batch = socket.receive_json()
            heard += [event["id"] for event in batch["events"]]
            assert batch["cursor"] == heard[-1]
    assert heard == list(range(4, many + 1))


def test_what_comes_is_heard_and_a_next_socket_goes_on_from_the_cursor(connect: Connect, context: Context) -> None:
    with connect() as socket:
        assert socket.receive_json() == {"events": [], "cursor": 0}
        controls.pause(context, "coder", ME)
        batch = socket.receive_json()
    assert [(event["kind"], event["profile"]) for event in batch["events"]] == [("profile.paused", "coder")]
    assert batch["events"][0]["payload"]["actor"] == "somebody"
    controls.resume(context, "coder", ME)
    with connect(f"?since={batch['cursor']}") as socket:
        assert [event["kind"] for event in socket.receive_json()["events"]] == ["profile.resumed"]


def test_without_a_cursor_the_past_is_left_out(connect: Connect, many: int) -> None:
    with connect() as socket:
        assert socket.receive_json() == {"events": [], "cursor": many}


@pytest.mark.parametrize("since", ["-1", "x", "1e3", "9" * 19, "\u0661", ""])
def test_a_wrong_cursor_is_said(connect: Connect, since: str) -> None:
    with connect(f"?since={since}") as socket:
        assert socket.receive_json()["code"] == "bad_input"
        assert closing(socket)[0] == 1011


def test_disabling_the_plugin_closes_its_sockets(connect: Connect, dashboard: Path) -> None:
    with connect() as socket:
        socket.receive_json()
        (dashboard / "config.yaml").write_text(
            "plugins: {enabled: [karpathy-self-improve], disabled: [karpathy-self-improve]}\n", encoding="utf-8"
        )
        assert closing(socket) == (1008, "the plugin is disabled")


def test_a_database_that_goes_away_ends_the_socket_with_its_reason(connect: Connect, context: Context) -> None:
    with connect() as socket:
        socket.receive_json()
        raw = sqlite3.connect(context.store.path)
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
        raw.close()
        assert socket.receive_json()["code"] == "store_too_new"
        assert closing(socket)[0] == 1011


def test_too_many_sockets_are_told_to_come_back(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_routes, "_MAX_SOCKETS", 1)
    with connect() as first:
        first.receive_json()
        with connect() as second:
            assert closing(second)[0] == 1013
    with connect() as again:
        assert "cursor" in again.receive_json()
