"""The real dashboard server of the host in this process, with our routes mounted, on a fresh home for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from karpathy_self_improve.ratchet import lease
from karpathy_self_improve.ratchet.context import Context, open_context
from karpathy_self_improve.reviewing import changes, keys
from karpathy_self_improve.reviewing.keys import KeyFile, SigningKey

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "karpathy-self-improve"
PREFIX = f"/api/plugins/{PLUGIN}"
UNSIGNED = f"plugins:\n  enabled: [{PLUGIN}]\n  entries:\n    {PLUGIN}: {{approval: unsigned}}\n"
PASSPHRASE = "maple orbit cactus violin ladder quartz"
SOUL = "# Soul\n\nYou help. Be brief.\n\n- Say hello.\n"

Call = Callable[..., Any]


@pytest.fixture(scope="session")
def web_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The host's server module; it mounts plugins once, when it is imported, from the home of that moment."""
    root = tmp_path_factory.mktemp("dashboard")
    (root / "plugins").mkdir()
    (root / "plugins" / PLUGIN).symlink_to(ROOT)
    (root / "config.yaml").write_text(UNSIGNED, encoding="utf-8")
    before, os.environ["HERMES_HOME"] = os.environ["HERMES_HOME"], str(root)
    try:
        from hermes_cli import web_server
    finally:
        os.environ["HERMES_HOME"] = before
    assert any(path.startswith(PREFIX) for path in web_server.app.openapi()["paths"]), "our routes are not mounted"
    return web_server


@pytest.fixture
def dashboard(home: Path) -> Path:
    """A home whose operator chose unsigned approvals, with a second profile ``coder``."""
    coder = home / "profiles" / "coder"
    coder.mkdir(parents=True)
    for place in (home, coder):
        (place / "config.yaml").write_text(UNSIGNED, encoding="utf-8")
        (place / "SOUL.md").write_text(SOUL, encoding="utf-8")
    return home


@pytest.fixture
def call(web_server: Any, dashboard: Path) -> Call:
    """``call("GET", "/experiments")`` as the page calls it; returns the host's real response."""
    from starlette.testclient import TestClient

    token = {web_server._SESSION_HEADER_NAME: web_server._SESSION_TOKEN}
    client = TestClient(web_server.app, base_url="http://127.0.0.1", headers=token)

    def send(method: str, path: str, **options: Any) -> Any:
        return client.request(method, f"{PREFIX}{path}", **options)

    return send


@pytest.fixture
def context(dashboard: Path) -> Iterator[Context]:
    """The services, to arrange what a test begins with."""
    made = open_context()
    yield made
    made.store.close()


@pytest.fixture(scope="session")
def anas_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[KeyFile, SigningKey]:
    """A reviewer's key and its file, made once: sealing it takes a third of a second, on purpose."""
    return keys.create(tmp_path_factory.mktemp("keys"), "ana", PASSPHRASE)


@pytest.fixture
def ana(dashboard: Path, context: Context, anas_key: tuple[KeyFile, SigningKey]) -> SigningKey:
    """The first reviewer; from now on the setting ``unsigned`` of this home is worth nothing."""
    file, key = anas_key
    (context.data / "keys").mkdir(mode=0o700)
    shutil.copy(file.path, context.data / "keys")
    changes.set_up(context.store, key, "ana", "os:ana")
    return key


@pytest.fixture
def sign(call: Call, ana: SigningKey) -> Callable[..., dict[str, str]]:
    """``sign(purpose="resume", profile="coder")``: what a browser that holds the key sends along."""

    def signed(**asked: Any) -> dict[str, str]:
        answer = call("POST", "/reviewers/challenge", json={"signer": ana.public_key, **asked})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        message = (body["prefix"] + body["payload"]).encode()
        return {"payload": body["payload"], "signature": ana.sign(message)}

    return signed


@pytest.fixture
def watched(context: Context) -> None:
    """A daemon was heard of just now."""
    lease.acquire(context, "a test's daemon")


@pytest.fixture
def proposed(call: Call) -> int:
    """A proposal for the profile ``coder``."""
    content = SOUL.replace("Be brief.", "Be very brief.")
    answer = call("POST", "/experiments", json={"profile": "coder", "content": content, "rationale": "too long"})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["experiment_id"])
