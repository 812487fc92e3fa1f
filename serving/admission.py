"""Who is let in: one pure decision over what a request says of itself, before anything of ours runs.

A browser is told apart from a program by the headers that only it sets: a page of another origin can make it send a
request here, but cannot choose Host, Origin or Sec-Fetch-Site. A program can say what it likes and needs the token.
Sec-Fetch-Site as a defence: https://web.dev/articles/fetch-metadata. Host, against DNS rebinding.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Literal

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_BODY = 4 << 20
UNPROVEN = "no_token"
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::([0-9]{1,5}))?")
_READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Asked:
    """What a request says of itself. ``hosts`` and ``origins`` are all headers of that name, else empty."""

    kind: Literal["http", "websocket"]
    method: str
    path: str
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    fetch_site: str = ""
    fetch_mode: str = ""
    token: str = ""
    body: int | None = 0
    """Bytes of its body by its own word; None when it does not say."""


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let in: an HTTP status, a stable code and a sentence."""

    status: int
    code: str
    message: str


@dataclass(frozen=True)
class Policy:
    """``names`` are what this server may be called in a Host header, ``api`` is the path below which a token counts."""

    scheme: Literal["http", "https"]
    names: frozenset[str]
    api: str
    token: str

    def refusal(self, asked: Asked) -> Refusal | None:
        """None when the request may pass."""
        authority = self._authority(asked)
        if authority is None:
            return Refusal(400, "wrong_host", "This server does not go by that name. Use the address it printed.")
        if asked.origins and asked.origins != (f"{self.scheme}://{authority}",):
            return Refusal(403, "foreign_origin", "Pages of other origins may not talk to this server.")
        if not self._is_from_here(asked):
            return Refusal(403, "foreign_site", "Other pages may not make a browser talk to this server.")
        if asked.body is None or asked.body > MAX_BODY:
            return Refusal(400, "bad_input", f"A body has a Content-Length, of {MAX_BODY} bytes at most.")
        if self.needs_token(asked.path) and not hmac.compare_digest(asked.token.encode(), self.token.encode()):
            return Refusal(401, UNPROVEN, "The token is missing or wrong. It stands in the file the server named.")
        return None

    def needs_token(self, path: str) -> bool:
        """Everything but the page itself, in which there is nothing secret."""
        return path == self.api or path.startswith(f"{self.api}/")

    def _authority(self, asked: Asked) -> str | None:
        """The one Host header, in lower case, if it names this server; any port, for it may be reached by a tunnel."""
        found = _AUTHORITY.fullmatch(asked.hosts[0].lower()) if len(asked.hosts) == 1 else None
        return found[0] if found and found[1] in self.names else None

    def _is_from_here(self, asked: Asked) -> bool:
        if asked.fetch_site in ("", "same-origin"):  # no browser, or our own page
            return True
        opens_the_page = (
            asked.kind == "http"
            and asked.method in _READING
            and asked.fetch_mode == "navigate"
            and not self.needs_token(asked.path)
        )
        return opens_the_page and asked.fetch_site in ("none", "same-site", "cross-site")
