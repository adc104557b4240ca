"""Templates to pages. Everything is escaped unless a template says otherwise, and none does."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from proxy.console import words

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
_KINDS: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@cache
def environment() -> Environment:
    """The templates, compiled once."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        {
            name: getattr(words, name)
            for name in ("ago", "when", "percent", "count", "label", "gate", "why", "clock", "acted")
        }
    )
    found.globals.update(action=words.action, reason=words.reason, version=version())
    return found


@cache
def version() -> str:
    """Changes with the static files, so that browsers keep them until then."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(STATIC.iterdir()))).hexdigest()[:8]


def text(template: str, **values: Any) -> str:
    """A template with its values."""
    return environment().get_template(template).render(**values)


def page(request: Request, template: str, code: int = 200, **values: Any) -> HTMLResponse:
    """A page of the console for whoever asks."""
    session = {"path": request.url.path, "form_token": getattr(request.state, "token", "")}
    return HTMLResponse(text(template, **session, **values), code)


def static(name: str) -> tuple[bytes, str] | None:
    """A static file and its type; None where there is none of that name."""
    path = STATIC / name
    kind = _KINDS.get(path.suffix)
    if kind is None or "/" in name or not path.is_file():
        return None
    return path.read_bytes(), kind
