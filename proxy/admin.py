"""The admin port: metrics, health, reload, the clients' set-up, and the console.

It listens on loopback by default. A request must name it by an address, by `localhost` or by the host it was told to
listen on: a page elsewhere that rebinds its own name to 127.0.0.1 is refused. So is a client that comes through the
proxy, which would otherwise lend it the loopback address.
"""

import ipaddress
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from proxy.console import app, context
from proxy.console.status import Status

__all__ = ["Direct", "Status", "build"]


def build(console: context.Console, host: str) -> Starlette:
    """The application; `host` is the name or address it listens on."""
    routes = [
        Route("/metrics", _metrics),
        Route("/-/healthy", _healthy),
        Route("/-/ready", _ready),
        Route("/-/reload", _reload, methods=["POST"]),
    ]
    return app.build(console, routes, [Middleware(Direct, host=host, status=console.status)])


class Direct:
    """Refuses requests that come through the proxy, or whose Host or Origin is a name that is not ours."""

    def __init__(self, app: ASGIApp, host: str, status: Status) -> None:
        self.app, self.host, self.status = app, host, status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or refuse it."""
        if scope["type"] == "http" and (problem := self._problem(Request(scope))):
            await PlainTextResponse(problem, 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _problem(self, request: Request) -> str:
        if request.client is not None and tuple(request.client) in self.status.outgoing:
            return "Not through the proxy.\n"
        origin = request.headers.get("origin")
        named = [f"//{request.headers.get('host', '')}", *([origin] if origin else [])]
        return "" if all(self._ours(name) for name in named) else "Name this port by its address or as localhost.\n"

    def _ours(self, url: str) -> bool:
        try:
            name = urlsplit(url).hostname or ""
            return name in ("localhost", self.host) or bool(ipaddress.ip_address(name))
        except ValueError:
            return False


def _status(request: Request) -> Status:
    status: Status = request.app.state.status
    return status


def _metrics(request: Request) -> Response:
    # Not async: reading the files of all workers takes milliseconds, which belong in a thread.
    return Response(generate_latest(_status(request).registry), media_type=CONTENT_TYPE_LATEST)


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("healthy\n")


async def _ready(request: Request) -> Response:
    waiting = _status(request).waiting
    return PlainTextResponse("ready\n" if not waiting else "\n".join(waiting) + "\n", 503 if waiting else 200)


async def _reload(request: Request) -> Response:
    status = _status(request)
    if request.client is None or not ipaddress.ip_address(request.client.host).is_loopback:
        return PlainTextResponse("Reload from the machine itself.\n", 403)
    if status.reload is None:
        return PlainTextResponse("The proxy is still starting.\n", 503)
    result, text = await status.reload()
    code = {"refused": 409, "failed": 500}.get(result, 200)
    return JSONResponse({"result": result or "unchanged", "detail": text}, code)
