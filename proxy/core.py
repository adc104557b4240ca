"""mitmproxy's master, tuned through its own seams; what is changed inside of mitmproxy is in `patches`.

Measured on a request through the forward proxy (ratios to stock mitmdump; method in docs/decisions.md):

1. Stock walks ~37 addons for every hook; `Dispatch` remembers who listens and `ADDONS` are those a proxy needs (1.98x).
2. `patches.tune`: messages are not type-checked, hooks without tasks, look-ups in one step.
3. `gc.freeze` once everything is loaded removes pauses of 60 to 110 ms.

And one thing that stock cannot do: take connections from sockets that several processes listen on (`share`).
"""

# mitmproxy's own functions are mostly untyped.
# mypy: disable-error-code="no-untyped-call"

import asyncio
import inspect
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Final

from mitmproxy import addons, exceptions, hooks, options
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.flow import Flow
from mitmproxy.master import Master
from mitmproxy.proxy import mode_servers

from classifier.errors import UserError
from proxy.leaves import Tls
from proxy.resumption import Sessions

log = logging.getLogger(__name__)

ASKED: Final = ("regular", "upstream")
"""mitmproxy's modes whose clients speak HTTP to a proxy."""

Hook = Callable[..., Any]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


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
        if (rest := self._run(event, iter(self._hooks(event.name)))) is not None:
            await rest

    def begin(self, event: hooks.Hook) -> Coroutine[Any, Any, None] | None:
        """As `handle_lifecycle`, as far as nobody has to be waited for; the rest is to be awaited, if there is any."""
        if self._hooks("update"):
            return self.handle_lifecycle(event)
        return self._run(event, iter(self._hooks(event.name)))

    def _run(self, event: hooks.Hook, listeners: Iterator[Hook]) -> Coroutine[Any, Any, None] | None:
        arguments = event.args()
        for hook in listeners:
            try:
                result = hook(*arguments)
            except exceptions.AddonHalt:
                return None
            except exceptions.OptionsError:
                raise
            except Exception as error:
                _failed(event, error)
            else:
                if result is not None and inspect.isawaitable(result):
                    return self._go_on(event, result, listeners)
        return None

    async def _go_on(self, event: hooks.Hook, pending: Awaitable[Any], listeners: Iterator[Hook]) -> None:
        try:
            await pending
        except exceptions.AddonHalt:
            return
        except exceptions.OptionsError:
            raise
        except Exception as error:
            _failed(event, error)
        if (rest := self._run(event, listeners)) is not None:
            await rest

    def _hooks(self, name: str) -> tuple[Hook, ...]:
        found = self._listeners.get(name)
        if found is None:
            listening = (getattr(addon, name, None) for addon in traverse(self.chain))
            found = self._listeners[name] = tuple(hook for hook in listening if callable(hook))
        return found


def _failed(event: hooks.Hook, error: Exception) -> None:
    log.exception("addon error in %s: %s", event.name, type(error).__name__)


class Core(Master):
    """A master that serves one explicit proxy. Raises UserError from `run` when it cannot listen."""

    def __init__(self, opts: options.Options) -> None:
        super().__init__(opts)
        self.addons = Dispatch(self)
        self.addons.add(*(make() for make in ADDONS))
        self.serving = asyncio.Event()

    def listening(self) -> tuple[str, int]:
        """Host and port of the proxy, of the first mode that has one."""
        host, port, *_ = self.addons.get("proxyserver").listen_addrs()[0]
        return host, port

    @property
    def connections(self) -> int:
        """Connections of clients that are open."""
        return len(self.addons.get("proxyserver").connections)

    def asked(self) -> tuple[str, int]:
        """Host and port where a client may ask for a proxy (HTTP), the first of them."""
        servers = self.addons.get("proxyserver").servers
        host, port, *_ = next(s for s in servers if s.mode.type_name in ASKED).listen_addrs[0]
        return host, port

    def tunnel(self) -> str:
        """What a WireGuard client needs to know, with its private key; empty where there is no such server."""
        servers = self.addons.get("proxyserver").servers
        return next((s.client_conf() or "" for s in servers if s.mode.type_name == "wireguard"), "")

    async def refuse(self) -> None:
        """Accept no more connections."""
        await self.addons.get("proxyserver").servers.update([])

    async def running(self) -> None:
        """Start serving, if listening succeeded."""
        for server in self.addons.get("proxyserver").servers:
            if server.last_exception is not None:
                problem = (str(server.last_exception).splitlines() or [type(server.last_exception).__name__])[0]
                raise UserError(f"the proxy cannot listen ({server.mode.full_spec}): {problem}")
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
