"""What is changed in mitmproxy's classes: the only file that replaces names of theirs, most of them private.

All of it holds for the versions of `KNOWN` alone; with any other mitmproxy, stock behaviour stays and a warning says
so. `tests/proxy/test_patches.py` compares the answers with those of stock mitmdump, byte for byte.

1. Connections are served by `handler.Handler`: no task for a hook that nobody waits in.
2. Look-ups in headers, host names that were checked a moment ago, and fields of hooks are read in one step.
3. `MessageData.__post_init__` type-checks every message, a debugging aid that `python -O` removes too.
4. A body of unannounced length is held back until `HELD` bytes; an addon then judges what has come
   (`request_overflow`, `response_overflow`), and the rest passes as it comes. mitmproxy's own `stream_large_bodies`
   crashes its layer when an addon has answered meanwhile, so it stays unset.

`share`, which workers cannot do without, holds for any version that listens as these do, or says that it does not.
"""

# mitmproxy's own functions are mostly untyped.
# mypy: disable-error-code="no-untyped-call"

import asyncio
import logging
import re
import socket
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from typing import Any, Final

from mitmproxy import hooks, http, version
from mitmproxy.net import check
from mitmproxy.net.http import url
from mitmproxy.net.http.http1 import read
from mitmproxy.proxy import commands, layer, mode_servers
from mitmproxy.proxy.layers.http import HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import ErrorCode, RequestData, RequestProtocolError, ResponseData
from mitmproxy.utils import asyncio_utils, strutils

from classifier.errors import UserError
from proxy.handler import Handler
from proxy.listener import Listener

log = logging.getLogger(__name__)

KNOWN: Final = "12.2."
"""The versions whose insides these are."""
HELD: Final = 1024 * 1024
"""Bytes of a body that are held back to be judged; a longer body passes as it comes."""
ANSWERED: Final = "sluice.answered"
"""In a flow's metadata: the filter has given the response, whatever the origin still sends."""
LONGEST_HOST: Final = 255
"""Bytes of a host name (RFC 1035) and its port that are worth remembering."""


def tune() -> None:
    """Change mitmproxy's classes, once a process."""
    if not version.VERSION.startswith(KNOWN):
        log.warning("mitmproxy %s is not known: it runs as it is, slower, and holds long bodies", version.VERSION)
        return
    http.MessageData.__post_init__ = _unchecked  # type: ignore[method-assign]
    HttpStream.check_body_size = _check_body_size  # type: ignore[method-assign, assignment]
    mode_servers.ProxyConnectionHandler = Handler  # type: ignore[misc]
    asyncio_utils.set_task_debug_info = _set_task_debug_info
    hooks.Hook.args = _args  # type: ignore[method-assign, assignment]
    http.Headers.get_all = _get_all  # type: ignore[method-assign, assignment]
    http.Headers.get = _get  # type: ignore[method-assign, assignment]
    http.Headers.__contains__ = _contains  # type: ignore[method-assign, assignment]
    check.is_valid_host = url.is_valid_host = _is_valid_host  # type: ignore[attr-defined]
    url.parse_authority = _parse_authority
    url.parse = _parse  # type: ignore[assignment]
    read.raise_if_http_version_unknown = _raise_if_http_version_unknown


def share(sockets: Sequence[socket.socket]) -> None:
    """Let mitmproxy's servers take connections from these listening sockets, by port, once a process.

    A port that is none of theirs is opened by every process for itself (SO_REUSEPORT). Raises UserError.
    """
    server = mode_servers.AsyncioServerInstance
    if not hasattr(server, "listen"):
        raise UserError("this mitmproxy listens differently; install the version in requirements/run.txt")
    stock = server.listen

    async def listen(instance: Any, host: str, port: int) -> Any:
        own = [each for each in sockets if each.getsockname()[1] == port]
        if instance.mode.transport_protocol != "tcp":
            return await stock(instance, host, port)
        if own:
            return [Listener(own, instance.handle_stream)]
        return [await asyncio.start_server(instance.handle_stream, host, port, reuse_port=True)]

    server.listen = listen  # type: ignore[method-assign, assignment]


# ── look-ups in one step ─────────────────────────────────────────────────────────────────────────────────────


def _set_task_debug_info(task: Any, *, name: str, client: tuple[Any, ...] | None = None) -> None:
    """As stock, without a look at the environment."""
    task.created = time.time()
    task.set_name(name)
    if client:
        task.client = client


