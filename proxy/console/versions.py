"""The pages of what judges: learning, the releases, trials, and what a release would change."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from classifier.errors import UserError
from proxy.console import releases, rollouts
from proxy.console.context import Console, console
from proxy.console.pages import framed

REPORT = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'; sandbox"
)
"""What the page about a run may do: nothing but look like something."""


def models(request: Request) -> Response:
    """The releases and what is on trial; or only the trials when the page asks for them again."""
    if request.headers.get("hx-request"):
        return framed(request, "trials.html", trials=rollouts.every(console(request)))
    return _releases(request)


async def promote(request: Request) -> Response:
    """Put a release in service."""
    release = request.path_params["release"]
    return await _served(request, lambda here: releases.promote(here, release))


async def rollback(request: Request) -> Response:
    """Put the release before in service."""
    return await _served(request, releases.rollback)


async def tried(request: Request) -> Response:
    """Put a release on trial."""
    release, channel = request.path_params["release"], request.path_params["channel"]
    return await _served(request, lambda here: rollouts.begin(here, release, channel), f"on trial as {channel}")


async def withdrawn(request: Request) -> Response:
    """End a trial."""
    channel = request.path_params["channel"]
    return await _served(request, lambda here: rollouts.end(here, channel), f"no longer on trial as {channel}")


def difference(request: Request) -> Response:
    """What another release would change on the captured flows; or only the part that grows."""
    here, after = console(request), request.path_params["release"]
    before = request.query_params.get("before") or here.status.release
    work = here.changes.of(before, after)
    template = "changes.html" if request.headers.get("hx-request") else "difference.html"
    return framed(request, template, work=work, before=before, after=after)


async def compare(request: Request) -> Response:
    """Compare two releases on the captured flows."""
    here, after = console(request), request.path_params["release"]
    before = request.state.form.get("before") or here.status.release
    await here.changes.start(before, after)
    return RedirectResponse(f"/releases/{quote(after)}/diff?{urlencode({'before': before})}", 303)


def learning(request: Request) -> Response:
    """Fine-tuning: what it would learn from, how far it is, how the last one ended."""
    here = console(request)
    labels = here.journal.labels()
    template = "run.html" if request.headers.get("hx-request") else "learning.html"
    runs = here.learning.runs()
    return framed(request, template, run=here.learning.latest, labels=len(labels), runs=runs, problem="")


def report(request: Request) -> Response:
    """The page that a fine-tuning run left behind. It has its own style and no script."""
    try:
        path = console(request).learning.report(float(request.path_params["started"]))
    except ValueError:
        path = None
    if path is None:
        return PlainTextResponse("No report of this run is left.\n", 404)
    return Response(path.read_bytes(), media_type="text/html", headers={"content-security-policy": REPORT})


async def learn(request: Request) -> Response:
    """Start fine-tuning."""
    here = console(request)
    await here.learning.start()
    await asyncio.to_thread(here.journal.audit, "finetune", "started from the console")
    return RedirectResponse("/learning", 303)


def _releases(request: Request, code: int = 200, problem: str = "") -> Response:
    here = console(request)
    told = {"releases": releases.every(here), "trials": rollouts.every(here)}
    return framed(request, "releases.html", code, **told, problem=problem)


async def _served(
    request: Request, change: Callable[[Console], Any], what: str = "put in service from the console"
) -> Response:
    here = console(request)
    try:
        release = await change(here)
    except UserError as error:
        return await asyncio.to_thread(_releases, request, 409, str(error))
    await asyncio.to_thread(here.journal.audit, "serve", f"{release} {what}")
    return RedirectResponse("/releases", 303)


routes = [
    Route("/releases", models),
    Route("/releases/{release}/promote", promote, methods=["POST"]),
    Route("/releases/{release}/diff", difference),
    Route("/releases/{release}/diff", compare, methods=["POST"]),
    Route("/releases/{release}/try/{channel}", tried, methods=["POST"]),
    Route("/trials/{channel}/withdraw", withdrawn, methods=["POST"]),
    Route("/rollback", rollback, methods=["POST"]),
    Route("/learning", learning),
    Route("/learning", learn, methods=["POST"]),
    Route("/learning/{started}/report", report),
]
