"""Host x Origin x Sec-Fetch-Site x method, over HTTP and WebSocket, on both servers: who is let in, case by case."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import controls
from karpathy_self_improve.ratchet.context import open_context
from karpathy_self_improve.serving import callers
from karpathy_self_improve.serving.admission import Asked
from karpathy_self_improve.serving.run import Options, policy

API = "/api/plugins/karpathy-self-improve"
TOKEN = "t" * 40
HERE = "127.0.0.1:9120"
HOSTS = (HERE, "localhost:9120", "[::1]:9120", "evil.example:9120", "127.0.0.1.evil.example")
ORIGINS = ("", "same", "http://127.0.0.1:3000", "https://evil.example", "null")
SITES = ("", "same-origin", "none", "same-site", "cross-site")
METHODS = ("GET", "POST", "PATCH", "DELETE", "WS")
PATHS = {
    "GET": "/experiments",
    "POST": "/profiles/coder/pause",
    "PATCH": "/scenarios/77",
    "DELETE": "/scenarios/77",
    "WS": "/events",
}
OURS = frozenset(HOSTS[:3])


def headers(host: str, origin: str, site: str) -> dict[str, str]:
    """What a browser or a program would send."""
    said = {"host": host, "origin": f"http://{host}" if origin == "same" else origin, "sec-fetch-site": site}
    return {name: value for name, value in said.items() if value}


def is_let_in(client: Any, method: str, sent: dict[str, str], query: str = "") -> bool:
    """Whether a request reached our routes, whatever they then said of it."""
    from starlette.websockets import WebSocketDisconnect

    if method == "WS":
        try:
            with client.websocket_connect(f"{API}{PATHS[method]}{query}", headers=sent) as socket:
                return "cursor" in socket.receive_json()
        except WebSocketDisconnect:
            return False
    body = {"json": {}} if method != "GET" else {}
    answer = client.request(method, f"{API}{PATHS[method]}", headers=sent, **body)
    found = answer.json()
    return answer.status_code in (200, 404) and found.get("code") not in ("plugin_disabled", "not_found")


def is_paused() -> bool:
    context = open_context()
    try:
        return bool(controls.get(context, "coder").paused)
    finally:
        context.store.close()


@pytest.mark.parametrize("method", METHODS)
def test_our_own_server_lets_in_only_itself_and_programs(alone: Any, method: str) -> None:
    """125 cases each: a program or our own page, under one of our names; nobody else's page."""
    token, query = {"authorization": f"Bearer {TOKEN}"}, f"?token={TOKEN}"
    wrong = []
    for host, origin, site in product(HOSTS, ORIGINS, SITES):
        expected = host in OURS and origin in ("", "same") and site in ("", "same-origin")
        found = is_let_in(alone, method, headers(host, origin, site) | token, query)
        if found != expected:
            wrong.append((host, origin, site, found))
    assert wrong == []
    assert is_paused() == (method == "POST")


@pytest.mark.parametrize("method", METHODS)
def test_without_its_token_our_own_server_lets_nobody_in(alone: Any, method: str) -> None:
    tokens = ({}, {"authorization": "Bearer "}, {"authorization": "Bearer wrong"}, {"x-ratchet-token": "wrong"})
    for sent in tokens:
        for query in ("", "?token=", "?token=wrong"):
            assert not is_let_in(alone, method, sent, query)
    if method != "WS":  # what a page could write into an address counts for nothing
        assert alone.request(method, f"{API}{PATHS[method]}?token={TOKEN}").status_code == 401
    assert not is_paused()


