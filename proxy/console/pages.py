"""The pages: what each verb's module tells, put into a template. Handlers without `async` run in a thread."""

import asyncio
import functools
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from classifier import review
from classifier.errors import UserError
from classifier.records import LABELS
from proxy.console import history, releases, tool, traffic
from proxy.console.context import Console, console
from proxy.console.event import detail, marked, passed
from proxy.console.exceptions import DAYS, Allowed, Wish, configured, judged
from proxy.console.overview import overview
from proxy.console.review import named
from proxy.console.view import page

Handler = Callable[[Request], Any]
LATEST = 8
"""Events on the first page."""


def home(request: Request) -> Response:
    """The first page, or only its figures when it asks for them again."""
    here = console(request)
    found = overview(here)
    events = [review.item(event) for event in here.journal.events(4 * LATEST) if event.rule != review.PICKED][:LATEST]
    serving = next((release for release in releases.every(here) if release.release == found.release), None)
    template = "figures.html" if request.headers.get("hx-request") else "overview.html"
    chart = history.boxes(found.hours)
    return framed(request, template, found=found, events=events, serving=serving, chart=chart)


def flows(request: Request) -> Response:
    """The flow log, or only its lines."""
    query, minutes = query_of(request), request.query_params.get("minutes", "")
    here = console(request)
    found = traffic.search(here.status.state / "captures", query)
    names = named(here.journal, [each.event for each in found.flows if each.event])
    asked = {name: value for name, value in request.query_params.items() if value and name != "before"}
    older = f"/traffic?{urlencode({**asked, 'before': found.older})}" if found.older else ""
    live = bool(request.query_params.get("live")) and not query.before
    template = "flows.html" if request.headers.get("hx-request") else "traffic.html"
    shown: dict[str, Any] = {
        "found": found,
        "names": names,
        "query": query,
        "older": older,
        "minutes": minutes,
        "labels": LABELS,
    }
    return framed(request, template, live=live, again=f"/traffic?{urlencode(asked)}", **shown)


def flow(request: Request) -> Response:
    """A flow that passed, as if it were an event."""
    given = request.query_params.get("at", "")
    try:
        found = passed(console(request), request.path_params["flow"], float(given))
    except ValueError:
        found = None
    return framed(request, "event.html", 200 if found else 404, event=found, labels=LABELS)


def event(request: Request) -> Response:
    """One event; what carried its score is asked for by the page itself."""
    found = detail(console(request), request.path_params["event"])
    return framed(request, "event.html", 200 if found else 404, event=found, labels=LABELS)


async def why(request: Request) -> Response:
    """The spans of an event: `sluice explain`, in a process of its own."""
    here, name = console(request), request.path_params["event"]
    config = ["--config", str(here.status.config)] if here.status.config else []
    done = await tool.run("explain", "--json", "--state", str(here.status.state), *config, "--", name)
    told = json.loads(done.out) if done.code == 0 else {"note": done.problem}
    shown = await asyncio.to_thread(marked, told)
    return page(request, "why.html", told=told, parts=shown)


async def queue(request: Request) -> Response:
    """The review queue: one event to decide on, and those that come next."""
    console(request).freshener.poke()
    return await asyncio.to_thread(_queue, request, request.query_params.get("at", "0"))


def say(request: Request) -> Response:
    """An administrator's word on a flow; then back to where it was said, where it can be taken back."""
    form, journal = request.state.form, console(request).journal
    flow = form.get("flow", "")
    before = review.say(journal, flow, form.get("label", ""))
    if form.get("from") == "review":
        return _queue(request, form.get("at", "0"), flow if before is None else "")
    return RedirectResponse(_back(form.get("from", "")), 303)


def unsay(request: Request) -> Response:
    """Take back what was just said in the queue."""
    form, journal = request.state.form, console(request).journal
    if form.get("how") == "skip":
        review.skip(journal, form.get("flow", ""), 0.0)
    else:
        review.unsay(journal, form.get("flow", ""), None)
    return _queue(request, form.get("at", "0"))


