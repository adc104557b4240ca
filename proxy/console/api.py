"""The JSON API: the console's verbs for programs, under /api/v1, described by `openapi`. Bearer token only.

Answers are the same plain values that the pages show. A mistake answers 4xx with `{"error": "…"}`.
"""

import asyncio
import functools
import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from classifier import review
from classifier.errors import UserError
from proxy.console import openapi, releases, rollouts, tool, traffic
from proxy.console.context import Console, console
from proxy.console.event import plain
from proxy.console.exceptions import Wish
from proxy.console.openapi import Compared, Says, Started, Word
from proxy.console.overview import overview
from proxy.console.pages import applied, listed, query_of

Answer = Coroutine[Any, Any, Response]


async def status(request: Request) -> Response:
    """What the first page shows."""
    return _json(await asyncio.to_thread(overview, console(request)))


async def flows(request: Request) -> Response:
    """The flow log."""
    folder = console(request).status.state / "captures"
    return _json(await asyncio.to_thread(traffic.search, folder, query_of(request)))


async def event(request: Request) -> Response:
    """One event, as `sluice explain --json`; with `spans=true` what carried its score."""
    here, name = console(request), request.path_params["event"]
    if request.query_params.get("spans") == "true":
        config = ["--config", str(here.status.config)] if here.status.config else []
        done = await tool.run("explain", "--json", "--state", str(here.status.state), *config, "--", name)
        return _json(json.loads(done.out)) if done.code == 0 else _error(done.problem, 404)
    found = await asyncio.to_thread(plain, here, name)
    return _json(found) if found else _error(f"no event {name!r}", 404)


async def queue(request: Request) -> Response:
    """The review queue."""
    console(request).freshener.poke()
    return _json(await asyncio.to_thread(review.waiting, console(request).journal))


async def label(request: Request) -> Response:
    """Say what a flow is."""
    word, flow = _body(request, Word), request.path_params["flow"]
    await asyncio.to_thread(review.say, console(request).journal, flow, word.label, word.weight)
    return _json(Says(flow=flow, label=word.label, weight=word.weight))


async def unlabel(request: Request) -> Response:
    """Take a word back."""
    flow = request.path_params["flow"]
    await asyncio.to_thread(review.unsay, console(request).journal, flow, None)
    return _json(Says(flow=flow, label="", weight=0.0))


async def exceptions(request: Request) -> Response:
    """The exceptions, those of the configuration too."""
    return _json(await asyncio.to_thread(listed, console(request)))


async def allow(request: Request) -> Response:
    """Add one."""
    here = console(request)
    made = await asyncio.to_thread(here.exceptions.add, _body(request, Wish))
    await applied(here, "exception", f"{made.name} added: {made.reason}")
    return _json(made, 201)


async def forbid(request: Request) -> Response:
    """Take one away."""
    here, name = console(request), request.path_params["name"]
    gone = await asyncio.to_thread(here.exceptions.remove, name)
    await applied(here, "exception", f"{name} removed")
    return _json(gone)


async def models(request: Request) -> Response:
    """The releases."""
    return _json(await asyncio.to_thread(releases.every, console(request)))


async def model(request: Request) -> Response:
    """One release."""
    return _json(await asyncio.to_thread(releases.one, console(request), request.path_params["release"]))


async def promote(request: Request) -> Response:
    """Put a release in service."""
    return await _serve(request, lambda here: releases.promote(here, request.path_params["release"]))


async def rollback(request: Request) -> Response:
    """Put the one before in service."""
    return await _serve(request, releases.rollback)


async def trials(request: Request) -> Response:
    """What is on trial."""
    return _json(await asyncio.to_thread(rollouts.every, console(request)))


async def attempt(request: Request) -> Response:
    """Put a release on trial."""
    here, (release, channel) = console(request), (request.path_params[name] for name in ("release", "channel"))
    await rollouts.begin(here, release, channel)
    return await _trials(here, f"{release} on trial as {channel} through the API")


async def withdraw(request: Request) -> Response:
    """End a trial."""
    here, channel = console(request), request.path_params["channel"]
    release = await rollouts.end(here, channel)
    return await _trials(here, f"{release} no longer on trial as {channel} (API)")


async def difference(request: Request) -> Response:
    """What a release would change."""
    here = console(request)
    return _json(Compared(work=await asyncio.to_thread(here.changes.of, *_pair(request))))


async def compare(request: Request) -> Response:
    """Find out."""
    return _json(Compared(work=await console(request).changes.start(*_pair(request))), 202)


async def learning(request: Request) -> Response:
    """The latest fine-tuning run."""
    return _json(Started(run=console(request).learning.latest))


async def runs(request: Request) -> Response:
    """How fine-tuning runs ended."""
    return _json(await asyncio.to_thread(console(request).learning.runs))


async def learn(request: Request) -> Response:
    """Start one."""
    here = console(request)
    run = await here.learning.start()
    await asyncio.to_thread(here.journal.audit, "finetune", "started through the API")
    return _json(Started(run=run), 202)


HANDLERS: Final[dict[str, Callable[[Request], Answer]]] = {
    function.__name__: function
    for function in (
        status, flows, event, queue, label, unlabel, exceptions, allow, forbid, models, model, promote, rollback,
        trials, attempt, withdraw, difference, compare, learning, runs, learn,
    )
}  # fmt: skip


def problem(error: Exception) -> Response:
    """A person's mistake as an answer."""
    return _error(str(error), 409)


async def document(_: Request) -> Response:
    """The OpenAPI document."""
    return _json(openapi.document())


routes = [
    Route("/api/openapi.json", document),
    *(
        Route(f"{openapi.PREFIX}{operation.path}", HANDLERS[operation.name], methods=[operation.method])
        for operation in openapi.OPERATIONS
    ),
]


def _pair(request: Request) -> tuple[str, str]:
    return request.query_params.get("before") or console(request).status.release, request.path_params["release"]


async def _trials(here: Console, detail: str) -> Response:
    await asyncio.to_thread(here.journal.audit, "serve", detail)
    return _json(await asyncio.to_thread(rollouts.every, here))


async def _serve(request: Request, change: Callable[[Any], Coroutine[Any, Any, str]]) -> Response:
    here = console(request)
    release = await change(here)
    await asyncio.to_thread(here.journal.audit, "serve", f"{release} put in service through the API")
    return _json(await asyncio.to_thread(functools.partial(releases.one, here, release)))


def _body[T](request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(request.state.body, type=kind)
    except msgspec.MsgspecError as error:
        raise UserError(f"the body is not as described: {error}") from None


def _json(value: Any, code: int = 200) -> Response:
    return Response(msgspec.json.encode(value) + b"\n", code, media_type="application/json")


def _error(text: str, code: int) -> Response:
    return _json({"error": text}, code)
