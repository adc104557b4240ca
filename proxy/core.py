"""mitmproxy's master, tuned: the only file that reaches into mitmproxy's insides.

Measured on a request through the forward proxy (ratios to stock mitmdump; method in docs/decisions.md):

1. Stock walks ~37 addons for every hook; `Dispatch` remembers who listens and `ADDONS` are those a proxy needs (1.98x).
2. `MessageData.__post_init__` type-checks every message, a debugging aid that `python -O` removes too (25 % of CPU).
3. `gc.freeze` once everything is loaded removes pauses of 60 to 110 ms.

And two things that stock cannot do:

1. Hold a body of unannounced length back until `HELD` bytes, let an addon judge what has come (`request_overflow`,
   `response_overflow`), and pass the rest as it comes. mitmproxy's own `stream_large_bodies` crashes its layer when an
   addon has answered meanwhile, so it stays unset.
2. Take connections from sockets that several processes listen on (`share`).
"""

# mitmproxy's own functions are mostly untyped.
# mypy: disable-error-code="no-untyped-call"

import asyncio
import inspect
import logging
import socket
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mitmproxy import addons, exceptions, hooks, http, options
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.flow import Flow
from mitmproxy.master import Master
from mitmproxy.proxy import layer, mode_servers
from mitmproxy.proxy.commands import StartHook
from mitmproxy.proxy.layers.http import HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import ErrorCode, RequestData, RequestProtocolError, ResponseData

from classifier.errors import UserError
from proxy.leaves import Tls
from proxy.resumption import Sessions

log = logging.getLogger(__name__)

HELD: Final = 1024 * 1024
"""Bytes of a body that are held back to be judged; a longer body passes as it comes."""
ANSWERED: Final = "sluice.answered"
"""In a flow's metadata: the filter has given the response, whatever the origin still sends."""

Hook = Callable[..., Any]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@dataclass
class RequestOverflowHook(StartHook):
    """More than `HELD` bytes of a request body of unannounced length have come; its content holds them."""

    name = "request_overflow"
    flow: http.HTTPFlow


@dataclass
class ResponseOverflowHook(StartHook):
    """The same for a response."""

    name = "response_overflow"
    flow: http.HTTPFlow


class Dispatch(AddonManager):
    """Addons whose hooks are looked up once; the memory is dropped whenever an addon comes or goes."""

    def __init__(self, master: Master) -> None:
        super().__init__(master)
        self._listeners: dict[str, tuple[Hook, ...]] = {}

    def register(self, addon: Any) -> Any:
        """Add an addon's hooks."""
        self._listeners.clear()
        return super().register(addon)

    def add(self, *added: Any) -> None:
        """Add addons to the end of the chain."""
        super().add(*added)
        self._listeners.clear()

    def remove(self, addon: Any) -> None:
        """Remove an addon's hooks."""
        super().remove(addon)
        self._listeners.clear()

    def clear(self) -> None:
        """Remove all addons."""
        super().clear()
        self._listeners.clear()

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        """As stock; nobody is woken for an update that nobody hears."""
        await self.trigger_event(event)
        if self._hooks("update") and isinstance(message := event.args()[0], Flow):
            await self.trigger_event(hooks.UpdateHook([message]))

    async def trigger_event(self, event: hooks.Hook) -> None:
        """As stock: an addon's exception is logged and does not stop the others."""
        for hook in self._listeners.get(event.name) or self._hooks(event.name):
            try:
                result = hook(*event.args())
                if result is not None and inspect.isawaitable(result):
                    await result
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception as error:
                log.exception("addon error in %s: %s", event.name, type(error).__name__)

    def _hooks(self, name: str) -> tuple[Hook, ...]:
        found = self._listeners.get(name)
        if found is None:
            listening = (getattr(addon, name, None) for addon in traverse(self.chain))
            found = self._listeners[name] = tuple(hook for hook in listening if callable(hook))
        return found


class Core(Master):
    """A master that serves one explicit proxy. Raises UserError from `run` when it cannot listen."""

    def __init__(self, opts: options.Options) -> None:
        super().__init__(opts)
        self.addons = Dispatch(self)
        self.addons.add(*(make() for make in ADDONS))
        self.serving = asyncio.Event()

    def listening(self) -> tuple[str, int]:
        """Host and port of the proxy."""
        host, port, *_ = self.addons.get("proxyserver").listen_addrs()[0]
        return host, port

    @property
    def connections(self) -> int:
        """Connections of clients that are open."""
        return len(self.addons.get("proxyserver").connections)

    async def refuse(self) -> None:
        """Accept no more connections."""
        await self.addons.get("proxyserver").servers.update([])

    async def running(self) -> None:
        """Start serving, if listening succeeded."""
        for server in self.addons.get("proxyserver").servers:
            if server.last_exception is not None:
                raise UserError(f"the proxy cannot listen: {str(server.last_exception).splitlines()[0]}")
        await super().running()
        self.serving.set()


ADDONS: Final[tuple[Callable[[], Any], ...]] = (
    addons.core.Core,
    addons.block.Block,  # without it `block_global` no longer keeps the proxy from being an open one
    addons.strip_dns_https_records.StripDnsHttpsRecords,
    addons.disable_h2c.DisableH2C,
    addons.proxyauth.ProxyAuth,
    addons.proxyserver.Proxyserver,
    addons.dns_resolver.DnsResolver,
    addons.next_layer.NextLayer,
    Tls,
    Sessions,
    addons.upstream_auth.UpstreamAuth,
    addons.update_alt_svc.UpdateAltSvc,
)


class Listener:
    """Takes connections from `sockets`, which other processes share, and hands them to `handle`.

    One at a time: who is busy with one leaves the next to others. asyncio's own server would take all that wait.
    """

    def __init__(self, sockets: Sequence[socket.socket], handle: Handler) -> None:
        self.sockets, self._handle = sockets, handle
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        for each in sockets:
            self._watch(each)

    def close(self) -> None:
        """Take no more. What waits in the queue stays there for the others."""
        for each in self.sockets:
            self._loop.remove_reader(each)
            each.close()
        self.sockets = ()

    def _watch(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was quicker, or the client has left
        except OSError as error:  # no descriptor is left: to try again at once would only burn the processor
            log.error("no connection can be taken: %s", error.strerror)
            self._loop.remove_reader(listening)
            self._loop.call_later(1.0, self._watch, listening)
            return
        connection.setblocking(False)
        protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=self._loop), self._handle, loop=self._loop)
        task = self._loop.create_task(self._loop.connect_accepted_socket(lambda: protocol, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


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


def tune() -> None:
    """Change mitmproxy's classes, once a process. Where a name is gone, stock behaviour stays and a warning says so."""
    if hasattr(http.MessageData, "__post_init__"):
        http.MessageData.__post_init__ = _unchecked  # type: ignore[method-assign]
    if hasattr(HttpStream, "check_body_size"):
        HttpStream.check_body_size = _check_body_size  # type: ignore[method-assign, assignment]
    else:
        log.warning("this mitmproxy holds bodies differently; long bodies of unannounced length are held whole")


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