def skip(request: Request) -> Response:
    """Put a flow behind the others."""
    form = request.state.form
    review.skip(console(request).journal, form.get("flow", ""))
    return _queue(request, form.get("at", "0"), form.get("flow", ""), "skip")


def exceptions(request: Request) -> Response:
    """The exceptions, and a form for one more, filled in from the query."""
    here, given = console(request), request.query_params
    wish = {name: given.get(name, "") for name in ("host", "path", "label", "client", "reason")}
    return framed(request, "exceptions.html", exceptions=listed(here), wish=wish, days=DAYS, labels=LABELS, problem="")


async def allow(request: Request) -> Response:
    """Add an exception."""
    here, form = console(request), request.state.form
    wish = {name: form.get(name, "").strip() for name in ("host", "path", "label", "client", "reason")}
    try:
        made = await asyncio.to_thread(here.exceptions.add, Wish(**wish, days=float(form.get("days") or 0)))
        await applied(here, "exception", f"{made.name} added: {made.reason}")
    except (UserError, ValueError) as error:
        told = {
            "exceptions": await asyncio.to_thread(listed, here),
            "wish": wish,
            "days": DAYS,
            "labels": LABELS,
            "problem": str(error),
        }
        return await asyncio.to_thread(functools.partial(framed, request, "exceptions.html", 400, **told))
    return RedirectResponse("/exceptions", 303)


async def forbid(request: Request) -> Response:
    """Take an exception away."""
    here = console(request)
    gone = await asyncio.to_thread(here.exceptions.remove, request.path_params["name"])
    await applied(here, "exception", f"{gone.name} removed")
    return RedirectResponse("/exceptions", 303)


async def applied(here: Console, action: str, detail: str) -> None:
    """Note a change of the exceptions and put it into effect. Raises UserError."""
    await asyncio.to_thread(here.journal.audit, action, detail)
    if here.status.apply is not None:
        await here.status.apply()


def query_of(request: Request) -> traffic.Query:
    """The filters in a request's query; what cannot be read is left out. `minutes` counts back from now."""
    given = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    fields: dict[str, Any] = {name: given[name] for name in traffic.Query.__struct_fields__ if name in given}
    if given.get("minutes", "").isdecimal():
        fields["since"] = time.time() - 60 * min(int(given["minutes"]), 10**6)
    for name in list(fields):
        try:
            msgspec.convert({name: fields[name]}, traffic.Query, strict=False)
        except msgspec.ValidationError:
            del fields[name]
    return msgspec.convert(fields, traffic.Query, strict=False)


def _queue(request: Request, asked: str, undo: str = "", how: str = "label") -> Response:
    items = review.waiting(console(request).journal)
    at = max(0, min(int(asked) if asked.isdecimal() else 0, len(items) - 1))
    current = detail(console(request), items[at].event) if items else None
    template = "decide.html" if request.headers.get("hx-request") else "review.html"
    return framed(request, template, items=items, at=at, current=current, labels=LABELS, undo=undo, how=how)


def listed(here: Console) -> list[Allowed]:
    """Those of the configuration first, as the policy tries them."""
    return judged([*configured(here.status.config), *here.exceptions.every()], here.journal)


def framed(request: Request, template: str, code: int = 200, **values: Any) -> Response:
    """A page with what its frame shows: how many flows wait for a word. Reads the journal; not for an event loop."""
    waiting, reported = review.count(console(request).journal)
    return page(request, template, code, waiting=waiting, reported=reported, **values)


def _back(path: str) -> str:
    return path if path.startswith("/") and not path.startswith("//") and path.isprintable() else "/traffic"


routes = [
    Route("/", home),
    Route("/traffic", flows),
    Route("/flows/{flow:path}", flow),
    Route("/events/{event}", event),
    Route("/events/{event}/why", why),
    Route("/review", queue),
    Route("/label", say, methods=["POST"]),
    Route("/label/undo", unsay, methods=["POST"]),
    Route("/review/skip", skip, methods=["POST"]),
    Route("/exceptions", exceptions),
    Route("/exceptions", allow, methods=["POST"]),
    Route("/exceptions/{name}/remove", forbid, methods=["POST"]),
]
