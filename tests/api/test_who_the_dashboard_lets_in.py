"""Host x Origin x Sec-Fetch-Site x method, over HTTP and WebSocket, on the host's dashboard with our routes in it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet.context import Context

PREFIX = "/api/plugins/karpathy-self-improve"
HERE = "127.0.0.1:9119"
HOSTS = (HERE, "localhost:9119", "evil.example:9119", "127.0.0.1.evil.example")
ORIGINS = ("", "same", "https://evil.example", "http://127.0.0.1.evil.example")
SITES = ("", "same-origin", "cross-site")
METHODS = {"GET": "/experiments", "POST": "/profiles/coder/pause", "DELETE": "/scenarios/77", "WS": "/events"}


@pytest.fixture
def bound(web_server: Any, dashboard: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The host's application as ``hermes dashboard`` binds it, and a client without a token."""
    from starlette.testclient import TestClient

    monkeypatch.setattr(web_server.app.state, "bound_host", "127.0.0.1", raising=False)
    return TestClient(web_server.app, base_url=f"http://{HERE}")


def is_let_in(client: Any, method: str, sent: dict[str, str], query: str) -> bool:
    from starlette.websockets import WebSocketDisconnect

    if method == "WS":
        try:
            with client.websocket_connect(f"{PREFIX}{METHODS[method]}{query}", headers=sent) as socket:
                return "cursor" in socket.receive_json()
        except WebSocketDisconnect:
            return False
    answer = client.request(method, f"{PREFIX}{METHODS[method]}", headers=sent)
    return answer.status_code == 200 or answer.json().get("code") == "unknown_scenario"


@pytest.mark.parametrize("method", METHODS)
def test_the_hosts_rules_hold_for_our_routes_and_our_socket(bound: Any, web_server: Any, method: str) -> None:
    """48 cases each. The host itself looks at Host always, at Origin for sockets; its token is a header of its own."""
    token, query = {web_server._SESSION_HEADER_NAME: web_server._SESSION_TOKEN}, f"?token={web_server._SESSION_TOKEN}"
    wrong = []
    for host, origin, site in product(HOSTS, ORIGINS, SITES):
        origin_of = f"http://{host}" if origin == "same" else origin
        sent = {"host": host, "origin": origin_of, "sec-fetch-site": site}
        found = is_let_in(bound, method, {n: v for n, v in sent.items() if v} | token, query)
        expected = host in HOSTS[:2] and (method != "WS" or origin in ("", "same"))
        if found != expected:
            wrong.append((host, origin, site, found))
    assert wrong == []


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?ticket=wrong", "?internal=wrong"])
def test_without_the_hosts_token_there_is_no_socket(bound: Any, query: str) -> None:
    assert not is_let_in(bound, "WS", {"host": HERE}, query)
    assert not is_let_in(bound, "WS", {"host": HERE, "karpathy-self-improve.admitted": "me"}, query)


def test_every_mutation_is_refused_without_the_hosts_token(bound: Any, web_server: Any, context: Context) -> None:
    """Whatever our document lists, with ids that exist and without."""
    with context.store.read() as tx:
        before = tx.exec_driver_sql("SELECT count(*) FROM events").scalar_one()
    refused = 0
    for path, verbs in web_server.app.openapi()["paths"].items():
        for verb in verbs.keys() & {"post", "put", "patch", "delete"}:
            if path.startswith(PREFIX):
                at = path.replace("{profile}", "coder").replace("{experiment_id}", "1")
                answer = bound.request(verb, at.replace("{scenario_id}", "1").replace("{job_id}", "1"), json={})
                assert answer.status_code == 401, (verb, path)
                refused += 1
    assert refused >= 17
    with context.store.read() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM events").scalar_one() == before
