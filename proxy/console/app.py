"""The console as routes and one gatekeeper; the admin port adds its own routes to them."""

import asyncio
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from classifier.errors import UserError
from proxy.console import access, api, onboard, pages, versions, view
from proxy.console.context import Console, console
from proxy.console.guard import Guard


def build(here: Console, routes: Sequence[BaseRoute], outer: Sequence[Middleware]) -> Starlette:
    """The application: the console's routes and `routes`, behind `outer` and the gatekeeper."""
    app = Starlette(
        routes=[*routes, *public, *access.routes, *pages.routes, *versions.routes, *api.routes],
        middleware=[*outer, Middleware(Guard, vault=here.vault, sessions=here.sessions)],
        exception_handlers={UserError: _mistake},
    )
    app.state.console, app.state.status = here, here.status
    return app


async def setup(request: Request) -> Response:
    """How to set up a client."""
    status, host = console(request).status, request.headers.get("host", "")
    text = await asyncio.to_thread(lambda: onboard.setup(status, host, console=True))
    return Response(text, media_type="text/html")


async def download(request: Request) -> Response:
    """What clients fetch."""
    status, host = console(request).status, request.headers.get("host", "")
    found = await asyncio.to_thread(onboard.file, request.url.path, status, host)
    if found is None:
        return PlainTextResponse("Nothing here.\n", 404)
    return Response(found.content, media_type=found.kind, headers=found.headers)


async def static(request: Request) -> Response:
    """Style sheet and scripts."""
    found = await asyncio.to_thread(view.static, request.path_params["name"])
    if found is None:
        return PlainTextResponse("Nothing here.\n", 404)
    return Response(found[0], headers={"Content-Type": found[1]})


public = [
    Route("/setup", setup),
    *(Route(path, download) for path in sorted(onboard.PUBLIC)),
    Route("/static/{name}", static),
]


async def _mistake(request: Request, error: Exception) -> Response:
    if request.url.path.startswith("/api/"):
        return api.problem(error)
    return PlainTextResponse(f"{error}\n", 409)  # pages with a form catch it themselves
