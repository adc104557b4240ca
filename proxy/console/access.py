"""Coming in and going out: the first password, the login, the logout."""

import asyncio
import hmac
import math

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from classifier.errors import UserError
from proxy.console.context import Console, console
from proxy.console.session import COOKIE, LIFE
from proxy.console.view import page


async def login(request: Request) -> Response:
    """The form that asks for the password."""
    settled = await asyncio.to_thread(lambda: console(request).vault.settled)
    return page(request, "login.html", settled=settled, problem="", after=_after(request.query_params.get("next", "")))


async def enter(request: Request) -> Response:
    """The password was given."""
    here, form = console(request), request.state.form
    after, address = _after(form.get("next", "")), request.client.host if request.client else ""
    if wait := here.limit.wait(address):
        problem = f"Too many tries. Wait {math.ceil(wait)} seconds."
        answer: Response = page(request, "login.html", 429, settled=True, problem=problem, after=after)
        answer.headers["Retry-After"] = str(math.ceil(wait))
        return answer
    here.limit.failed(address)  # counted before it is checked: tries at once must not slip through
    if not await asyncio.to_thread(here.vault.knows_password, form.get("password", "")):
        problem = "That is not the password."
        return page(request, "login.html", 403, settled=here.vault.settled, problem=problem, after=after)
    here.limit.succeeded(address)
    return _welcomed(request, here, after)


async def welcome(request: Request) -> Response:
    """The page that chooses the first password, behind the link that `sluice run` printed."""
    here, key = console(request), request.query_params.get("key", "")
    problem = "" if await _invited(here, key) else "used"
    return page(request, "welcome.html", 403 if problem else 200, key=key, problem=problem)


async def settle(request: Request) -> Response:
    """The first password was chosen."""
    here, form = console(request), request.state.form
    key, password = form.get("key", ""), form.get("password", "")
    if not await _invited(here, key):
        return page(request, "welcome.html", 403, key="", problem="used")
    if password != form.get("again", ""):
        return page(request, "welcome.html", 400, key=key, problem="The two are not the same.")
    try:
        await asyncio.to_thread(here.vault.set_password, password)
    except UserError as error:
        return page(request, "welcome.html", 400, key=key, problem=str(error).capitalize() + ".")
    await asyncio.to_thread(here.journal.audit, "password", "the first console password was chosen")
    return _welcomed(request, here, "/")


async def leave(request: Request) -> Response:
    """Log out."""
    console(request).sessions.end(request.state.session)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


routes = [
    Route("/login", login),
    Route("/login", enter, methods=["POST"]),
    Route("/welcome", welcome),
    Route("/welcome", settle, methods=["POST"]),
    Route("/logout", leave, methods=["POST"]),
]


async def _invited(here: Console, key: str) -> bool:
    """Whether the link is the right one, and no password was chosen yet."""
    settled = await asyncio.to_thread(lambda: here.vault.settled)
    return not settled and hmac.compare_digest(key.encode(), here.invitation.encode())


def _welcomed(request: Request, here: Console, after: str) -> Response:
    answer = RedirectResponse(after, 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, here.sessions.open(), max_age=LIFE, httponly=True, samesite="strict", secure=secure)
    return answer


def _after(path: str) -> str:
    """Where to go after the login: a path of this console, nothing else."""
    safe = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if safe and len(path) < 500 else "/"
