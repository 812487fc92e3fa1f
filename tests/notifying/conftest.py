"""A real database with events, a real web server that takes notifications, and a real program that writes them down."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from karpathy_self_improve.notifying import notifier
from karpathy_self_improve.ratchet import context, events
from karpathy_self_improve.schema.base import metadata
from karpathy_self_improve.schema.watching import notify_cursors

PLUGIN = "karpathy-self-improve"
WRITE_DOWN = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


@dataclass
class Telling:
    """A root home with targets, and ways to make events happen."""

    home: Path
    notifier: notifier.Notifier = field(default_factory=notifier.Notifier)

    def __post_init__(self) -> None:
        self.context = context.open_context()
        with self.context.store.write() as tx:
            metadata.create_all(tx, tables=[notify_cursors])

    @property
    def written(self) -> Path:
        return self.home / "told.txt"

    def command(self, *words: str) -> dict[str, Any]:
        """A target that writes what it is told into a file."""
        return {"kind": "command", "argv": [*words] or [sys.executable, "-c", WRITE_DOWN, str(self.written)]}

    def configure(self, *targets: dict[str, Any], **settings: Any) -> None:
        """The operator's settings from now on; every target is met once, as the daemon's first round does."""
        notify = {"targets": list(targets), "timeout_s": 5, **settings}
        config = {"plugins": {"enabled": [PLUGIN], "entries": {PLUGIN: {"notify": notify}}}}
        (self.home / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self.context.store.close()
        self.context = context.open_context()
        self.round()

    def happen(self, kind: str, profile: str | None = "default", experiment: int | None = None, **facts: Any) -> None:
        with self.context.store.write() as tx:
            events.emit(tx, kind, profile=profile, experiment_id=experiment, **facts)

    def round(self) -> None:
        """One round of the daemon, and however long its deliveries take."""
        self.notifier.poke(self.context)
        assert self.notifier.finish(20)

    def later(self, hours: float = 1.0) -> None:
        """As if that much time had passed for every target."""
        with self.context.store.write() as tx:
            tx.exec_driver_sql("UPDATE notify_cursors SET retry_at = NULL, allowance = allowance + ?", (hours * 20,))

    def told(self) -> list[str]:
        """The lines that the program was given."""
        return self.written.read_text(encoding="utf-8").splitlines() if self.written.exists() else []

    def events(self, kind: str) -> list[events.Event]:
        with self.context.store.read() as tx:
            return [event for event in events.since(tx, 0, 100_000) if event.kind == kind]

    def standing(self) -> list[notifier.TargetState]:
        return notifier.standing(self.context)


@pytest.fixture
def telling(home: Path) -> Iterator[Telling]:
    stage = Telling(home)
    yield stage
    stage.context.store.close()


@dataclass
class Hook:
    """A web server on this machine that keeps what it is sent; it answers while ``free`` is set."""

    server: ThreadingHTTPServer
    received: list[dict[str, Any]] = field(default_factory=list)
    hosts: list[str | None] = field(default_factory=list)
    status: int = 204
    location: str | None = None
    answer: bytes = b""
    free: threading.Event = field(default_factory=threading.Event)
    endless: bool = False

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook: Hook = self.server.hook  # type: ignore[attr-defined]
        hook.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        hook.hosts.append(self.headers["Host"])
        hook.free.wait(30)
        self.send_response(hook.status)
        if hook.location:
            self.send_header("Location", hook.location)
        self.end_headers()
        self.wfile.write(hook.answer)
        while hook.endless:
            self.wfile.write(b"x" * 65536)

    def log_message(self, *_: object) -> None:
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        return  # a client that hangs up is what some tests are about


class _SixServer(_Server):
    address_family = socket.AF_INET6


@pytest.fixture
def make_hook() -> Iterator[Callable[..., Hook]]:
    """``make_hook(host="127.0.0.1")``: a running server."""
    running: list[Hook] = []

    def make(host: str = "127.0.0.1") -> Hook:
        server = (_SixServer if ":" in host else _Server)((host, 0), _Handler)
        hook = Hook(server)
        hook.free.set()
        server.hook = hook  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        running.append(hook)
        return hook

    yield make
    for hook in running:
        hook.endless = False
        hook.free.set()
        hook.server.shutdown()
        hook.server.server_close()


@pytest.fixture
def hook(make_hook: Callable[..., Hook]) -> Hook:
    return make_hook()
