"""`hermes ratchet serve` as a process: where it listens, what it refuses, whose token it takes, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from karpathy_self_improve._turnstile import open_lock
from karpathy_self_improve.commands.cli import main
from karpathy_self_improve.ratchet import controls
from karpathy_self_improve.ratchet.actor import Actor
from karpathy_self_improve.ratchet.context import open_context
from karpathy_self_improve.serving import bounded_protocol, token_file

API = "/api/plugins/karpathy-self-improve"
ROOT = Path(__file__).resolve().parents[2]
ALONE = (sys.executable, "-P", "-m", "karpathy_self_improve.serving")
"""``hermes ratchet serve`` without the host's own start."""
COMMANDS = (sys.executable, "-P", "-m", "karpathy_self_improve.commands")
"""``hermes ratchet`` without the host's own start, which reads keys."""
Start = Callable[..., Any]


def ask(server: Any, path: str, token: str = "", tls: ssl.SSLContext | None = None, **headers: str) -> tuple[int, Any]:
    sent = {"Authorization": f"Bearer {token}", **headers}
    request = urllib.request.Request(f"{server.address}{path}", headers=sent)
    try:
        with urllib.request.urlopen(request, timeout=30, context=tls) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_it_serves_routes_page_and_socket_to_whoever_has_the_token(start: Start, served: Path) -> None:
    server = start()
    assert stat.S_IMODE(server.token_file.stat().st_mode) == 0o600
    token = server.token_file.read_text().strip()
    assert ask(server, f"{API}/health", token)[1]["ok"] is True
    assert ask(server, f"{API}/health")[0] == 401
    assert token not in server.output.read_text()  # its output may go to a log
    with urllib.request.urlopen(f"{server.address}/self-improve", timeout=30) as page:
        assert b'<script src="/page/server.js">' in page.read()

    address = f"{server.address.replace('http', 'ws')}{API}/events"
    with connect(f"{address}?token={token}", origin=server.address) as heard:
        assert json.loads(heard.recv(timeout=30)) == {"events": [], "cursor": 0}
        context = open_context()
        controls.pause(context, "coder", Actor("somebody", "os:somebody"))
        context.store.close()
        assert json.loads(heard.recv(timeout=30))["events"][0]["kind"] == "profile.paused"
        server.process.terminate()
        assert server.process.wait(timeout=30) is not None  # an open socket does not keep it


@pytest.mark.parametrize(
    ("query", "origin"), [("", None), ("?token=wrong", None), ("?token={}", "https://evil.example")]
)
def test_a_socket_without_token_or_from_elsewhere_is_refused(running: Any, query: str, origin: str | None) -> None:
    query = query.format(running.token_file.read_text().strip())
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{running.address.replace('http', 'ws')}{API}/events{query}", origin=origin)
    assert refused.value.response.status_code == 403


def test_the_token_stays_the_same_from_start_to_start(tmp_path: Path) -> None:
    path = tmp_path / "config" / "server-token"
    assert token_file.ensured(path) == token_file.ensured(path) == path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.fixture
