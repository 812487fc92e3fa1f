"""A webhook goes to this machine or to where the operator said, however the address is spelled or resolved."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from karpathy_self_improve.notifying import webhook
from karpathy_self_improve.notifying.failures import TargetRefused, Undelivered
from karpathy_self_improve.notifying.messages import trial
from karpathy_self_improve.notifying.webhook import Allowed, destination, judge

MESSAGE = trial("http://127.0.0.1:9119/self-improve")
NAME = "hooks.example.org"


def post(url: str, *hosts: str, timeout_s: float = 5.0) -> None:
    webhook.post(url, MESSAGE, hosts, timeout_s)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``resolver(name, first, second ...)``: what the name server answers each time; returns the names asked for.

    The one stand-in here: no test may change the name server of the machine it runs on.
    """
    asked: list[str] = []
    answers: dict[str, list[Any]] = {}
    real = socket.getaddrinfo

    def answer(name: Any, port: Any, *arguments: Any, **keywords: Any) -> Any:
        if name not in answers:
            return real(name, port, *arguments, **keywords)
        asked.append(name)
        now = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
        return [entry for one in now for entry in real(one, port, *arguments, **keywords)]

    def configure(name: str, *each_time: list[str]) -> list[str]:
        answers[name] = list(each_time)
        return asked

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return configure


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.0.0.2"])
def test_this_machine_is_reached(make_hook: Any, host: str) -> None:
    hook = make_hook("127.0.0.2" if host == "127.0.0.2" else "127.0.0.1")
    post(f"http://{host}:{hook.port}/hook?a=b")
    assert len(hook.received) == 1


@pytest.mark.parametrize("host", ["[::1]", "[0:0:0:0:0:0:0:1]", "localhost"])
def test_this_machine_is_reached_by_its_new_address_too(make_hook: Any, resolver: Any, host: str) -> None:
    hook = make_hook("::1")
    resolver("localhost", ["::1"])
    post(f"http://{host}:{hook.port}/")
    assert len(hook.received) == 1


def test_an_old_address_in_new_clothing_is_taken_for_what_it_is(hook: Any) -> None:
    post(f"http://[::ffff:127.0.0.1]:{hook.port}/")
    assert len(hook.received) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[fe80::1%25lo]/",
        "http://[::1%lo]:{port}/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://[fd00::1]/",
        "http://0.0.0.0:{port}/",
        "http://[::]:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://0x7f.0.0.1:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://127.0.0.1.nip.io:{port}/",
        "http://localhost.evil.example/",
        "http://evil.localhost:{port}/",
        "http://user@127.0.0.1:{port}/",
        "http://127.0.0.1@evil.example/",
        "http://127.0.0.1:{port}@evil.example/",
        "http://evil.example#@127.0.0.1:{port}/",
        "http://evil.example\\@127.0.0.1:{port}/",
        "http://127.0.0.1\\@evil.example/",
        "http://127.0.0.1:{port}\\.evil.example/",
        "http://127.0.0.1%2eevil.example/",
        "http://①②⑦.0.0.1:{port}/",
        "http://ⓛocalhost:{port}/",
        "http://127。0。0。1:{port}/",
        "http://localhost\t:{port}/",
        "http://127.0.0.1:{port}/\r\nX-Evil: 1",
        "http://127.0.0.1:{port} /",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:x/",
        "http:///path",
        "http:127.0.0.1:{port}",
        "//127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
        "",
        "http://[::1",
        "http://-evil.example/",
        "http://..example/",
    ],
)
def test_every_other_address_is_refused(hook: Any, url: str) -> None:
    with pytest.raises(TargetRefused):
        post(url.format(port=hook.port) if "{port}" in url else url)
    assert hook.received == []


def test_a_redirect_is_a_failure_and_leads_nowhere(make_hook: Any) -> None:
    first, second = make_hook(), make_hook()
    for first.status in (301, 302, 303, 307, 308):
        first.location = second.url
        with pytest.raises(Undelivered, match="status 30"):
            post(first.url)
    assert second.received == []


def test_an_allowed_name_that_resolves_to_this_machine_is_refused(hook: Any, resolver: Any) -> None:
    for address in (
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "0.0.0.0",
        "64:ff9b::7f00:1",
    ):
        resolver(NAME, [address])
        with pytest.raises(TargetRefused):
            post(f"http://{NAME}:{hook.port}/", NAME)
    assert hook.received == []


