"""Stands before the whole application: asks the policy about each request, and marks each answer for browsers."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..routes.answers import failure
from ..routes.asking import ADMITTED
from .admission import UNPROVEN, Asked, Policy, Refusal
from .callers import WrongTokens

_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_TOO_MANY = Refusal(429, "too_many_attempts", "Too many wrong tokens came from this address. Wait a minute.")
_DISABLED = Refusal(404, "plugin_disabled", "The plugin is disabled. Enable it: hermes plugins enable")


class Guard:
    """``principal`` is what the audit trail says of whoever has the token; ``enabled`` is asked for each request."""

    def __init__(self, app: ASGIApp, policy: Policy, principal: str, enabled: Callable[[], bool]) -> None:
        self._app = app
        self._policy = policy
        self._principal = principal
        self._enabled = enabled
        self._wrong_tokens = WrongTokens()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        refused = self._policy.refusal(asked(scope))
        if refused is not None and refused.code == UNPROVEN and self._wrong_tokens.too_many(_address(scope)):
            refused = _TOO_MANY
        if refused is None and self._policy.needs_token(scope["path"]) and not self._enabled():
            refused = _DISABLED
        if refused is None:
            return await self._app({**scope, ADMITTED: self._principal}, receive, _marked(send))
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 1008, "reason": refused.message[:120]})
        answer = failure(refused.status, refused.message, refused.code)
        return await answer(scope, receive, _marked(send))


def asked(scope: Scope) -> Asked:
    """What an ASGI request says of itself."""
    headers = Headers(scope=scope)
    return Asked(
        kind=scope["type"],
        method=scope.get("method", "GET"),
        path=scope["path"],
        hosts=tuple(headers.getlist("host")),
        origins=tuple(headers.getlist("origin")),
        fetch_site=headers.get("sec-fetch-site", ""),
        fetch_mode=headers.get("sec-fetch-mode", ""),
        token=_token(scope, headers),
        body=_body(headers),
    )


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _token(scope: Scope, headers: Headers) -> str:
    if scope["type"] == "websocket":  # a browser can send no header of our choice with one
        query: bytes = scope["query_string"]
        return parse_qs(query.decode("latin-1")).get("token", [""])[0]
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else headers.get("x-ratchet-token", "")


def _body(headers: Headers) -> int | None:
    if "transfer-encoding" in headers:
        return None
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else None


def _marked(send: Send) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_SECURITY)
        await send(message)

    return marked
