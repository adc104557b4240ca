"""Who may: nothing is open unless it is named here. Every answer gets the headers that keep a page to itself.

    open paths        anybody who reaches the port: metrics, health, the clients' set-up
    /api/             the token (`sluice console token`) as a bearer token (RFC 6750)
    everything else   a session; what changes something also its form token, from our own pages only

Bodies are read here, bounded, so that no handler can forget to check the form token before it looks at a form.
"""

import asyncio
import hmac
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classifier.errors import UserError
from proxy.console.onboard import PUBLIC, SELF_TEST
from proxy.console.session import COOKIE, Sessions
from proxy.console.vault import Vault

OPEN: Final = frozenset({"/metrics", "/-/healthy", "/-/ready", "/-/reload", "/login", "/welcome", "/setup", *PUBLIC})
OPEN_UNDER: Final = ("/static/",)
API: Final = "/api/"
API_OPEN: Final = frozenset({"/api/openapi.json"})
LARGEST: Final = 64 * 1024
"""Bytes of a request body."""
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    f"connect-src 'self' {' '.join(SELF_TEST)}; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Lets a request through to `app` or answers it."""

    def __init__(self, app: ASGIApp, vault: Vault, sessions: Sessions) -> None:
        self.app, self.vault, self.sessions = app, vault, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        answer = await self._refuse(request) or self.app
        await answer(scope, receive, _with_headers(send, request.url.path))

    async def _refuse(self, request: Request) -> Response | None:
        try:
            if request.method not in _SAFE and (problem := await self._unsafe(request)):
                return problem
            path = request.url.path
            if path in OPEN or path in API_OPEN or path.startswith(OPEN_UNDER):
                return None
            if path.startswith(API):
                return await self._by_token(request)
            return await asyncio.to_thread(self._by_session, request)
        except UserError as error:
            return PlainTextResponse(f"{error}\n", 500)

    async def _unsafe(self, request: Request) -> Response | None:
        """Read the body of a request that changes something, and refuse one that another site's page sent."""
        if not same_origin(request):
            return PlainTextResponse("Not from another site.\n", 403)
        body = await _body(request)
        if body is None:
            return PlainTextResponse("Too long.\n", 413)
        request.state.body = body
        form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        request.state.form = _fields(body) if form else {}
        return None

    async def _by_token(self, request: Request) -> Response | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and await asyncio.to_thread(self.vault.knows_token, token.strip()):
            return None
        hint = "send the token that `sluice console token` gives as `Authorization: Bearer TOKEN`"
        return JSONResponse({"error": hint}, 401, {"WWW-Authenticate": "Bearer"})

    def _by_session(self, request: Request) -> Response | None:
        session = self.sessions.check(request.cookies.get(COOKIE, ""))
        if not session:
            return _to_login(request)
        request.state.session, token = session, self.sessions.form_token(session)
        request.state.token = token
        if request.method in _SAFE:
            return None
        given = request.headers.get("x-form-token") or request.state.form.get("form_token", "")
        if hmac.compare_digest(given.encode(), token.encode()):
            return None
        return PlainTextResponse("This form is out of date: load the page again.\n", 403)


def same_origin(request: Request) -> bool:
    """Whether one of our own pages sent this, or a program: it says neither Origin nor Sec-Fetch-Site."""
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def _to_login(request: Request) -> Response:
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": "/login"})
    if request.method not in _SAFE:
        return PlainTextResponse("Log in first.\n", 403)
    after = request.url.path  # its query may hold what nobody should read on a login page
    return RedirectResponse("/login" if after == "/" else f"/login?next={quote(after, safe='/')}", 303)


def _fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        return {}


async def _body(request: Request) -> bytes | None:
    """The body, None when it is too long."""
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST:
                return None
    except ClientDisconnect:
        return None
    return body


def _with_headers(send: Send, path: str) -> Send:
    kept = "public, max-age=3600" if path.startswith(OPEN_UNDER) else "no-store"
    added: list[tuple[bytes, bytes]] = [
        (name.encode(), value.encode()) for name, value in {**_HEADERS, "cache-control": kept}.items()
    ]

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            own: list[Any] = message["headers"]
            named = {name for name, _ in own}
            message["headers"] = own + [pair for pair in added if pair[0] not in named]
        await send(message)

    return wrapped