def test_every_mutation_is_refused_without_the_token(alone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the document lists; the document itself is behind the token too."""
    monkeypatch.setattr(callers, "MOST_WRONG", 1_000)
    assert alone.get(f"{API}/openapi.json").status_code == 401
    document = alone.get(f"{API}/openapi.json", headers={"authorization": f"Bearer {TOKEN}"}).json()
    mutations = [(verb, path) for path, verbs in document["paths"].items() for verb in verbs if verb != "get"]
    assert len(mutations) >= 17
    for verb, path in mutations:
        at = path.replace("{profile}", "coder").replace("{experiment_id}", "1").replace("{scenario_id}", "1")
        answer = alone.request(verb, at.replace("{job_id}", "1"), json={})
        assert (answer.status_code, answer.json()["code"]) == (401, "no_token"), (verb, path)


def test_too_many_wrong_tokens_are_told_to_wait_and_the_right_one_is_let_in(alone: Any) -> None:
    said = [alone.get(f"{API}/health", headers={"x-ratchet-token": "wrong"}) for _ in range(callers.MOST_WRONG + 1)]
    assert [answer.status_code for answer in said] == [401] * callers.MOST_WRONG + [429]
    assert said[-1].json()["code"] == "too_many_attempts"
    assert alone.get("/").status_code == 200
    assert alone.get(f"{API}/health", headers={"x-ratchet-token": TOKEN}).status_code == 200


def test_wrong_tokens_are_counted_per_caller_in_bounded_memory() -> None:
    moment = [0.0]
    tries = callers.WrongTokens(lambda: moment[0])
    here, neighbour = "192.0.2.1", "192.0.2.2"
    assert [tries.too_many(here) for _ in range(callers.MOST_WRONG + 2)][-3:] == [False, True, True]
    assert not tries.too_many(neighbour)
    moment[0] = callers.WITHIN_S
    assert not tries.too_many(here)
    for number in range(2 * callers.MOST_CALLERS):
        tries.too_many(f"198.51.{number // 256}.{number % 256}")
    assert len(tries._counts) == callers.MOST_CALLERS


def test_one_caller_has_many_addresses() -> None:
    one = {"127.0.0.1", "127.9.9.9", "::1"}, {"2001:db8::1", "2001:db8:0:0:ffff::9"}, {"::ffff:192.0.2.1", "192.0.2.1"}
    assert [len(set(map(callers.caller, addresses))) for addresses in one] == [1, 1, 1]
    assert callers.caller("2001:db8::1") != callers.caller("2001:db8:0:1::1")


@pytest.mark.parametrize("hosts", [(), ("",), (HERE, HERE), ("127.0.0.1:9120:1",), ("127.0.0.1@evil.example",)])
def test_a_request_with_two_hosts_or_none_is_refused(hosts: tuple[str, ...]) -> None:
    asked = Asked("http", "GET", f"{API}/health", hosts, token=TOKEN)
    refused = policy(Options(), TOKEN).refusal(asked)
    assert refused is not None
    assert (refused.status, refused.code) == (400, "wrong_host")


def test_a_link_from_elsewhere_opens_the_page_and_nothing_else(alone: Any) -> None:
    elsewhere = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    for path in ("/", "/self-improve"):
        assert alone.get(path, headers=elsewhere).status_code == 200
        assert alone.get(path, headers={**elsewhere, "sec-fetch-mode": "no-cors"}).status_code == 403
        assert alone.post(path, headers=elsewhere).status_code == 403
    opened = alone.get(f"{API}/experiments", headers={**elsewhere, "authorization": f"Bearer {TOKEN}"})
    assert opened.json()["code"] == "foreign_site"


def test_every_answer_is_marked_for_browsers(alone: Any) -> None:
    token = {"authorization": f"Bearer {TOKEN}"}
    answers = [alone.get("/"), alone.get("/page/server.js"), alone.get("/nowhere"), alone.get(f"{API}/health")]
    answers += [alone.get(f"{API}/health", headers=token), alone.get("/", headers={"host": "evil.example"})]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 401, 200, 400]
    for answer in answers:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


def test_a_body_says_how_long_it_is(alone: Any) -> None:
    token = {"authorization": f"Bearer {TOKEN}"}
    for body, sent in ((iter([b"{}"]), {}), (b"x" * ((4 << 20) + 1), {})):
        answer = alone.post(f"{API}/profiles/coder/pause", content=body, headers=token | sent)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_input")
    assert not is_paused()


def test_a_disabled_plugin_serves_nothing_and_its_sockets_close(alone: Any, served: Path) -> None:
    from starlette.websockets import WebSocketDisconnect

    with alone.websocket_connect(f"{API}/events?token={TOKEN}", headers={"host": HERE}) as socket:
        assert socket.receive_json() == {"events": [], "cursor": 0}
        (served / "config.yaml").write_text("plugins: {enabled: []}\n", encoding="utf-8")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert (closed.value.code, closed.value.reason) == (1008, "the plugin is disabled")
    assert not is_let_in(alone, "WS", {"host": HERE}, f"?token={TOKEN}")
    answer = alone.get(f"{API}/health", headers={"authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["code"]) == (404, "plugin_disabled")


def test_the_trail_says_that_it_was_our_own_server(alone: Any) -> None:
    token = {"authorization": f"Bearer {TOKEN}"}
    body = {"profile": "coder", "content": "# Soul\n\nYou help. Be kind.\n", "actor": "somebody"}
    assert alone.post(f"{API}/experiments", json=body, headers=token).status_code == 201
    (step,) = alone.get(f"{API}/audit", headers=token).json()["transitions"]
    assert (step["actor"], step["principal"]) == ("somebody", "server")
