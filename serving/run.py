"""Binds an address and serves on it until stopped: loopback as it is, anything else only with a certificate."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, PortTaken, Unavailable
from ..settings import server_token_path
from . import token_file
from .admission import LOOPBACK_NAMES, Policy

DEFAULT_PORT = 9120


@dataclass(frozen=True)
class Options:
    """How to listen. ``names`` are what a Host header may say beside the bound address."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    token_file: Path | None = None

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_encrypted(self) -> bool:
        return self.certificate is not None and self.key is not None


def serve(options: Options, say: Callable[[str], None], *, show_token: bool) -> None:
    """Serve until stopped; ``say`` hears where, and, with ``show_token``, how to open the page.

    Raises BadInput for an address nobody could safely use, PortTaken, Unavailable, Forbidden for an open token file.
    """
    _check(options)
    _check_certificate(options)
    path = options.token_file or server_token_path()
    token = token_file.ensured(path)
    with _bound(options) as bound:
        address = _address(options, bound.getsockname()[1])
        say(f"Listening on {address}/ (token: {path})")
        if show_token:
            say(f"Open {address}/#token={token}")
        _run(options, policy(options, token), bound)


def policy(options: Options, token: str) -> Policy:
    """Who is let in, by these options."""
    from .app import API

    own = LOOPBACK_NAMES if options.is_loopback else frozenset[str]()
    names = {_in_host(name).lower() for name in (options.host, *options.names)}
    return Policy("https" if options.is_encrypted else "http", own | names, API, token)


def _check(options: Options) -> None:
    if not options.host:
        raise BadInput("No address to listen on was named. Name one: hermes ratchet serve --host 127.0.0.1")
    if (options.certificate is None) != (options.key is None):
        raise BadInput("A certificate needs its key and the other way round: give both --certificate and --key.")
    if not options.is_loopback and not options.is_encrypted:
        raise BadInput(
            f"{options.host} is not a loopback address, and without TLS the token would cross the network for all to "
            "read, which is no authentication. Use an SSH tunnel to 127.0.0.1, or give --certificate and --key."
        )


def _check_certificate(options: Options) -> None:
    """Before anything is said to listen."""
    if options.certificate is None or options.key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(options.certificate, options.key)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or str(error)
        raise BadInput(
            f"The certificate or its key cannot be used: {why}. Name them with --certificate and --key."
        ) from None


def _bound(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {options.port} of {options.host} is taken by another program. Choose another: "
                f"hermes ratchet serve --port {options.port + 1 if options.port < 65535 else 0}",
                port=options.port,
            ) from None
        why = error.strerror or str(error)
        raise Unavailable(f"{options.host} port {options.port} cannot be listened on: {why}. Name another.") from None


def _address(options: Options, port: int) -> str:
    return f"{'https' if options.is_encrypted else 'http'}://{_in_host(options.host)}:{port}"


def _in_host(name: str) -> str:
    """An address as it stands in a Host header."""
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def _run(options: Options, allowed: Policy, bound: socket.socket) -> None:
    import uvicorn

    from .app import build
    from .bounded_protocol import BoundedProtocol

    config = uvicorn.Config(
        build(allowed),
        http=BoundedProtocol,
        log_config=None,
        access_log=False,  # a socket's address holds the token
        server_header=False,
        proxy_headers=False,  # nothing stands before us whose word on who asks would count
        limit_concurrency=200,
        timeout_graceful_shutdown=5,
        ws_max_size=64 << 10,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
    )
    uvicorn.Server(config).run(sockets=[bound])
