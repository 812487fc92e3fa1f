"""Posts a message to a web address that is on this machine or that the operator named, and to nowhere else.

The name is resolved once per delivery; every address it has must be allowed, and the connection goes to just those, so
that a name server which answers differently the second time gains nothing. Redirects are failures.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from .failures import TargetRefused, Undelivered
from .messages import Message

_NAT64 = IPv6Network("64:ff9b::/96")
_HOSTS_OWN_NAME = "localhost"

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Allowed:
    """What the operator allows: host names, and networks that are not public."""

    names: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    def of(cls, entries: Iterable[str]) -> Allowed:
        """From ``notify.webhook_hosts``: an entry is a network when it reads as one, else a host name."""
        read = [(entry.strip().lower().rstrip("."), _network(entry.strip())) for entry in entries]
        return cls(frozenset(name for name, net in read if net is None), tuple(net for _, net in read if net))


@dataclass(frozen=True)
class Destination:
    """A web address that may be tried: its host is this machine, an allowed name, or an address yet to be judged."""

    scheme: str
    host: str
    port: int
    path: str
    allowed: Allowed

    @property
    def authority(self) -> str:
        """For the Host header: as in the address, without the port when it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _usual_port(self.scheme) else f"{host}:{self.port}"


def destination(url: str, allowed: Allowed) -> Destination:
    """A checked address. Raises TargetRefused for anything that two programs could read in two ways."""
    if not re.fullmatch(r"[!-~]+", url, re.ASCII) or "\\" in url:
        raise TargetRefused("The webhook's address has characters that no web address has.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        raise TargetRefused("The webhook's address cannot be read.") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise TargetRefused("A webhook's address is http:// or https:// and a host.")
    if "@" in parts.netloc:
        raise TargetRefused("A webhook's address must not hold a user name or password.")
    _check_host(host, allowed)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, host, port or _usual_port(parts.scheme), path, allowed)


def judge(address: Address, to: Destination) -> None:
    """Raises TargetRefused unless a connection to ``address`` is within what the operator allowed."""
    plain = _plain(address)
    if any(plain in network for network in to.allowed.networks):
        return
    if plain.is_loopback and (to.host == _HOSTS_OWN_NAME or _literal(to.host) is not None):
        return
    if to.host in to.allowed.names and all(_is_public(one) for one in _reached(plain)):
        return
    raise TargetRefused(
        "The webhook's host is at an address that is neither on this machine, nor public under an allowed name, nor in "
        "an allowed network. Add it to notify.webhook_hosts if that is meant."
    )


def post(url: str, message: Message, hosts: Iterable[str], timeout_s: float) -> None:
    """Deliver by POST; any 2xx counts. Raises TargetRefused, Undelivered; never longer than ``timeout_s``."""
    import httpx

    to = destination(url, Allowed.of(hosts))
    try:
        status = asyncio.run(_post(to, message, timeout_s))
    except TimeoutError:
        raise Undelivered(f"The webhook did not answer within {timeout_s:g} s.") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        raise Undelivered(f"The webhook could not be reached ({type(error).__name__}).") from None
    if not 200 <= status < 300:
        raise Undelivered(f"The webhook answered with status {status}.")


async def _post(to: Destination, message: Message, timeout_s: float) -> int:
    import httpx

    async with asyncio.timeout(timeout_s):
        addresses = await _resolve(to)
        for address in addresses:
            judge(address, to)
        for last, address in enumerate(addresses, 1):
            try:
                return await _post_to(to, address, message, timeout_s)
            except httpx.ConnectError:
                if last == len(addresses):
                    raise
    raise Undelivered("The webhook's host has no address.")


async def _resolve(to: Destination) -> list[Address]:
    literal = _literal(to.host)
    if literal is not None:
        return [literal]
    found = await asyncio.get_running_loop().getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


async def _post_to(to: Destination, address: Address, message: Message, timeout_s: float) -> int:
    """To this very address; the certificate is checked against the host's name all the same."""
    import httpx

    url = httpx.URL(scheme=to.scheme, host=str(address), port=to.port, raw_path=to.path.encode("ascii"))
    secured = _trust() if to.scheme == "https" else False
    async with httpx.AsyncClient(verify=secured, trust_env=False, follow_redirects=False, timeout=timeout_s) as client:
        request = client.build_request(
            "POST",
            url,
            json={
                "text": message.text,
                "event": message.kind,
                "event_id": message.event_id,
                "profile": message.profile,
                "experiment_id": message.experiment_id,
                "url": message.link,
            },
            headers={"Host": to.authority, "User-Agent": "karpathy-self-improve"},
            extensions={"sni_hostname": to.host},
        )
        answer = await client.send(request, stream=True)  # nobody reads the answer's body, however long it is
        await answer.aclose()
        return answer.status_code


def _trust() -> ssl.SSLContext:
    """The host's usual authorities and those of the system, which may know the operator's own."""
    import httpx

    context: ssl.SSLContext = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def _check_host(host: str, allowed: Allowed) -> None:
    if _literal(host) is None and host != _HOSTS_OWN_NAME and host not in allowed.names:
        raise TargetRefused("The webhook's host is not on this machine and not in notify.webhook_hosts.")


def _literal(host: str) -> Address | None:
    """An address in its one usual spelling; no zone, no leading zeros, no shortened numbers."""
    try:
        return None if "%" in host else ip_address(host)
    except ValueError:
        return None


def _network(entry: str) -> Network | None:
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    odd = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    local = address.is_link_local or (isinstance(address, IPv6Address) and address.is_site_local)
    return address.is_global and not odd and not local


def _plain(address: Address) -> Address:
    """The system takes an IPv4 address in IPv6 clothing for what it is."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _reached(address: Address) -> list[Address]:
    """The addresses that a connection may end at: a gateway may make an IPv4 address of an IPv6 one."""
    if isinstance(address, IPv4Address):
        return [address]
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    return [address, *(one for one in (address.sixtofour, *(address.teredo or ())) if one is not None)]


def _usual_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
