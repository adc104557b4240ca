"""The admin port: metrics, health, reload, the CA certificate, and a status page.

It listens on loopback by default. A request must name it by an address, by `localhost` or by the host it was told to
listen on: a page elsewhere that rebinds its own name to 127.0.0.1 is refused. So is a client that comes through the
proxy, which would otherwise lend it the loopback address.
"""

import html
import ipaddress
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

Reload = Callable[[], Awaitable[tuple[Any, str]]]

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sluice</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }}
th {{ text-align: left; padding-right: 2rem; font-weight: 600 }} td {{ font-variant-numeric: tabular-nums }}
</style></head><body><main>
<h1>Sluice</h1>
<table>
<tr><th scope="row">Proxy</th><td>{listen}</td></tr>
<tr><th scope="row">Mode</th><td>{mode}</td></tr>
<tr><th scope="row">Release</th><td>{release} on {provider}</td></tr>
<tr><th scope="row">Ready</th><td>{ready}</td></tr>
<tr><th scope="row">Decisions</th><td>{allow} allowed, {flag} flagged, {block} blocked</td></tr>
</table>
<p><a href="/ca.pem">CA certificate</a> (clients must trust it for HTTPS to be filtered) ·
<a href="/metrics">metrics</a></p>
</main></body></html>
"""


@dataclass
class Status:
    """What the admin port knows of the proxy. `waiting` are the reasons why it is not ready; empty when it is."""

    ca: Path
    mode: str
    registry: CollectorRegistry
    listen: str = ""
    release: str = ""
    provider: str = ""
    waiting: list[str] = field(default_factory=lambda: ["the model is not loaded", "the proxy does not listen"])
    reload: Reload | None = None
    outgoing: Set[tuple[str, int]] = frozenset()
    """Ends of the proxy's own connections."""


def build(status: Status, host: str) -> Starlette:
    """The application; `host` is the name or address it listens on."""
    routes = [
        Route("/", _page),
        Route("/metrics", _metrics),
        Route("/ca.pem", _ca),
        Route("/-/healthy", _healthy),
        Route("/-/ready", _ready),
        Route("/-/reload", _reload, methods=["POST"]),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Direct, host=host, status=status)])
    app.state.status = status
    return app


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


async def _ca(request: Request) -> Response:
    return FileResponse(_status(request).ca, media_type="application/x-pem-file", filename="sluice-ca.pem")


def _page(request: Request) -> Response:
    status = _status(request)
    shown = {
        "listen": status.listen or "not listening",
        "mode": status.mode,
        "release": status.release or "none",
        "provider": status.provider or "nothing",
        "ready": "; ".join(status.waiting) or "yes",
    }
    fields = {name: html.escape(value) for name, value in shown.items()}
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "X-Frame-Options": "DENY"}
    return HTMLResponse(_PAGE.format(**fields, **_counts(status.registry)), headers=headers)


def _counts(registry: CollectorRegistry) -> dict[str, int]:
    counts = dict.fromkeys(("allow", "flag", "block"), 0)
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == "sluice_flows_total":
                counts[sample.labels["action"]] += int(sample.value)
    return counts