def test_one_bad_address_among_good_ones_is_enough(resolver: Any) -> None:
    resolver(NAME, ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(TargetRefused):
        post(f"http://{NAME}/", NAME)


def test_a_name_server_that_answers_differently_the_second_time_gains_nothing(make_hook: Any, resolver: Any) -> None:
    """The connection goes to the address that was judged; nobody asks again."""
    meant, other = make_hook(), make_hook("127.0.0.2")
    asked = resolver(NAME, ["127.0.0.1"], ["127.0.0.2"])
    post(f"http://{NAME}:{meant.port}/", NAME, "127.0.0.1")
    assert (len(meant.received), len(other.received), asked) == (1, 0, [NAME])
    assert meant.hosts == [f"{NAME}:{meant.port}"]


def test_localhost_in_somebody_elses_hands_is_refused(resolver: Any) -> None:
    resolver("localhost", ["93.184.216.34"])
    with pytest.raises(TargetRefused):
        post("http://localhost/")


def test_the_next_address_is_tried_when_one_does_not_answer(make_hook: Any, resolver: Any) -> None:
    hook = make_hook()
    resolver("localhost", ["::1", "127.0.0.3", "127.0.0.1"])
    post(f"http://localhost:{hook.port}/")
    assert len(hook.received) == 1


@pytest.mark.parametrize(
    ("address", "is_fine"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("192.168.7.7", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::7f00:1", False),
        ("ff02::1", False),
        ("fec0::1", False),
        ("2001:0:7f00:1::", False),
        ("2002:a00:1::", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d822", True),
    ],
)
def test_an_allowed_name_may_be_at_public_addresses_only(address: str, is_fine: bool) -> None:
    to = destination(f"https://{NAME}/x", Allowed.of([NAME.upper() + "."]))
    if is_fine:
        judge(ipaddress.ip_address(address), to)
    else:
        with pytest.raises(TargetRefused):
            judge(ipaddress.ip_address(address), to)


def test_a_private_network_is_reached_when_the_operator_names_it() -> None:
    allowed = Allowed.of(["nas.lan", "192.168.7.0/24", "fd00::/8"])
    for host in ("nas.lan", "192.168.7.7"):
        judge(ipaddress.ip_address("192.168.7.7"), destination(f"http://{host}/", allowed))
    judge(ipaddress.ip_address("fd00::1"), destination("http://[fd00::1]/", allowed))
    with pytest.raises(TargetRefused):
        judge(ipaddress.ip_address("192.168.8.8"), destination("http://nas.lan/", allowed))


def test_no_proxy_and_no_password_file_take_part(
    hook: Any, make_hook: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy = make_hook()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    post(hook.url)
    assert (len(hook.received), proxy.received) == (1, [])


def test_an_answer_without_end_is_not_waited_for(hook: Any) -> None:
    hook.endless, hook.status = True, 200
    post(hook.url)
    assert len(hook.received) == 1


def test_an_answer_one_byte_at_a_time_ends_at_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Undelivered, match=r"within 0\.5 s"):
        post(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout_s=0.5)


def test_a_closed_port_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Undelivered, match="could not be reached"):
        post(f"http://127.0.0.1:{port}/")


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for the hook's name, made just now, and not trusted by anybody yet."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return file


@pytest.fixture
def secured(make_hook: Any, authority: Path, resolver: Any) -> Iterator[Any]:
    """A hook behind that certificate, at a name that resolves to this machine."""
    hook = make_hook()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    hook.server.socket = context.wrap_socket(hook.server.socket, server_side=True)
    for name in (NAME, "other.example.org"):
        resolver(name, ["127.0.0.1"])
    return hook


def test_a_certificate_is_checked_for_the_name_and_not_the_address(
    secured: Any, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = (NAME, "other.example.org", "127.0.0.1")
    with pytest.raises(Undelivered):
        post(f"https://{NAME}:{secured.port}/", *hosts)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with pytest.raises(Undelivered):
        post(f"https://other.example.org:{secured.port}/", *hosts)
    assert secured.received == []
    post(f"https://{NAME}:{secured.port}/", *hosts)
    assert len(secured.received) == 1