def token_folder(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "config" / "karpathy-self-improve"
    folder.mkdir(parents=True)
    return folder


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit code and sentence of a start that must not succeed."""
    code = main(["serve", *words])
    return code, capsys.readouterr().err


def test_a_port_that_is_taken_is_a_sentence(token_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = refused(capsys, "--port", str(port))
    assert (code, f"Port {port} of 127.0.0.1 is taken" in said) == (1, True)
    assert f"hermes ratchet serve --port {port + 1}" in said


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "example.invalid"])
def test_beyond_loopback_it_listens_only_with_a_certificate(
    token_folder: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    code, said = refused(capsys, "--host", address)
    assert (code, "which is no authentication" in said) == (2, True)
    assert list(token_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--certificate", "c.pem"), "needs its key"),
        (("--key", "k.pem"), "needs its key"),
        (("--certificate", "c.pem", "--key", "k.pem"), "cannot be used"),
        (("--port", "65536"), "is not a port"),
        (("--port", "x"), "is not a port"),
        (("--host", "127.0.0.1\0"), "is no name"),
    ],
)
def test_wrong_use_is_a_sentence(
    token_folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    code, said = refused(capsys, *words)
    assert (code, sentence in said) == (2, True), said


def test_a_token_that_others_may_have_read_is_not_used(token_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = token_folder / "server-token"
    file.write_text("t" * 43)
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        assert refused(capsys) == (3, f"Others may have read {file}. Delete it; the next start makes another.\n")
    file.unlink()
    (token_folder / "elsewhere").write_text("t" * 43)
    file.symlink_to(token_folder / "elsewhere")
    assert refused(capsys)[0] == 3
    file.unlink()
    file.write_text("short")
    file.chmod(0o600)
    code, said = refused(capsys)
    assert (code, "holds no token" in said) == (2, True)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for ratchet.example and its key, fresh."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ratchet.example")])
    names = x509.SubjectAlternativeName([x509.DNSName("ratchet.example")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths[1].write_bytes(key.private_bytes(*form))
    return paths


def test_with_a_certificate_it_serves_everywhere_under_its_names(start: Start, certificate: tuple[Path, Path]) -> None:
    paths = ("--certificate", str(certificate[0]), "--key", str(certificate[1]))
    server = start("--host", "0.0.0.0", "--name", "ratchet.example", *paths, command=ALONE)
    token = server.token_file.read_text().strip()
    assert server.address.startswith("https://0.0.0.0:")
    trust = ssl.create_default_context(cafile=str(certificate[0]))
    trust.check_hostname = False
    port = server.address.rpartition(":")[2]
    for host, status in ((f"ratchet.example:{port}", 200), (f"127.0.0.1:{port}", 400), ("evil.example", 400)):
        assert ask(server, f"{API}/health", token, trust, Host=host)[0] == status


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o700, 0o600), (0o750, 0o600), (0o2770, 0o660)])
def test_lock_files_are_as_open_as_the_folder_they_lie_in(tmp_path: Path, folder_mode: int, file_mode: int) -> None:
    folder = tmp_path / "locks"
    folder.mkdir()
    folder.chmod(folder_mode)
    before = os.umask(0o077)
    try:
        os.close(open_lock(folder / "some.lock", os.O_RDWR))
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "some.lock").stat().st_mode) == file_mode


@pytest.fixture
def open_place(served: Path) -> Iterator[Path]:
    """The served home once more, where other users can get at it."""
    place = Path(tempfile.mkdtemp(prefix="ratchet-shared-"))
    place.chmod(0o755)
    subprocess.run(["cp", "-a", str(served), str(place / "home")], check=True)
    yield place
    subprocess.run(["rm", "-rf", str(place)], check=True)


def other_user() -> dict[str, Any]:
    """Somebody else in the group of the folder, if we may become them and they can run this Python; else ourselves."""
    needed = [Path(sys.executable).resolve(), Path(sys.base_prefix).resolve(), Path(sys.prefix), ROOT]
    reachable = all(at.stat().st_mode & 0o005 == 0o005 for one in needed for at in [one, *one.parents])
    if os.geteuid() != 0 or not reachable:
        return {}
    return {"user": 54_321, "group": 54_321, "extra_groups": [54_322]}


def test_a_second_user_reviews_what_the_first_one_shares(start: Start, open_place: Path) -> None:
    """As docs/serve.md sets it up: the data folder belongs to a group, keys and token of each stay their own."""
    home, config = open_place / "home", open_place / "reviewer"
    second = other_user()
    config.mkdir(mode=0o700)
    before, os.environ["HERMES_HOME"] = os.environ["HERMES_HOME"], str(home)
    try:
        open_context().store.close()
        if second:
            for path in [home / "ratchet", *(home / "ratchet").rglob("*")]:
                os.chown(path, -1, second["extra_groups"][0])
            os.chown(config, second["user"], second["group"])
        for path in [home / "ratchet", *(home / "ratchet").rglob("*")]:
            path.chmod(0o2770 if path.is_dir() else 0o660)
        env = {"HERMES_HOME": str(home), "XDG_CONFIG_HOME": str(config), "HOME": str(config)}
        server = start(command=ALONE, env=env, **second)
        token = server.token_file.read_text().strip()
        assert server.token_file.stat().st_uid == second.get("user", os.geteuid())
        pause = urllib.request.Request(
            f"{server.address}{API}/profiles/coder/pause",
            data=b"{}",
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(pause, timeout=30) as answer:
            assert json.load(answer) == {"ok": True, "profile": "coder", "paused": True}
        (home / ".env").write_text("KEY=none of theirs\n")
        (home / ".env").chmod(0o600)
        typed = [*COMMANDS, "reviewer", "list", "--json"]
        said = subprocess.run(typed, env={**os.environ, **env}, cwd="/", capture_output=True, check=True, **second)
        assert json.loads(said.stdout)["reviewers"] == []
        context = open_context()  # the first user goes on with what the second one wrote
        try:
            assert controls.resume(context, "coder", Actor("me", "os:me")).paused == 0
        finally:
            context.store.close()
    finally:
        os.environ["HERMES_HOME"] = before


def test_a_file_of_somebody_elses_is_not_called_ours_to_delete(token_folder: Path, capsys: Any) -> None:
    file = token_folder / "passwd"
    file.write_text("root:x:0:0\n")
    file.chmod(0o644)
    code, said = refused(capsys, "--token-file", str(file))
    assert (code, "Name another file" in said, "Delete" in said) == (2, True, False)


@pytest.mark.parametrize(
    "words",
    [("--host", ""), ("--certificate", "/nonexistent", "--key", "/nonexistent")],
    ids=["address", "certificate"],
)
def test_nothing_is_said_to_listen_that_cannot(token_folder: Path, capsys: Any, words: tuple[str, ...]) -> None:
    code, said = refused(capsys, *words)
    assert (code, "Listening" in said) == (2, False)


def connected(server: Any) -> socket.socket:
    port = int(server.address.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def test_silent_connections_keep_nobody_out(running: Any) -> None:
    silent = [connected(running) for _ in range(bounded_protocol.MOST_OF_ONE + 5)]
    try:
        assert ask(running, f"{API}/health")[0] == 401
        assert silent[0].recv(1) == b""  # the oldest made room
        silent[-1].settimeout(0)
        with pytest.raises(BlockingIOError):
            silent[-1].recv(1)
    finally:
        for one in silent:
            one.close()


def test_a_header_without_end_is_cut_off(running: Any) -> None:
    with connected(running) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            one.sendall(b"a" * 100_000_000)


class Transport(asyncio.Transport):
    """One end of a connection from ``address``, as far as a protocol asks for it."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 50_000)})
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted


async def arrive(*addresses: str) -> list[tuple[Transport, bounded_protocol.BoundedProtocol]]:
    """Connections from these addresses to one server, in this order, none of which says anything."""
    import uvicorn
    from uvicorn.server import ServerState

    config = uvicorn.Config(lambda: None, http=bounded_protocol.BoundedProtocol, log_config=None)
    config.load()
    state, made = ServerState(), []
    for address in addresses:
        protocol = bounded_protocol.BoundedProtocol(config=config, server_state=state, app_state={})
        made.append((Transport(address), protocol))
        protocol.connection_made(made[-1][0])
    return made


def test_a_request_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect() -> bool:
        ((transport, protocol),) = await arrive("192.0.2.1")
        protocol.data_received(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(500):
            if transport.aborted:
                break
            await asyncio.sleep(0.01)
        return transport.aborted

    monkeypatch.setattr(bounded_protocol, "HEADERS_WITHIN_S", 0.05)
    assert asyncio.run(connect())


@pytest.mark.parametrize(
    ("of_one", "silent", "addresses", "closed"),
    [
        (3, 9, "aaaab", [0]),  # one address has its share
        (9, 3, "baaac", [1, 2]),  # room for others is made by whoever has most, oldest first
        (9, 3, "abc", []),
    ],
)
def test_connections_of_one_address_leave_room_for_others(
    monkeypatch: pytest.MonkeyPatch, of_one: int, silent: int, addresses: str, closed: list[int]
) -> None:
    async def connect() -> list[int]:
        made = await arrive(*(f"192.0.2.{ord(letter)}" for letter in addresses))
        return [number for number, (transport, _) in enumerate(made) if transport.aborted]

    monkeypatch.setattr(bounded_protocol, "MOST_OF_ONE", of_one)
    monkeypatch.setattr(bounded_protocol, "MOST_SILENT", silent)
    assert asyncio.run(connect()) == closed