def _args(hook: hooks.Hook) -> list[Any]:
    kind: Any = type(hook)
    return [getattr(hook, name) for name in _names(kind)]


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _get_all(headers: http.Headers, name: str | bytes) -> list[str]:
    wanted = strutils.always_bytes(name, "utf-8", "surrogateescape").lower()
    size = len(wanted)
    return [
        value.decode("utf-8", "surrogateescape")
        for key, value in headers.fields
        if len(key) == size and key.lower() == wanted
    ]


def _get(headers: http.Headers, name: str | bytes, default: Any = None) -> Any:
    values = _get_all(headers, name)
    return ", ".join(values) if values else default


def _contains(headers: http.Headers, name: str | bytes) -> bool:
    return bool(_get_all(headers, name))


def _remembered[T](function: Callable[..., T]) -> Callable[..., T]:
    """A pure function of a host; what it raises is raised again."""
    recent = lru_cache(maxsize=1024, typed=True)(function)

    def look(host: str | bytes, *more: Any, **named: Any) -> T:
        return (recent if len(host) <= LONGEST_HOST else function)(host, *more, **named)

    return look


_is_valid_host: Final = _remembered(check.is_valid_host)
_parse_authority: Final = _remembered(url.parse_authority)

_stock_parse: Final = url.parse
_PLAIN: Final = re.compile(
    rb"(https?)://([a-z0-9._-]{1,255})(?::([1-9][0-9]{0,4}))?(/(?!/)[!\"$-:<->@-~]*(?:\?[!\"$-~]+)?)"
)
"""Addresses of which nothing has to be unescaped, completed or left out."""


def _parse(address: str | bytes) -> tuple[bytes, bytes, int, bytes]:
    plain = _PLAIN.fullmatch(address) if isinstance(address, bytes) else None
    if plain is None:
        return _stock_parse(address)
    scheme, host, given, path = plain.groups()
    port = int(given) if given else 443 if scheme == b"https" else 80
    if port > 65535 or not _is_valid_host(host) or host.startswith(b".") or b".." in host:
        return _stock_parse(address)
    return scheme, host, port, path


_stock_version: Final = read.raise_if_http_version_unknown


def _raise_if_http_version_unknown(http_version: bytes) -> None:
    if http_version != b"HTTP/1.1":
        _stock_version(http_version)


# ── messages and bodies ────────────────────────────────────────────────────────────────────────────────


@dataclass
class RequestOverflowHook(commands.StartHook):
    """More than `HELD` bytes of a request body of unannounced length have come; its content holds them."""

    name = "request_overflow"
    flow: http.HTTPFlow


@dataclass
class ResponseOverflowHook(commands.StartHook):
    """The same for a response."""

    name = "response_overflow"
    flow: http.HTTPFlow


def _unchecked(_: http.MessageData) -> None:
    """Stands in for the debugging type check."""


def _check_body_size(stream: HttpStream, request: bool) -> Generator[Any, Any, bool]:
    """Called by mitmproxy before a body and with each piece of it; True would end the flow."""
    buffer = stream.request_body_buf if request else stream.response_body_buf
    if not buffer:
        return False
    if request and stream.flow.response is not None:  # answered already: what still comes is dropped
        buffer.clear()
    elif not request and stream.flow.metadata.get(ANSWERED):
        yield from _answer(stream)
    elif len(buffer) > HELD:
        yield from _overflow(stream, request)
    return False


def _overflow(stream: HttpStream, request: bool) -> layer.CommandGenerator[None]:
    """Let an addon see what has come; then stream, unless it has answered."""
    flow = stream.flow
    message = flow.request if request else flow.response
    assert message is not None
    buffer = stream.request_body_buf if request else stream.response_body_buf
    message.data.content = bytes(buffer)
    yield RequestOverflowHook(flow) if request else ResponseOverflowHook(flow)
    if request and flow.response is not None:
        buffer.clear()
    elif not request and flow.metadata.get(ANSWERED):
        yield from _answer(stream)
    else:
        message.data.content = None
        message.stream = message.stream or True
        held = bytes(buffer)
        buffer.clear()
        yield from stream.start_request_stream() if request else stream.start_response_stream()
        yield from stream.handle_event(
            RequestData(stream.stream_id, held) if request else ResponseData(stream.stream_id, held)
        )


def _answer(stream: HttpStream) -> layer.CommandGenerator[None]:
    """Send the filter's response now and let go of the origin, which may never end."""
    stream.response_body_buf.clear()
    if stream.client_state == stream.state_done:
        stopped = RequestProtocolError(stream.stream_id, "answered by the filter", ErrorCode.CANCEL)
        yield SendHttp(stopped, stream.context.server)
        yield from stream.send_response()
