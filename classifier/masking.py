"""No secret reaches the model or the disk: `mask(record)` is the first step of the features.

What is a secret, and what stays:
- values of credential fields, by name, in queries, forms, JSON, XML, multipart parts and headers (`fields`);
- credentials headers and every cookie value; cookie names and attributes stay;
- cards, keys, tokens, userinfo, local parts of addresses and random runs, wherever they stand (`tokens`);
- compressed bodies, beyond their magic number and as far as they are compressed, because nobody can look inside.
Inside a secret, letters and digits become symbols; punctuation, escapes and public words stay (`symbols`), so that
an attack in a password still reads as one. Host names, methods, sizes and fingerprints are never touched.

`mask` is pure, keeps the length of every text (bodies beyond their cap are cut), and is idempotent:
mask(mask(r)) == mask(r).
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from classifier.escapes import has_escape, through
from classifier.fields import is_secret, mask_fields, mask_form
from classifier.packed import MAGIC, blank_packed
from classifier.recent import Recent, both, total
from classifier.records import BODY_CAP, REPLY_CAP, FlowRecord, Headers
from classifier.symbols import blank, blank_basic, settle
from classifier.tokens import mask_tokens

_ATTRIBUTES: Final = frozenset(
    {"path", "domain", "max-age", "expires", "httponly", "secure", "samesite", "priority", "partitioned", "version"}
)
_KEPT: Final = frozenset({"host", ":authority", "content-length", "content-type", "date", "connection", "server"})
_FORM: Final = re.compile(r"[\w.$%+\[\]-]{1,128}+=")
_CAPS: Final = (("request_body", BODY_CAP), ("response_body", REPLY_CAP), ("message", BODY_CAP))


def mask(record: FlowRecord) -> FlowRecord:
    """The record without its secrets; the same object where it holds none."""
    changed: dict[str, Any] = {}
    if record.path and (path := mask_path(record.path)) != record.path:
        changed["path"] = path
    if (asked := _ASKED[record.request_headers]) != record.request_headers:
        changed["request_headers"] = asked
    if (told := _headers(record.response_headers)) != record.response_headers:
        changed["response_headers"] = told
    for name, cap in _CAPS:
        body: bytes = getattr(record, name)
        if body and (masked_body := mask_body(body[:cap])) != body:
            changed[name] = masked_body
    return msgspec.structs.replace(record, **changed) if changed else record


def mask_text(value: str, *, secret: bool = False) -> str:
    """Mask one free text; with `secret`, all of it is a secret."""
    return blank(value) if secret else settle(_free, value)


def mask_path(path: str) -> str:
    """Mask a request target: path, `?` and query."""
    return _PATHS[path]


def mask_header(name: str, value: str) -> str:
    """Mask the value of one header."""
    return _HEADERS[name, value][1]


def mask_body(body: bytes) -> bytes:
    """Mask a body or message, byte for byte."""
    return _BODIES[body]


Kind = Literal["kept", "cookie", "set-cookie", "secret", "text"]


@lru_cache(maxsize=1024)
def _kind(name: str) -> Kind:
    name = name.lower()
    if name in _KEPT:
        return "kept"
    if name in ("cookie", "cookie2"):
        return "cookie"
    if name in ("set-cookie", "set-cookie2"):
        return "set-cookie"
    return "secret" if is_secret(name) else "text"


def _header(header: tuple[str, str]) -> tuple[str, str]:
    """A name and a value: the same pair where it holds no secret."""
    name, value = header
    kind = _kind(name)
    if kind == "kept" or not value:
        return header
    masked = _MASKS[kind](value)
    return header if masked == value else (name, masked)


def _headers(headers: Headers) -> Headers:
    return tuple(map(_HEADERS.__getitem__, headers))


def _cookies(value: str) -> str:
    return ";".join([_pair(cookie) for cookie in value.split(";")])


def _set_cookie(value: str) -> str:
    cookie, *attributes = value.split(";")
    kept = [part if part.partition("=")[0].strip().lower() in _ATTRIBUTES else _pair(part) for part in attributes]
    return ";".join([_pair(cookie), *kept])


def _pair(cookie: str) -> str:
    name, equals, value = cookie.partition("=")
    return f"{name}={blank(value)}" if equals else blank(cookie)


def _credentials(value: str) -> str:
    scheme, space, rest = value.partition(" ")
    return f"{scheme}{space}{blank_basic(rest)}" if scheme.lower() == "basic" else blank(value)


def _target(path: str) -> str:
    return settle(_path, path)


def _whole_body(body: bytes) -> bytes:
    if body.startswith(MAGIC):
        body = blank_packed(body)
    return settle(_body, body.decode("latin-1")).encode("latin-1")


def _path(path: str) -> str:
    resource, mark, query = path.partition("?")
    if not mark:
        return _free(path)
    if "=" in resource or ":" in resource:
        return f"{_free(resource)}?{_free(mask_form(query))}"
    return _free(f"{resource}?{mask_form(query)}")


def _body(text: str) -> str:
    return _free(mask_form(text) if _FORM.match(text) else text)


def _free(text: str) -> str:
    if has_escape(text):
        # Fields first as they are written: an escaped quote or `&` does not end a value.
        return through(mask_fields(text), _plain)
    return _plain(text)


def _plain(text: str) -> str:
    return mask_tokens(mask_fields(text))


_MASKS: Final[dict[Kind, Callable[[str], str]]] = {
    "cookie": _cookies,
    "set-cookie": _set_cookie,
    "secret": _credentials,
    "text": mask_text,
}
_HEADERS: Final = Recent(_header, both, 1 << 18)
_ASKED: Final = Recent(_headers, total, 1 << 18)
_PATHS: Final = Recent(_target, len, 1 << 18)
_BODIES: Final = Recent(_whole_body, len, 1 << 20)
"""Most repeat, and a request is judged when it is asked and again when it is answered."""
